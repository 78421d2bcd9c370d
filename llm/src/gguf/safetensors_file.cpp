#include "gguf/safetensors_file.hpp"

#include <wherry/core/json.hpp>

#include "gguf/file_image.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>

namespace wherry::inline v0::detail {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are read in place");

std::optional<tensor_type> type_named(std::string_view name) {
  if (name == "F32") return tensor_type::f32;
  if (name == "F16") return tensor_type::f16;
  if (name == "BF16") return tensor_type::bf16;
  return std::nullopt;
}

std::optional<std::uint64_t> as_uint(json const& value) {
  return value.is_number_unsigned() ? std::optional(value.get<std::uint64_t>()) : std::nullopt;
}

std::string shown(std::string_view text) { return "'" + std::string(text.substr(0, 120)) + "'"; }

}  // namespace

struct safetensors_file::impl {
  impl(file_image file, std::string file_name) : image(std::move(file)), name(std::move(file_name)) {}

  result<void> parse();
  result<void> add_metadata(json const& values);
  result<void> add_tensor(std::string const& tensor_name, json const& described);
  result<void> check_places() const;

  error refused(errc code, std::string what) const {
    return {code, "cannot read the safetensors file: " + std::move(what), "safetensors.open", name};
  }
  error corrupt(std::string what) const { return refused(errc::corrupt_file, std::move(what)); }

  file_image image;
  std::string name;
  std::span<std::uint8_t const> buffer;  // behind the header
  std::vector<safetensor> tensors;       // sorted by name
  std::map<std::string, std::string, std::less<>> metadata;
};

result<void> safetensors_file::impl::parse() {
  auto const bytes = image.bytes();
  std::uint64_t header = 0;
  if (bytes.size() < sizeof header) return corrupt("it is too short for the length of a header");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header > header_bytes_max)
    return corrupt("its header has " + std::to_string(header) + " bytes, more than the " +
                   std::to_string(header_bytes_max) + " accepted; it may be no safetensors file");
  if (header > bytes.size() - sizeof header)
    return corrupt("its header has " + std::to_string(header) + " bytes, but only " +
                   std::to_string(bytes.size() - sizeof header) + " follow");
  buffer = bytes.subspan(sizeof header + header);

  auto const text = std::string_view(reinterpret_cast<char const*>(bytes.data()) + sizeof header, header);
  auto const parsed = parse_json(text);
  if (!parsed) return corrupt("its header is no JSON: " + parsed.error().message);
  if (!parsed->is_object()) return corrupt("its header is no JSON object");
  if (parsed->size() > tensors_max)
    return corrupt("it has " + std::to_string(parsed->size()) + " tensors, more than the " +
                   std::to_string(tensors_max) + " accepted");
  for (auto const& [key, value] : parsed->items())
    if (auto added = key == "__metadata__" ? add_metadata(value) : add_tensor(key, value); !added) return added;
  std::sort(tensors.begin(), tensors.end(), [](auto const& a, auto const& b) { return a.name < b.name; });
  return check_places();
}

result<void> safetensors_file::impl::add_metadata(json const& values) {
  if (!values.is_object()) return corrupt("'__metadata__' is no object");
  for (auto const& [key, value] : values.items()) {
    if (!value.is_string()) return corrupt("the metadata " + shown(key) + " is no text");
    metadata.emplace(key, value.get<std::string>());
  }
  return {};
}

result<void> safetensors_file::impl::add_tensor(std::string const& tensor_name, json const& described) {
  auto const tensor_text = "tensor " + shown(tensor_name);
  auto const member = [&](char const* key) -> json const* {
    auto const found = described.is_object() ? described.find(key) : described.end();
    return described.is_object() && found != described.end() ? &*found : nullptr;
  };
  auto const *dtype = member("dtype"), *shape = member("shape"), *offsets = member("data_offsets");
  if (!dtype || !dtype->is_string() || !shape || !shape->is_array() || !offsets || !offsets->is_array() ||
      offsets->size() != 2)
    return corrupt(tensor_text + " lacks dtype, shape or data_offsets");
  auto const type = type_named(dtype->get_ref<std::string const&>());
  if (!type)
    return refused(errc::unsupported, tensor_text + " has " + shown(dtype->get_ref<std::string const&>()) +
                                          "; supported are F32, F16, BF16");
  if (shape->size() > dimensions_max)
    return corrupt(tensor_text + " has " + std::to_string(shape->size()) + " dimensions; at most " +
                   std::to_string(dimensions_max) + " are accepted");

  safetensor tensor{tensor_name, *type, {}, {}};
  std::uint64_t bytes = layout_of(*type).bytes;
  for (auto const& extent : *shape) {
    auto const value = as_uint(extent);
    if (!value || __builtin_mul_overflow(bytes, *value, &bytes))
      return corrupt("the shape of " + tensor_text + " is too large or holds something other than whole numbers");
    tensor.shape.push_back(*value);
  }
  auto const begin = as_uint((*offsets)[0]), end = as_uint((*offsets)[1]);
  if (!begin || !end || *begin > *end || *end > buffer.size())
    return corrupt("the data of " + tensor_text + " is not within the file's " + std::to_string(buffer.size()) +
                   " bytes of data; the file may have been cut short, so fetch it again");
  if (*end - *begin != bytes)
    return corrupt(tensor_text + " has " + std::to_string(*end - *begin) + " bytes where its shape asks for " +
                   std::to_string(bytes));
  tensor.data = buffer.subspan(*begin, bytes);
  tensors.push_back(std::move(tensor));
  return {};
}

// The format lets tensors neither overlap nor leave holes.
result<void> safetensors_file::impl::check_places() const {
  std::vector<safetensor const*> in_order;
  for (auto const& tensor : tensors) in_order.push_back(&tensor);
  std::sort(in_order.begin(), in_order.end(), [](auto const* a, auto const* b) {
    return std::pair(a->data.data(), a->data.size()) < std::pair(b->data.data(), b->data.size());
  });
  auto const* next = buffer.data();
  for (auto const* tensor : in_order) {
    if (tensor->data.data() != next)
      return corrupt("the data of tensor " + shown(tensor->name) + " overlaps another's or leaves a hole");
    next += tensor->data.size();
  }
  if (next != buffer.data() + buffer.size()) return corrupt("it holds data that belongs to no tensor");
  return {};
}

result<safetensors_file> safetensors_file::open(std::filesystem::path const& path) {
  auto image = file_image::map(path);
  if (!image) return image.error();
  auto file = std::make_shared<impl>(std::move(*image), path.string());
  if (auto parsed = file->parse(); !parsed) return parsed.error();
  return safetensors_file(std::move(file));
}

result<safetensors_file> safetensors_file::from_bytes(std::vector<std::uint8_t> bytes, std::string name) {
  auto file = std::make_shared<impl>(file_image(std::move(bytes)), std::move(name));
  if (auto parsed = file->parse(); !parsed) return parsed.error();
  return safetensors_file(std::move(file));
}

std::string const& safetensors_file::name() const noexcept { return impl_->name; }
std::span<safetensor const> safetensors_file::tensors() const noexcept { return impl_->tensors; }

safetensor const* safetensors_file::find(std::string_view name) const noexcept {
  auto const& all = impl_->tensors;
  auto const found = std::lower_bound(all.begin(), all.end(), name,
                                      [](safetensor const& t, std::string_view wanted) { return t.name < wanted; });
  return found != all.end() && found->name == name ? &*found : nullptr;
}

std::optional<std::string_view> safetensors_file::find_metadata(std::string_view key) const noexcept {
  auto const found = impl_->metadata.find(key);
  return found == impl_->metadata.end() ? std::nullopt : std::optional<std::string_view>(found->second);
}

}  // namespace wherry::inline v0::detail
