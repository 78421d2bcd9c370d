#!/usr/bin/env bash
# Compiles every public header as a file of its own, included twice: it needs nothing before it, and bears repetition.
#
#   headers_compile_alone.sh INCLUDE_FOLDER COMPILER     exit 1 and the compiler's words for each header that does not
set -euo pipefail
include=$(realpath "$1") compiler=$2
cd "$include"

# Internals (detail/) are reached through the headers that users name.
mapfile -t headers < <(find wherry -name '*.hpp' -not -path '*/detail/*' | sort)
[ ${#headers[@]} -gt 0 ] || { echo "no header below $include/wherry" >&2; exit 1; }

check() {
  printf '#include <%s>\n#include <%s>\n' "$3" "$3" |
    "$2" -std=c++20 -Wall -Wextra -fsyntax-only -I "$1" -x c++ - || { echo "does not compile alone: $3" >&2; return 1; }
}
export -f check
printf '%s\n' "${headers[@]}" | xargs -P 2 -I{} bash -c 'check "$@"' _ "$include" "$compiler" {}
echo "${#headers[@]} headers compile alone"
