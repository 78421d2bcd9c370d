#!/usr/bin/env bash
# What <wherry/agent/agent.hpp> costs a file that includes it: its compiler's user CPU time, divided by that of a file
# with the standard headers and the coroutine type that any program of this kind has anyway.
#
#   header_cost.sh INCLUDE_FOLDER COMPILER     prints both and the ratio; exit 1 when it is above the bound
set -euo pipefail
include=$(realpath "$1") compiler=$2
ratio_max=1.6
rounds=5

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '#include <%s>\n' string vector functional variant boost/asio/awaitable.hpp >"$work/base.cpp"
printf '#include <wherry/agent/agent.hpp>\n' >"$work/agent.cpp"

user_seconds() {
  local TIMEFORMAT=%3U
  { time "$compiler" -std=c++20 -O2 -I "$include" -c "$1" -o "$work/out.o" 2>"$work/words"; } 2>&1 ||
    { cat "$work/words" >&2; return 1; }
}
median() { sort -n "$1" | sed -n "$((rounds / 2 + 1))p"; }

# In turn, so that a busy machine weighs on both alike.
for _ in $(seq "$rounds"); do
  user_seconds "$work/base.cpp" >>"$work/base.times"
  user_seconds "$work/agent.cpp" >>"$work/agent.times"
done
awk -v base="$(median "$work/base.times")" -v agent="$(median "$work/agent.times")" -v max="$ratio_max" 'BEGIN {
  printf "base %.2f s, agent %.2f s, ratio %.2f (bound %.1f)\n", base, agent, agent / base, max
  exit agent / base > max
}'
