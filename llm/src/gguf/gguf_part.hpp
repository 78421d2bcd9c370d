#pragma once
// One GGUF file in memory: its header read and checked, its tensors found. A model is one part or several (split
// files).

#include <wherry/core/result.hpp>
#include <wherry/llm/gguf.hpp>

#include "gguf/file_image.hpp"
#include "gguf/format.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

namespace wherry::inline v0::detail {

class byte_cursor;

// A metadata value stays where it is in the image; this remembers where. A scalar counts as one element.
struct metadata_entry {
  std::string_view key;
  bool is_array = false;
  value_type element = value_type::u8;
  std::uint64_t count = 1;
  std::uint64_t at = 0;   // first byte of the value, behind type and count
  std::uint64_t end = 0;  // the byte behind it
};

using number = std::variant<std::uint64_t, std::int64_t, double>;

// The next scalar as the widest type of its sort; a boolean counts as 0 or 1.
number take_number(byte_cursor& in, value_type type);

// Positions of `items`, sorted by name.
template <class Items, class Name>
std::vector<std::uint32_t> index_by_name(Items const& items, Name name) {
  std::vector<std::uint32_t> order(items.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return name(items[a]) < name(items[b]); });
  return order;
}

template <class Items, class Name>
auto find_by_name(Items const& items, std::vector<std::uint32_t> const& order, Name name, std::string_view wanted)
    -> decltype(items.data()) {
  auto const found = std::lower_bound(order.begin(), order.end(), wanted,
                                      [&](auto i, std::string_view key) { return name(items[i]) < key; });
  return found != order.end() && name(items[*found]) == wanted ? &items[*found] : nullptr;
}

inline std::string_view name_of_tensor(tensor_info const& tensor) { return tensor.name; }

struct gguf_part {
  gguf_part(file_image file, std::string file_name) : image(std::move(file)), name(std::move(file_name)) {}

  result<void> parse();

  metadata_entry const* find(std::string_view key) const;
  metadata_entry const* find_scalar(std::string_view key) const;
  metadata_entry const* find_array(std::string_view key) const;
  std::optional<number> find_number(std::string_view key) const;

  // An entry with its key and type, as it stands in the file.
  std::span<std::uint8_t const> raw(metadata_entry const& entry) const;

  file_image image;
  std::string name;
  std::uint32_t version = 0;
  std::vector<metadata_entry> entries;
  std::vector<tensor_info> tensors;

 private:
  void read_metadata(byte_cursor& in, std::uint64_t count);
  void read_tensor_list(byte_cursor& in, std::uint64_t count);
  result<void> place_tensors(std::uint64_t list_end);
  result<void> place(tensor_info& tensor, std::uint64_t offset, std::uint64_t data_start) const;
  error corrupt(std::string what) const;
  error unsupported(std::string what) const;

  std::vector<std::uint32_t> entry_order_;
  std::vector<std::uint64_t> tensor_offsets_;
};

// The tensor that stands among `tensors` twice, if there is one.
tensor_info const* find_twin(std::vector<tensor_info> const& tensors, std::vector<std::uint32_t> const& order);

}  // namespace wherry::inline v0::detail
