#include "gguf/gguf_part.hpp"

#include "gguf/byte_cursor.hpp"

#include <bit>

namespace wherry::inline v0::detail {
namespace {

std::string_view key_of(metadata_entry const& entry) { return entry.key; }

// Steps over the value behind a key, checking all of it. Booleans must be 0 or 1.
metadata_entry read_entry(byte_cursor& in) {
  metadata_entry entry;
  entry.key = in.take_string(key_bytes_max, "the length of a metadata key");
  if (!in.failed() && entry.key.empty()) in.fail("a metadata key is empty");
  entry.element = in.take<value_type>("the type of a metadata value");
  entry.is_array = entry.element == value_type::array;
  if (entry.is_array) {
    entry.element = in.take<value_type>("the element type of an array");
    auto const bytes_each = std::max(scalar_bytes(entry.element), 1u);
    entry.count = in.take_count(array_elements_max, entry.element == value_type::string ? 8 : bytes_each,
                                "the element count of an array");
  }
  entry.at = in.at();
  auto const fixed_bytes = scalar_bytes(entry.element);
  if (entry.element == value_type::string) {
    for (std::uint64_t i = 0; i < entry.count && !in.failed(); ++i)
      in.take_string(string_bytes_max, "the length of a metadata string");
  } else if (fixed_bytes == 0) {
    in.fail("the value of '" + std::string(entry.key.substr(0, 80)) + "' has type " +
            std::to_string(static_cast<std::uint32_t>(entry.element)) +
            (entry.element == value_type::array ? " (an array in an array)" : "") + ", which is not known");
  } else if (entry.element == value_type::boolean) {
    for (std::uint64_t i = 0; i < entry.count && !in.failed(); ++i)
      if (in.take<std::uint8_t>("a boolean") > 1) in.fail("a boolean is neither 0 nor 1");
  } else {
    in.skip(entry.count * fixed_bytes, "a metadata value");  // count is bounded, so this cannot overflow
  }
  entry.end = in.at();
  return entry;
}

template <class T>
number widened(byte_cursor& in) {
  auto const value = in.take<T>("a metadata value");
  if constexpr (std::is_floating_point_v<T>)
    return static_cast<double>(value);
  else if constexpr (std::is_unsigned_v<T>)
    return static_cast<std::uint64_t>(value);
  else
    return static_cast<std::int64_t>(value);
}

}  // namespace

number take_number(byte_cursor& in, value_type type) {
  switch (type) {
    case value_type::u8:
    case value_type::boolean: return widened<std::uint8_t>(in);
    case value_type::i8: return widened<std::int8_t>(in);
    case value_type::u16: return widened<std::uint16_t>(in);
    case value_type::i16: return widened<std::int16_t>(in);
    case value_type::u32: return widened<std::uint32_t>(in);
    case value_type::i32: return widened<std::int32_t>(in);
    case value_type::u64: return widened<std::uint64_t>(in);
    case value_type::i64: return widened<std::int64_t>(in);
    case value_type::f32: return widened<float>(in);
    case value_type::f64: return widened<double>(in);
    case value_type::string:
    case value_type::array: break;
  }
  return std::uint64_t{0};
}

tensor_info const* find_twin(std::vector<tensor_info> const& tensors, std::vector<std::uint32_t> const& order) {
  auto const same_name = [&](auto a, auto b) { return tensors[a].name == tensors[b].name; };
  auto const twin = std::adjacent_find(order.begin(), order.end(), same_name);
  return twin == order.end() ? nullptr : &tensors[*twin];
}

error gguf_part::corrupt(std::string what) const {
  return {errc::corrupt_file, "cannot read the model file: " + what, "gguf.open", name};
}

error gguf_part::unsupported(std::string what) const {
  return {errc::unsupported, "cannot read the model file: " + what, "gguf.open", name};
}

result<void> gguf_part::parse() {
  byte_cursor in(image.bytes());
  auto const magic = in.take<std::uint32_t>("the magic number");
  if (in.failed() || std::memcmp(&magic, gguf_magic.data(), gguf_magic.size()) != 0)
    return corrupt("it does not begin with 'GGUF' (at byte 0), so it is no GGUF file");
  version = in.take<std::uint32_t>("the version");
  if (!in.failed() && (version < gguf_version_min || version > gguf_version_max)) {
    bool const swapped = (version & 0xFFFF) == 0;
    return unsupported((swapped ? "its numbers are big-endian" : "it has version " + std::to_string(version)) +
                       "; little-endian versions 2 and 3 are supported, so convert the model again");
  }
  constexpr std::uint64_t tensor_bytes_min = 8 + 4 + 8 + 4 + 8, entry_bytes_min = 8 + 4 + 1;
  auto const tensor_count = in.take_count(tensors_max, tensor_bytes_min, "the number of tensors");
  auto const entry_count = in.take_count(metadata_entries_max, entry_bytes_min, "the number of metadata entries");
  read_metadata(in, entry_count);
  read_tensor_list(in, tensor_count);
  if (in.failed()) return corrupt(in.failure());

  entry_order_ = index_by_name(entries, key_of);
  auto const same_key = [&](auto a, auto b) { return entries[a].key == entries[b].key; };
  if (auto const key = std::adjacent_find(entry_order_.begin(), entry_order_.end(), same_key);
      key != entry_order_.end())
    return corrupt("the metadata key '" + std::string(entries[*key].key) + "' stands in it twice");
  if (auto const* twin = find_twin(tensors, index_by_name(tensors, name_of_tensor)))
    return corrupt("the tensor '" + twin->name + "' stands in it twice");
  return place_tensors(in.at());
}

void gguf_part::read_metadata(byte_cursor& in, std::uint64_t count) {
  entries.reserve(count);
  for (std::uint64_t i = 0; i < count && !in.failed(); ++i) entries.push_back(read_entry(in));
}

void gguf_part::read_tensor_list(byte_cursor& in, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
    tensor_info tensor;
    tensor.name = in.take_string(tensor_name_bytes_max, "the length of a tensor name");
    auto const dimensions = in.take<std::uint32_t>("the number of dimensions");
    if (dimensions == 0 || dimensions > dimensions_max)
      in.fail("tensor '" + tensor.name + "' has " + std::to_string(dimensions) + " dimensions; 1 to 4 are possible");
    for (std::uint32_t d = 0; d < dimensions && !in.failed(); ++d)
      tensor.shape.push_back(in.take<std::uint64_t>("a tensor's shape"));
    tensor.type = in.take<tensor_type>("a tensor's type");
    tensor_offsets_.push_back(in.take<std::uint64_t>("a tensor's offset"));
    tensors.push_back(std::move(tensor));
  }
}

result<void> gguf_part::place_tensors(std::uint64_t list_end) {
  std::uint64_t alignment = gguf_alignment_default;
  if (auto const* declared = find("general.alignment")) {
    auto const value = find_number(declared->key);
    auto const* integer = value ? std::get_if<std::uint64_t>(&*value) : nullptr;
    alignment = integer ? *integer : 0;
  }
  if (!std::has_single_bit(alignment) || alignment < alignment_min || alignment > alignment_max)
    return corrupt("general.alignment is not a power of two from 8 to 65536");
  auto const data_start = align_up(list_end, alignment);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensor_offsets_[i] % alignment != 0)
      return corrupt("the data of tensor '" + tensors[i].name + "' is not aligned to " + std::to_string(alignment) +
                     " bytes");
    if (auto placed = place(tensors[i], tensor_offsets_[i], data_start); !placed) return placed;
  }
  tensor_offsets_ = {};
  return {};
}

result<void> gguf_part::place(tensor_info& tensor, std::uint64_t offset, std::uint64_t data_start) const {
  auto const layout = layout_of(tensor.type);
  if (layout.elements == 0)
    return unsupported("tensor '" + tensor.name + "' has " + to_string(tensor.type) + "; supported are " +
                       supported_tensor_types());
  std::uint64_t blocks = 1;
  bool fits = tensor.shape[0] % layout.elements == 0;
  for (std::size_t d = 0; d < tensor.shape.size(); ++d) {
    auto const extent = d == 0 ? tensor.shape[0] / layout.elements : tensor.shape[d];
    fits = fits && extent != 0 && !__builtin_mul_overflow(blocks, extent, &blocks);
  }
  std::uint64_t bytes = 0, elements = 0;
  fits = fits && !__builtin_mul_overflow(blocks, layout.bytes, &bytes) &&
         !__builtin_mul_overflow(blocks, layout.elements, &elements);
  if (!fits)
    return corrupt("the shape of tensor '" + tensor.name +
                   "' is empty, too large, or its rows are no multiple of the " + std::to_string(layout.elements) +
                   " elements of a " + to_string(tensor.type) + " block");
  auto const size = image.bytes().size();
  if (data_start > size || offset > size - data_start || bytes > size - data_start - offset)
    return corrupt("tensor '" + tensor.name + "' ends beyond the end of the file, at byte " + std::to_string(size) +
                   "; the file may have been cut short, so fetch it again");
  tensor.data = image.bytes().subspan(data_start + offset, bytes);
  return {};
}

// --- metadata -----------------------------------------------------------------------------------------------------

metadata_entry const* gguf_part::find(std::string_view key) const {
  return find_by_name(entries, entry_order_, key_of, key);
}

metadata_entry const* gguf_part::find_scalar(std::string_view key) const {
  auto const* entry = find(key);
  return entry && !entry->is_array ? entry : nullptr;
}

metadata_entry const* gguf_part::find_array(std::string_view key) const {
  auto const* entry = find(key);
  return entry && entry->is_array ? entry : nullptr;
}

std::optional<number> gguf_part::find_number(std::string_view key) const {
  auto const* entry = find_scalar(key);
  if (!entry || entry->element == value_type::string || entry->element == value_type::boolean) return std::nullopt;
  byte_cursor in(image.bytes(), entry->at);
  return take_number(in, entry->element);
}

std::span<std::uint8_t const> gguf_part::raw(metadata_entry const& entry) const {
  auto const* key = reinterpret_cast<std::uint8_t const*>(entry.key.data());
  auto const begin = static_cast<std::uint64_t>(key - image.bytes().data()) - sizeof(std::uint64_t);  // its length
  return image.bytes().subspan(begin, entry.end - begin);
}

}  // namespace wherry::inline v0::detail
