#pragma once
// Rows of weights as plain floats, and back. Unpacking is exact, the same for every kernel set.

#include <wherry/llm/gguf.hpp>

#include <array>
#include <span>

namespace wherry::inline v0::engine {

/// Unpacks one row of `out.size()` weights, a multiple of the type's block. `type` is any that gguf_file opens.
void unpack_row(tensor_type type, std::uint8_t const* row, std::span<float> out);

/// The types that pack_row makes, from wide to narrow.
inline constexpr std::array packable_types{tensor_type::f32,  tensor_type::f16,  tensor_type::bf16, tensor_type::q8_0,
                                           tensor_type::q6_k, tensor_type::q5_1, tensor_type::q5_0, tensor_type::q5_k,
                                           tensor_type::q4_1, tensor_type::q4_0, tensor_type::q4_k};
bool can_pack(tensor_type type) noexcept;
/// "F32, F16, ...": for messages.
std::string packable_type_names();

/// Packs a row into a type for which can_pack is true: F32 as it is, F16 and BF16 rounded to nearest, the others as
/// pack_blocks.hpp says, which also says what values they take. The row's length is a multiple of the type's block.
/// `out` holds exactly the packed bytes.
void pack_row(tensor_type type, std::span<float const> row, std::span<std::uint8_t> out);

}  // namespace wherry::inline v0::engine
