#!/usr/bin/env bash
# Runs mcp_peers with our server and with those of the TypeScript SDKs v1 and v2, which
# tests/mcp/interop/install.sh installs. On a machine that does nothing else.
#
#   bench/mcp_peers.sh BUILD [OPTIONS]        BUILD: a build folder, e.g. build/release; OPTIONS: those of mcp_peers
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { sed -n '2,6p' "$0" | cut -c3-; exit 2; }
bin=$(cd "$1" && pwd)/bin
shift
peers=${WHERRY_INTEROP_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/wherry-interop}/peers
node=$peers/node/node_modules/node/bin/node
if [ ! -x "$node" ]; then
  echo "mcp_peers.sh: no peers in $peers (tests/mcp/interop/install.sh installs them); ours is measured alone" >&2
  exec "$bin/mcp_peers" --ours "$bin/mcp_echo_server" "$@"
fi
# Modules are found beside the file that imports them: the servers stand beside the packages while they run.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/../tests/mcp/interop/sdk[12]_server.mjs "$here"/../tests/mcp/interop/package.json "$work/"
ln -s "$peers/node_modules" "$work/node_modules"
"$bin/mcp_peers" --ours "$bin/mcp_echo_server" --node "$node" --sdk1 "$work/sdk1_server.mjs" \
  --sdk2 "$work/sdk2_server.mjs" "$@"
