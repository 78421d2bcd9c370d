#include "gguf/split_name.hpp"

#include <algorithm>

namespace wherry::inline v0::detail {
namespace {

constexpr std::size_t digits = 5;
constexpr std::string_view between = "-of-", ending = ".gguf";

std::string five_digits(std::uint64_t value) {
  auto const text = std::to_string(value);
  return std::string(digits - std::min(digits, text.size()), '0') + text;
}

std::optional<std::uint64_t> read_five_digits(std::string_view text) {
  std::uint64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = 10 * value + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

}  // namespace

std::string split_name(std::string_view stem, std::uint64_t number, std::uint64_t count) {
  return std::string(stem) + '-' + five_digits(number) + std::string(between) + five_digits(count) +
         std::string(ending);
}

std::optional<split_file_name> read_split_name(std::string_view name) {
  constexpr std::size_t tail = 1 + digits + between.size() + digits + ending.size();
  if (name.size() <= tail || !name.ends_with(ending)) return std::nullopt;
  auto const stem = name.substr(0, name.size() - tail);
  auto rest = name.substr(stem.size());
  if (rest[0] != '-' || rest.substr(1 + digits, between.size()) != between) return std::nullopt;
  auto const number = read_five_digits(rest.substr(1, digits));
  auto const count = read_five_digits(rest.substr(1 + digits + between.size(), digits));
  if (!number || !count) return std::nullopt;
  return split_file_name{std::string(stem), *number, *count};
}

}  // namespace wherry::inline v0::detail
