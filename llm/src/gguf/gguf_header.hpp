#pragma once
// The bytes of a GGUF file before its tensors' data.

#include <wherry/llm/gguf.hpp>

#include "gguf/format.hpp"

#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace wherry::inline v0::detail {

using byte_vector = std::vector<std::uint8_t>;

inline void put_bytes(byte_vector& out, void const* bytes, std::size_t size) {
  auto const* const first = static_cast<std::uint8_t const*>(bytes);
  out.insert(out.end(), first, first + size);
}

template <class T>
  requires std::is_trivially_copyable_v<T>
void put(byte_vector& out, T const& value) {
  put_bytes(out, &value, sizeof(T));
}

inline void put_text(byte_vector& out, std::string_view text) {
  put(out, static_cast<std::uint64_t>(text.size()));
  put_bytes(out, text.data(), text.size());
}

template <class T>
void put_scalar(byte_vector& out, std::string_view key, value_type type, T const& value) {
  put_text(out, key);
  put(out, type);
  put(out, value);
}

struct tensor_head {
  std::string name;
  tensor_type type = tensor_type::f32;
  std::vector<std::uint64_t> shape;
};

// Bytes of a tensor's data. The caller vouches for type and shape.
std::uint64_t data_bytes(tensor_head const& tensor);

// GGUF v3: magic, version, counts, metadata (entries as they stand in the file), the list of tensors with their places,
// zeros up to the alignment. Each tensor's data follows, padded to gguf_alignment_default.
byte_vector make_gguf_header(std::span<std::uint8_t const> metadata, std::uint64_t entry_count,
                             std::span<tensor_head const> tensors);

}  // namespace wherry::inline v0::detail
