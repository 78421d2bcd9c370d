#pragma once
// A recall in two halves: what the arms found, and what is made of it. Between them models may read what was found.

#include "scope_state.hpp"

#include <wherry/memory/recall.hpp>

#include <map>
#include <string>

namespace wherry::inline v0::memory_detail {

struct recall_draft {
  recall_result found;
  std::map<std::string, double> rarity;  ///< What each word of the question is worth.
};

/// Why a query cannot be answered.
std::optional<error> refuse(recall_query const& q);

/// The arms and their fusion: at most limit records within text_bytes_max, in the order of their scores.
result<recall_draft> draft_recall(scope_state& scope, recall_query const& q);

/// Keeps limit and text_bytes_max, and puts news first.
recall_result finish_recall(recall_draft draft, recall_query const& q);

}  // namespace wherry::inline v0::memory_detail
