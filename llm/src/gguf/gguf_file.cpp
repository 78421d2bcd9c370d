#include <wherry/core/text.hpp>
#include <wherry/llm/gguf.hpp>

#include "gguf/byte_cursor.hpp"
#include "gguf/gguf_access.hpp"
#include "gguf/gguf_part.hpp"
#include "gguf/split_name.hpp"

#include <limits>
#include <sstream>

namespace wherry::inline v0 {

using namespace detail;

namespace {

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

using part_pointer = std::unique_ptr<gguf_part>;

result<part_pointer> read_part(std::filesystem::path const& path) {
  auto image = file_image::map(path);
  if (!image) return image.error();
  auto part = std::make_unique<gguf_part>(std::move(*image), path.string());
  if (auto parsed = part->parse(); !parsed) return parsed.error();
  return part;
}

// Which part of a split model a file says it is; {0, 1} for a whole one.
struct place_in_set {
  std::uint64_t index = 0, count = 1;
};

place_in_set place_of(gguf_part const& part) {
  auto const number_at = [&](char const* key, std::uint64_t absent) {
    auto const value = part.find_number(key);
    auto const integer = value ? as_int(*value) : std::nullopt;
    return integer && *integer >= 0 ? static_cast<std::uint64_t>(*integer) : absent;
  };
  return {number_at("split.no", 0), number_at("split.count", 1)};
}

error broken_set(gguf_part const& part, std::string what) {
  return {errc::corrupt_file, "cannot read the split model: " + std::move(what), "gguf.open", part.name};
}

}  // namespace

struct gguf_file::impl {
  gguf_part const& first() const { return *parts.front(); }
  result<void> add_other_parts(std::filesystem::path const& path);
  result<void> join();

  std::vector<part_pointer> parts;  // the metadata is that of the first one
  std::vector<tensor_info> tensors;
  std::vector<std::uint32_t> tensor_order;
};

// --- split models -------------------------------------------------------------------------------------------------

result<void> gguf_file::impl::add_other_parts(std::filesystem::path const& path) {
  auto const place = place_of(first());
  if (place.count <= 1) return {};
  if (place.count > split_parts_max)
    return broken_set(first(), "it has " + std::to_string(place.count) + " parts; " + std::to_string(split_parts_max) +
                                   " are supported");
  auto const named = read_split_name(path.filename().string());
  if (place.index != 0)
    return broken_set(first(), "this is part " + std::to_string(place.index + 1) + " of " +
                                   std::to_string(place.count) + "; open the first one" +
                                   (named ? ", " + split_name(named->stem, 1, named->count) : ""));
  if (!named || named->number != 1 || named->count != place.count)
    return broken_set(first(), "this is the first of " + std::to_string(place.count) +
                                   " parts, and the others are found only when it is called " +
                                   split_name("NAME", 1, place.count));
  for (std::uint64_t i = 1; i < place.count; ++i) {
    auto const other = path.parent_path() / split_name(named->stem, i + 1, place.count);
    auto part = read_part(other);
    std::string const which = "part " + std::to_string(i + 1) + " of " + std::to_string(place.count);
    if (!part && part.error().is(errc::not_found))
      return error(errc::not_found, "cannot read the split model: " + which + " is missing: " + other.string(),
                   "gguf.open", first().name);
    if (!part) return part.error();
    if (auto const found = place_of(**part); found.index != i || found.count != place.count)
      return broken_set(**part, "by its name it is " + which + ", but it says that it is part " +
                                    std::to_string(found.index + 1) + " of " + std::to_string(found.count));
    parts.push_back(std::move(*part));
  }
  return {};
}

// One list of tensors from all parts.
result<void> gguf_file::impl::join() {
  for (auto const& part : parts) {
    if (part->tensors.size() > tensors_max - tensors.size())
      return broken_set(first(), "its parts hold more than the " + std::to_string(tensors_max) + " tensors accepted");
    std::move(part->tensors.begin(), part->tensors.end(), std::back_inserter(tensors));
    part->tensors.clear();
  }
  tensor_order = index_by_name(tensors, name_of_tensor);
  if (auto const* twin = find_twin(tensors, tensor_order))
    return broken_set(first(), "the tensor '" + twin->name + "' stands in two parts");
  auto const declared = first().find_number("split.tensors.count");
  if (parts.size() > 1 && declared && as_int(*declared) != static_cast<std::int64_t>(tensors.size()))
    return broken_set(first(), "its parts hold " + std::to_string(tensors.size()) + " tensors together, but it says " +
                                   std::to_string(as_int(*declared).value_or(0)));
  return {};
}

// --- the public face ----------------------------------------------------------------------------------------------

std::uint64_t tensor_info::element_count() const noexcept {
  return std::accumulate(shape.begin(), shape.end(), std::uint64_t{1}, std::multiplies<>());
}

result<gguf_file> gguf_file::open(std::filesystem::path const& path) {
  auto file = std::make_shared<impl>();
  auto first = read_part(path);
  if (!first) return first.error();
  file->parts.push_back(std::move(*first));
  if (auto rest = file->add_other_parts(path); !rest) return rest.error();
  if (auto joined = file->join(); !joined) return joined.error();
  return gguf_file(std::move(file));
}

result<gguf_file> gguf_file::from_bytes(std::vector<std::uint8_t> bytes, std::string name) {
  auto file = std::make_shared<impl>();
  auto part = std::make_unique<gguf_part>(file_image(std::move(bytes)), std::move(name));
  if (auto parsed = part->parse(); !parsed) return parsed.error();
  if (auto const place = place_of(*part); place.count > 1)
    return broken_set(*part, "it is one of " + std::to_string(place.count) + " parts, and only a file has the others");
  file->parts.push_back(std::move(part));
  if (auto joined = file->join(); !joined) return joined.error();
  return gguf_file(std::move(file));
}

std::string const& gguf_file::name() const noexcept { return impl_->first().name; }
std::uint32_t gguf_file::version() const noexcept { return impl_->first().version; }
std::span<tensor_info const> gguf_file::tensors() const noexcept { return impl_->tensors; }

std::uint64_t gguf_file::size_bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (auto const& part : impl_->parts) bytes += part->image.bytes().size();
  return bytes;
}

tensor_info const* gguf_file::find_tensor(std::string_view name) const noexcept {
  return find_by_name(impl_->tensors, impl_->tensor_order, name_of_tensor, name);
}

std::optional<std::uint64_t> gguf_file::find_uint(std::string_view key) const {
  auto const value = impl_->first().find_number(key);
  if (!value) return std::nullopt;
  if (auto const* u = std::get_if<std::uint64_t>(&*value)) return *u;
  auto const* i = std::get_if<std::int64_t>(&*value);
  return i && *i >= 0 ? std::optional<std::uint64_t>(*i) : std::nullopt;
}

std::optional<std::int64_t> gguf_file::find_int(std::string_view key) const {
  auto const value = impl_->first().find_number(key);
  return value ? as_int(*value) : std::nullopt;
}

std::optional<double> gguf_file::find_float(std::string_view key) const {
  auto const value = impl_->first().find_number(key);
  return value ? std::optional(as_double(*value)) : std::nullopt;
}

std::optional<bool> gguf_file::find_bool(std::string_view key) const {
  auto const* entry = impl_->first().find_scalar(key);
  if (!entry || entry->element != value_type::boolean) return std::nullopt;
  return byte_cursor(impl_->first().image.bytes(), entry->at).take<std::uint8_t>("a boolean") != 0;
}

std::optional<std::string_view> gguf_file::find_string(std::string_view key) const {
  auto const* entry = impl_->first().find_scalar(key);
  if (!entry || entry->element != value_type::string) return std::nullopt;
  return byte_cursor(impl_->first().image.bytes(), entry->at).take_string(string_bytes_max, "a string");
}

std::optional<std::vector<std::string_view>> gguf_file::find_strings(std::string_view key) const {
  auto const* entry = impl_->first().find_array(key);
  if (!entry || entry->element != value_type::string) return std::nullopt;
  std::vector<std::string_view> values(entry->count);
  byte_cursor in(impl_->first().image.bytes(), entry->at);
  for (auto& value : values) value = in.take_string(string_bytes_max, "a string");
  return values;
}

std::optional<std::vector<float>> gguf_file::find_floats(std::string_view key) const {
  auto const* entry = impl_->first().find_array(key);
  if (!entry || (entry->element != value_type::f32 && entry->element != value_type::f64)) return std::nullopt;
  std::vector<float> values(entry->count);
  byte_cursor in(impl_->first().image.bytes(), entry->at);
  for (auto& value : values) value = static_cast<float>(as_double(take_number(in, entry->element)));
  return values;
}

std::optional<std::vector<std::int64_t>> gguf_file::find_ints(std::string_view key) const {
  auto const* entry = impl_->first().find_array(key);
  if (!entry || entry->element == value_type::string) return std::nullopt;
  std::vector<std::int64_t> values;
  values.reserve(entry->count);
  byte_cursor in(impl_->first().image.bytes(), entry->at);
  for (std::uint64_t i = 0; i < entry->count; ++i) {
    auto const value = as_int(take_number(in, entry->element));
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

std::vector<std::string_view> gguf_file::keys() const {
  std::vector<std::string_view> keys;
  keys.reserve(impl_->first().entries.size());
  for (auto const& entry : impl_->first().entries) keys.push_back(entry.key);
  return keys;
}

std::string gguf_file::describe(std::string_view key, std::size_t chars_max) const {
  auto const* entry = impl_->first().find(key);
  if (!entry) return "absent";
  if (entry->is_array) return "[" + std::to_string(entry->count) + " of " + name_of(entry->element) + "]";
  if (entry->element == value_type::boolean) return *find_bool(key) ? "true" : "false";
  std::ostringstream out;
  if (entry->element != value_type::string) {
    std::visit([&](auto value) { out << value; }, *impl_->first().find_number(key));
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

std::span<std::uint8_t const> gguf_access::raw_entry(gguf_file const& file, std::string_view key) {
  auto const& part = file.impl_->first();
  auto const* entry = part.find(key);
  return entry ? part.raw(*entry) : std::span<std::uint8_t const>{};
}

}  // namespace wherry::inline v0
