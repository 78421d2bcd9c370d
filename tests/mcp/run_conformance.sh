#!/usr/bin/env bash
# The official conformance suite against our server or client, as a test.
#
#   run_conformance.sh server SERVER_PROGRAM REVISION [suite arguments]
#   run_conformance.sh client CLIENT_PROGRAM REVISION [suite arguments]
#
# Skipped (exit 77, with a word) where the suite is not installed: it is not ours, and tests use no network. Install it with
# $WHERRY_SHARED/tools/mcp/conformance.sh list 2026-07-28.
set -euo pipefail
mode=$1 program=$2 revision=$3
shift 3
shared=${WHERRY_SHARED:-$(cd "$(dirname "$0")/../.." && pwd)/../shared}
suite=$shared/tools/mcp/conformance.sh
skip() { echo "SKIP: $*"; exit 77; }
[ -x "$suite" ] || skip "no conformance.sh in $shared/tools/mcp"
cache=${WHERRY_CONFORMANCE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/wherry-conformance}
compgen -G "$cache/node*/suite" > /dev/null || skip "the conformance suite is not installed in $cache"

out=$(mktemp -d)
pid=
cleanup() {
  [ -z "$pid" ] || kill "$pid" 2> /dev/null || true
  rm -rf "$out"
}
trap cleanup EXIT
if [ "$mode" = client ]; then
  "$suite" client "$program" "$revision" -o "$out/results" "$@"
  exit
fi
: > "$out/server.log"  # there to be read before the server has begun
"$program" --port 0 2> "$out/server.log" &
pid=$!
for _ in $(seq 100); do
  url=$(sed -n 's/^listening on //p' "$out/server.log")
  [ -n "$url" ] && break
  sleep 0.05
done
[ -n "$url" ] || { echo "the server did not start"; cat "$out/server.log"; exit 1; }
"$suite" server "${url/127.0.0.1/localhost}" "$revision" -o "$out/results" "$@"
