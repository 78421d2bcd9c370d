#pragma once
// Long-term memory as tools of an agent: what a model may remember, recall and forget, always within one scope that the
// program chose. Nothing a model writes names a scope, and nothing it says erases a fact: a newer one ends it.

#include <wherry/memory/memory_files.hpp>
#include <wherry/memory/scope.hpp>
#include <wherry/tools/tool.hpp>

#include <cstddef>
#include <vector>

namespace wherry::inline v0 {

struct memory_tool_options {
  std::size_t recall_limit = 8;       ///< Records one recall returns.
  bool may_forget = false;            ///< Whether the model gets `forget`. Ask for approval of it.
  recall_options recall_models = {};  ///< Models that take part in `recall`.
};

/// "remember" (writes), "recall" (reads) and, if allowed, "forget" (writes). What the model remembers has origin agent,
/// kind "fact", and a subject and attribute where it names them. `recall` answers one record a line: "[id] text
/// (since 2026-11-24)", or that nothing was found.
///
/// Lifetime: the tools keep the store open.
/// Example:
///   for (auto& t : memory_tools(scope)) desk = desk.with(std::move(t));
std::vector<tool> memory_tools(scope_handle scope, memory_tool_options options = {});

/// The tool "memory": one command on the scope's text files, as models have learnt it (view, create, str_replace,
/// insert, delete, rename below /memories). Which command there is is part of its schema. Nothing is learnt from what
/// it shows.
tool memory_file_tool(memory_files files);

}  // namespace wherry::inline v0
