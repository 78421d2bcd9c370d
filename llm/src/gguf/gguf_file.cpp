#include <wherry/core/text.hpp>
#include <wherry/llm/gguf.hpp>

#include "gguf/byte_cursor.hpp"
#include "gguf/file_image.hpp"
#include "gguf/format.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <sstream>
#include <variant>

namespace wherry::inline v0 {

using namespace detail;

namespace {

// A metadata value stays where it is in the image; this remembers where. A scalar counts as one element.
struct metadata_entry {
  std::string_view key;
  bool is_array = false;
  value_type element = value_type::u8;
  std::uint64_t count = 1;
  std::uint64_t at = 0;  // first byte of the value, behind type and count
};

using number = std::variant<std::uint64_t, std::int64_t, double>;

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

std::string_view key_of(metadata_entry const& entry) { return entry.key; }
std::string_view name_of_tensor(tensor_info const& tensor) { return tensor.name; }

}  // namespace

struct gguf_file::impl {
  impl(file_image file, std::string file_name) : image(std::move(file)), name(std::move(file_name)) {}

  result<void> parse();
  void read_metadata(byte_cursor& in, std::uint64_t count);
  void read_tensor_list(byte_cursor& in, std::uint64_t count);
  result<void> place_tensors(std::uint64_t list_end);
  result<void> place(tensor_info& tensor, std::uint64_t offset, std::uint64_t data_start) const;
  result<void> refuse_duplicates() const;
  error corrupt(std::string what) const {
    return {errc::corrupt_file, "cannot read the model file: " + what, "gguf.open", name};
  }
  error unsupported(std::string what) const {
    return {errc::unsupported, "cannot read the model file: " + what, "gguf.open", name};
  }

  metadata_entry const* find(std::string_view key) const { return find_by_name(entries, entry_order, key_of, key); }
  metadata_entry const* find_scalar(std::string_view key) const;
  metadata_entry const* find_array(std::string_view key) const;
  std::optional<number> find_number(std::string_view key) const;

  file_image image;
  std::string name;
  std::uint32_t version = 0;
  std::vector<metadata_entry> entries;
  std::vector<std::uint32_t> entry_order;
  std::vector<tensor_info> tensors;
  std::vector<std::uint64_t> tensor_offsets;
  std::vector<std::uint32_t> tensor_order;
};

namespace {

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

// The next scalar as the widest type of its sort; a boolean counts as 0 or 1.
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

std::optional<std::int64_t> as_int(number const& value) {
  if (auto const* i = std::get_if<std::int64_t>(&value)) return *i;
  auto const* u = std::get_if<std::uint64_t>(&value);
  if (u && *u <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return static_cast<std::int64_t>(*u);
  return std::nullopt;
}

double as_double(number const& value) {
  return std::visit([](auto v) { return static_cast<double>(v); }, value);
}

}  // namespace

// --- reading the header -------------------------------------------------------------------------------------------

result<void> gguf_file::impl::parse() {
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

  entry_order = index_by_name(entries, key_of);
  tensor_order = index_by_name(tensors, name_of_tensor);
  if (auto unique = refuse_duplicates(); !unique) return unique;
  return place_tensors(in.at());
}

void gguf_file::impl::read_metadata(byte_cursor& in, std::uint64_t count) {
  entries.reserve(count);
  for (std::uint64_t i = 0; i < count && !in.failed(); ++i) entries.push_back(read_entry(in));
}

void gguf_file::impl::read_tensor_list(byte_cursor& in, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
    tensor_info tensor;
    tensor.name = in.take_string(tensor_name_bytes_max, "the length of a tensor name");
    auto const dimensions = in.take<std::uint32_t>("the number of dimensions");
    if (dimensions == 0 || dimensions > dimensions_max)
      in.fail("tensor '" + tensor.name + "' has " + std::to_string(dimensions) + " dimensions; 1 to 4 are possible");
    for (std::uint32_t d = 0; d < dimensions && !in.failed(); ++d)
      tensor.shape.push_back(in.take<std::uint64_t>("a tensor's shape"));
    tensor.type = in.take<tensor_type>("a tensor's type");
    tensor_offsets.push_back(in.take<std::uint64_t>("a tensor's offset"));
    tensors.push_back(std::move(tensor));
  }
}

result<void> gguf_file::impl::refuse_duplicates() const {
  auto const same_key = [&](auto a, auto b) { return entries[a].key == entries[b].key; };
  auto const same_name = [&](auto a, auto b) { return tensors[a].name == tensors[b].name; };
  if (auto const key = std::adjacent_find(entry_order.begin(), entry_order.end(), same_key); key != entry_order.end())
    return corrupt("the metadata key '" + std::string(entries[*key].key) + "' stands in it twice");
  if (auto const twin = std::adjacent_find(tensor_order.begin(), tensor_order.end(), same_name);
      twin != tensor_order.end())
    return corrupt("the tensor '" + tensors[*twin].name + "' stands in it twice");
  return {};
}

result<void> gguf_file::impl::place_tensors(std::uint64_t list_end) {
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
    if (tensor_offsets[i] % alignment != 0)
      return corrupt("the data of tensor '" + tensors[i].name + "' is not aligned to " + std::to_string(alignment) +
                     " bytes");
    if (auto placed = place(tensors[i], tensor_offsets[i], data_start); !placed) return placed;
  }
  tensor_offsets = {};
  return {};
}

result<void> gguf_file::impl::place(tensor_info& tensor, std::uint64_t offset, std::uint64_t data_start) const {
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

// --- the public face ----------------------------------------------------------------------------------------------

std::uint64_t tensor_info::element_count() const noexcept {
  return std::accumulate(shape.begin(), shape.end(), std::uint64_t{1}, std::multiplies<>());
}

result<gguf_file> gguf_file::open(std::filesystem::path const& path) {
  auto image = file_image::map(path);
  if (!image) return image.error();
  auto file = std::make_shared<impl>(std::move(*image), path.string());
  if (auto parsed = file->parse(); !parsed) return parsed.error();
  return gguf_file(std::move(file));
}

result<gguf_file> gguf_file::from_bytes(std::vector<std::uint8_t> bytes, std::string name) {
  auto file = std::make_shared<impl>(file_image(std::move(bytes)), std::move(name));
  if (auto parsed = file->parse(); !parsed) return parsed.error();
  return gguf_file(std::move(file));
}

std::string const& gguf_file::name() const noexcept { return impl_->name; }
std::uint32_t gguf_file::version() const noexcept { return impl_->version; }
std::uint64_t gguf_file::size_bytes() const noexcept { return impl_->image.bytes().size(); }
std::span<tensor_info const> gguf_file::tensors() const noexcept { return impl_->tensors; }

tensor_info const* gguf_file::find_tensor(std::string_view name) const noexcept {
  return find_by_name(impl_->tensors, impl_->tensor_order, name_of_tensor, name);
}

metadata_entry const* gguf_file::impl::find_scalar(std::string_view key) const {
  auto const* entry = find(key);
  return entry && !entry->is_array ? entry : nullptr;
}

metadata_entry const* gguf_file::impl::find_array(std::string_view key) const {
  auto const* entry = find(key);
  return entry && entry->is_array ? entry : nullptr;
}

std::optional<number> gguf_file::impl::find_number(std::string_view key) const {
  auto const* entry = find_scalar(key);
  if (!entry || entry->element == value_type::string || entry->element == value_type::boolean) return std::nullopt;
  byte_cursor in(image.bytes(), entry->at);
  return take_number(in, entry->element);
}

std::optional<std::uint64_t> gguf_file::find_uint(std::string_view key) const {
  auto const value = impl_->find_number(key);
  if (!value) return std::nullopt;
  if (auto const* u = std::get_if<std::uint64_t>(&*value)) return *u;
  auto const* i = std::get_if<std::int64_t>(&*value);
  return i && *i >= 0 ? std::optional<std::uint64_t>(*i) : std::nullopt;
}

std::optional<std::int64_t> gguf_file::find_int(std::string_view key) const {
  auto const value = impl_->find_number(key);
  return value ? as_int(*value) : std::nullopt;
}

std::optional<double> gguf_file::find_float(std::string_view key) const {
  auto const value = impl_->find_number(key);
  return value ? std::optional(as_double(*value)) : std::nullopt;
}

std::optional<bool> gguf_file::find_bool(std::string_view key) const {
  auto const* entry = impl_->find_scalar(key);
  if (!entry || entry->element != value_type::boolean) return std::nullopt;
  return byte_cursor(impl_->image.bytes(), entry->at).take<std::uint8_t>("a boolean") != 0;
}

std::optional<std::string_view> gguf_file::find_string(std::string_view key) const {
  auto const* entry = impl_->find_scalar(key);
  if (!entry || entry->element != value_type::string) return std::nullopt;
  return byte_cursor(impl_->image.bytes(), entry->at).take_string(string_bytes_max, "a string");
}

std::optional<std::vector<std::string_view>> gguf_file::find_strings(std::string_view key) const {
  auto const* entry = impl_->find_array(key);
  if (!entry || entry->element != value_type::string) return std::nullopt;
  std::vector<std::string_view> values(entry->count);
  byte_cursor in(impl_->image.bytes(), entry->at);
  for (auto& value : values) value = in.take_string(string_bytes_max, "a string");
  return values;
}

std::optional<std::vector<float>> gguf_file::find_floats(std::string_view key) const {
  auto const* entry = impl_->find_array(key);
  if (!entry || (entry->element != value_type::f32 && entry->element != value_type::f64)) return std::nullopt;
  std::vector<float> values(entry->count);
  byte_cursor in(impl_->image.bytes(), entry->at);
  for (auto& value : values) value = static_cast<float>(as_double(take_number(in, entry->element)));
  return values;
}

std::optional<std::vector<std::int64_t>> gguf_file::find_ints(std::string_view key) const {
  auto const* entry = impl_->find_array(key);
  if (!entry || entry->element == value_type::string) return std::nullopt;
  std::vector<std::int64_t> values;
  values.reserve(entry->count);
  byte_cursor in(impl_->image.bytes(), entry->at);
  for (std::uint64_t i = 0; i < entry->count; ++i) {
    auto const value = as_int(take_number(in, entry->element));
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

std::vector<std::string_view> gguf_file::keys() const {
  std::vector<std::string_view> keys;
  keys.reserve(impl_->entries.size());
  for (auto const& entry : impl_->entries) keys.push_back(entry.key);
  return keys;
}

std::string gguf_file::describe(std::string_view key, std::size_t chars_max) const {
  auto const* entry = impl_->find(key);
  if (!entry) return "absent";
  if (entry->is_array) return "[" + std::to_string(entry->count) + " of " + name_of(entry->element) + "]";
  if (entry->element == value_type::boolean) return *find_bool(key) ? "true" : "false";
  std::ostringstream out;
  if (entry->element != value_type::string) {
    std::visit([&](auto value) { out << value; }, *impl_->find_number(key));
    return out.str();
  }
  auto const text = *find_string(key);
  auto shown = text.substr(0, chars_max);
  shown = shown.substr(0, utf8_complete_prefix(shown));
  out << '"';
  for (char c : utf8_repaired(shown)) {
    if (c == '\n')
      out << "\\n";
    else if (c == '"' || c == '\\')
      out << '\\' << c;
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      out << '?';
    else
      out << c;
  }
  out << (shown.size() < text.size() ? "\"..." : "\"");
  return out.str();
}

}  // namespace wherry::inline v0
