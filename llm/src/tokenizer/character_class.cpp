#include "tokenizer/character_class.hpp"

#include <unicode/uchar.h>

#include <algorithm>

namespace wherry::inline v0::detail {
namespace {

std::uint8_t class_of(std::int8_t category) {
  auto const mask = std::uint32_t{1} << category;
  if (mask & (U_GC_LU_MASK | U_GC_LT_MASK)) return upper_letter;
  if (mask & U_GC_LL_MASK) return lower_letter;
  if (mask & (U_GC_LM_MASK | U_GC_LO_MASK)) return other_letter;
  if (mask & U_GC_M_MASK) return mark;
  if (mask & U_GC_N_MASK) return number;
  if (mask & U_GC_P_MASK) return punctuation;
  if (mask & U_GC_S_MASK) return symbol_sign;
  return 0;
}

}  // namespace

character_classes::character_classes() : table_(0x110000) {
  auto const fill = [](void const* context, UChar32 begin, UChar32 end, UCharCategory category) -> UBool {
    auto& table = *static_cast<std::vector<std::uint8_t>*>(const_cast<void*>(context));
    std::fill(table.begin() + begin, table.begin() + end, class_of(static_cast<std::int8_t>(category)));
    return true;
  };
  u_enumCharTypes(fill, &table_);
  // White space lies among the separators and the control characters, all below U+3001.
  for (UChar32 c = 0; c <= 0x3000; ++c)
    if (u_isUWhiteSpace(c)) table_[static_cast<std::size_t>(c)] = space;
}

character_classes const& character_classes::instance() {
  static character_classes const made;
  return made;
}

}  // namespace wherry::inline v0::detail
