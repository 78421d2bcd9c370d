#pragma once
// The entity arm of recall: records that hold what the question names, by how rare it is. It reads the postings of the
// text index, so there is nothing of its own on disk: an entity of several words stands in a record where they stand
// side by side, or all in its title.
//
// Many records hold the same entities and nothing tells them apart here. Equals share the rank in their middle, so
// that a name which half of the records hold says next to nothing, and a rare one much.

#include "recall_fusion.hpp"
#include "text_analyser.hpp"

#include <string>
#include <vector>

namespace wherry::inline v0::memory_detail {

struct entity_found {
  arm_hits arm{.name = "entity"};     ///< Best first.
  std::vector<std::string> entities;  ///< Those that any record holds: as the question has them, dates as "@y2023".
  std::vector<std::vector<std::uint32_t>> records;  ///< Of each, the numbers in ascending order.
};

/// The caller holds the index's mutex, shared. `dates` are the date terms of the question.
result<entity_found> search_entities(store_state const& store, scope_index& index, index_totals const& totals,
                                     text_analyser const& analyser, std::string_view question,
                                     std::vector<std::string> const& dates, record_filter const& filter);

}  // namespace wherry::inline v0::memory_detail
