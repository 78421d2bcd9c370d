#pragma once
// What the library may see of an open file beyond its public face.

#include <wherry/llm/gguf.hpp>

#include <span>
#include <string_view>

namespace wherry::inline v0::detail {

struct gguf_access {
  // A metadata entry as it stands in the file: key, type and value. Empty when it is absent.
  static std::span<std::uint8_t const> raw_entry(gguf_file const& file, std::string_view key);
};

}  // namespace wherry::inline v0::detail
