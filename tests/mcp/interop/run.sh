#!/usr/bin/env bash
# Runs one interop check as a test.
#
#   run.sh CHECK.mjs ARGUMENTS...
#
# Skipped (exit 77, with a word) where the peers are not installed; install.sh does that.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
check=$1
shift
peers=${WHERRY_INTEROP_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/wherry-interop}/peers
skip() { echo "SKIP: $*; tests/mcp/interop/install.sh installs them"; exit 77; }
[ -x "$peers/node/node_modules/node/bin/node" ] || skip "no peers in $peers"
cmp -s "$here/package.json" "$peers/installed.json" || skip "the peers in $peers are of other versions"
# Modules are found beside the file that imports them: the checks stand beside the packages while they run.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/*.mjs "$here/package.json" "$work/"
ln -s "$peers/node_modules" "$work/node_modules"
PATH=$peers/node/node_modules/node/bin:$PATH node "$work/$check" "$@"
