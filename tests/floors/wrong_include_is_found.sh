#!/usr/bin/env bash
# check_floors must fail on each kind of wrong include; a checker that never fails checks nothing.
set -euo pipefail
check=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

expect_found() {  # FILE INCLUDE WORDS
  mkdir -p "$root/$(dirname "$1")"
  printf '#include <%s>\n' "$2" >"$root/$1"
  if out=$("$check" "$root" 2>&1); then
    echo "not found: $1 includes $2" >&2
    exit 1
  fi
  case $out in *"$3"*) ;; *) echo "found $1 -> $2, but said: $out" >&2; exit 1 ;; esac
  rm "$root/$1"
}

mkdir -p "$root/core/src" && echo '#include <string>' >"$root/core/src/a.cpp"
"$check" "$root" >/dev/null
expect_found core/src/b.cpp wherry/llm/message.hpp "must not use llm"
expect_found tools/src/b.cpp wherry/memory/store.hpp "must not use memory"
expect_found memory/src/b.cpp wherry/agent/agent.hpp "must not use agent"
expect_found llm/src/engine/b.cpp grammar/automaton.hpp "must not use grammar"
expect_found llm/src/gguf/b.cpp wherry/llm/local_model.hpp "must not use local"
expect_found agent/include/wherry/agent/b.hpp rocksdb/db.h "may include this"
expect_found tools/include/wherry/tools/b.hpp wherry/core/json.hpp "may include this"
expect_found llm/include/wherry/llm/unheard_of.hpp string "belongs to no inner floor"
