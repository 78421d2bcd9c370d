#pragma once
// What a text names: people, places, things by their names, identifiers, addresses, quantities, quotations. By rules,
// not by a model. Pure.
//
// A name is a run of capitalised words ("Lake Geneva", "Lord of the Rings"). A lone capitalised word that begins a
// sentence is none, because there everything is capitalised, unless it owns something ("Caroline's"). Scripts without
// case give what stands in quotation marks, what is an identifier, an address or a number, and Korean words before an
// honorific (김민수 씨, 민수님); names in running Chinese and Japanese are not found. Dates are left to the analyser,
// which knows them as terms.

#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0::memory_detail {

/// Most entities of one text; the first ones count.
inline constexpr std::size_t entities_max = 32;
/// Longest name in words, longest quotation in code points.
inline constexpr std::size_t name_words_max = 6;
inline constexpr std::size_t quotation_points_max = 64;

enum class entity_kind { name, identifier, address, quantity, quotation };

struct named_entity {
  entity_kind kind = entity_kind::name;
  std::string text = {};  ///< As it stands, without the punctuation around it.
  friend bool operator==(named_entity const&, named_entity const&) = default;
};

/// The entities of a text, each once, in order of their ends. Bytes that are not UTF-8 are skipped.
std::vector<named_entity> entities_of(std::string_view text);

}  // namespace wherry::inline v0::memory_detail
