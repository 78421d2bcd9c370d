#!/usr/bin/env bash
# Runs an example and compares what it prints with the "Expected output" at the end of its source.
#   check_output.sh PROGRAM SOURCE
set -euo pipefail
unset WHERRY_MODEL
expected=$(sed -n '/^\/\/ Expected output:/,$p' "$2" | tail -n +2 | sed 's|^//   ||; s|^//$||')
[ -n "$expected" ] || { echo "$2 says no expected output" >&2; exit 1; }
diff <(printf '%s\n' "$expected") <("$1")
