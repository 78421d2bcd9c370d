#include <wherry/llm/gguf.hpp>

#include "gguf/format.hpp"

#include <array>
#include <utility>

namespace wherry::inline v0 {
namespace {

struct type_row {
  tensor_type type;
  char const* name;
  block_layout layout;
};

constexpr std::array type_rows{
    type_row{tensor_type::f32, "F32", {1, 4}},           type_row{tensor_type::f16, "F16", {1, 2}},
    type_row{tensor_type::bf16, "BF16", {1, 2}},         type_row{tensor_type::q4_0, "Q4_0", {32, 18}},
    type_row{tensor_type::q4_1, "Q4_1", {32, 20}},       type_row{tensor_type::q5_0, "Q5_0", {32, 22}},
    type_row{tensor_type::q5_1, "Q5_1", {32, 24}},       type_row{tensor_type::q8_0, "Q8_0", {32, 34}},
    type_row{tensor_type::q2_k, "Q2_K", {256, 84}},      type_row{tensor_type::q3_k, "Q3_K", {256, 110}},
    type_row{tensor_type::q4_k, "Q4_K", {256, 144}},     type_row{tensor_type::q5_k, "Q5_K", {256, 176}},
    type_row{tensor_type::q6_k, "Q6_K", {256, 210}},     type_row{tensor_type::iq4_nl, "IQ4_NL", {32, 18}},
    type_row{tensor_type::iq4_xs, "IQ4_XS", {256, 136}}, type_row{tensor_type::mxfp4, "MXFP4", {32, 17}},
};

// What other files may hold, so that an error can name it.
constexpr std::array<std::pair<std::uint32_t, char const*>, 18> other_names{{{9, "Q8_1"},
                                                                             {15, "Q8_K"},
                                                                             {16, "IQ2_XXS"},
                                                                             {17, "IQ2_XS"},
                                                                             {18, "IQ3_XXS"},
                                                                             {19, "IQ1_S"},
                                                                             {21, "IQ3_S"},
                                                                             {22, "IQ2_S"},
                                                                             {24, "I8"},
                                                                             {25, "I16"},
                                                                             {26, "I32"},
                                                                             {27, "I64"},
                                                                             {28, "F64"},
                                                                             {29, "IQ1_M"},
                                                                             {34, "TQ1_0"},
                                                                             {35, "TQ2_0"},
                                                                             {4, "Q4_2"},
                                                                             {5, "Q4_3"}}};

type_row const* find_row(tensor_type type) noexcept {
  for (auto const& row : type_rows)
    if (row.type == type) return &row;
  return nullptr;
}

}  // namespace

std::string to_string(tensor_type type) {
  if (auto const* row = find_row(type)) return row->name;
  auto const number = static_cast<std::uint32_t>(type);
  auto const numbered = "type " + std::to_string(number);
  for (auto const& [other, name] : other_names)
    if (other == number) return std::string(name) + " (" + numbered + ")";
  return numbered;
}

block_layout layout_of(tensor_type type) noexcept {
  auto const* row = find_row(type);
  return row ? row->layout : block_layout{};
}

std::string detail::supported_tensor_types() {
  std::string names;
  for (auto const& row : type_rows) names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names;
}

}  // namespace wherry::inline v0
