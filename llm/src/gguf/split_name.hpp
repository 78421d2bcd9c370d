#pragma once
// Names of the files of a split model: NAME-00001-of-00003.gguf.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wherry::inline v0::detail {

inline constexpr std::uint64_t split_parts_max = 4096;

struct split_file_name {
  std::string stem;
  std::uint64_t number = 0;  // from 1
  std::uint64_t count = 0;
};

std::string split_name(std::string_view stem, std::uint64_t number, std::uint64_t count);

// Absent when the name has another form.
std::optional<split_file_name> read_split_name(std::string_view name);

}  // namespace wherry::inline v0::detail
