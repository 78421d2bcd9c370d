#!/usr/bin/env bash
# Installs the peers of the interop tests and a node that runs them, with npm, into $WHERRY_INTEROP_DIR
# (default $XDG_CACHE_HOME/wherry-interop, else ~/.cache/wherry-interop). Once; tests use no network.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
NODE_MAJOR=24
command -v npm >/dev/null || { echo "install.sh: npm is needed" >&2; exit 2; }
place=${WHERRY_INTEROP_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/wherry-interop}
mkdir -p "$place"
part=$(mktemp -d "$place/install.XXXXXX")
trap 'rm -rf "$part"' EXIT
quiet=(--no-audit --no-fund --loglevel=error --save-exact)
mkdir "$part/node"
npm install --prefix "$part/node" "${quiet[@]}" "node@$NODE_MAJOR"
cp "$here/package.json" "$part/package.json"
# That node first on PATH: npm picks package versions that fit the node it runs under.
PATH=$part/node/node_modules/node/bin:$PATH npm install --prefix "$part" "${quiet[@]}"
cp "$here/package.json" "$part/installed.json"
rm -rf "$place/peers"
mv -T "$part" "$place/peers"
echo "install.sh: the peers are in $place/peers"
