#pragma once
// Rows of weights as plain floats, and back. Unpacking is exact, the same for every kernel set.

#include <wherry/llm/gguf.hpp>

#include <span>

namespace wherry::inline v0::engine {

/// Unpacks one row of `out.size()` weights, a multiple of the type's block. `type` is any that gguf_file opens.
void unpack_row(tensor_type type, std::uint8_t const* row, std::span<float> out);

/// Packs a row: F32 as it is, F16 and BF16 rounded to nearest, Q8_0 in blocks of 32 with an f16 scale of largest / 127.
/// The row's length is a multiple of the type's block. `out` holds exactly the packed bytes.
void pack_row(tensor_type type, std::span<float const> row, std::span<std::uint8_t> out);

}  // namespace wherry::inline v0::engine
