#include <wherry/llm/gguf.hpp>

#include "gguf/aside_file.hpp"
#include "gguf/gguf_header.hpp"

#include <cassert>

namespace wherry::inline v0 {

using namespace detail;

namespace {

void put_array_head(byte_vector& out, std::string_view key, value_type element, std::size_t count) {
  put_text(out, key);
  put(out, value_type::array);
  put(out, element);
  put(out, static_cast<std::uint64_t>(count));
}

}  // namespace

void gguf_writer::add(std::string key, std::uint32_t value) {
  put_scalar(metadata_, key, value_type::u32, value);
  ++metadata_count_;
}

void gguf_writer::add(std::string key, float value) {
  put_scalar(metadata_, key, value_type::f32, value);
  ++metadata_count_;
}

void gguf_writer::add(std::string key, bool value) {
  put_scalar(metadata_, key, value_type::boolean, static_cast<std::uint8_t>(value));
  ++metadata_count_;
}

void gguf_writer::add(std::string key, std::string value) {
  put_text(metadata_, key);
  put(metadata_, value_type::string);
  put_text(metadata_, value);
  ++metadata_count_;
}

void gguf_writer::add(std::string key, std::vector<std::string> const& values) {
  put_array_head(metadata_, key, value_type::string, values.size());
  for (auto const& value : values) put_text(metadata_, value);
  ++metadata_count_;
}

void gguf_writer::add(std::string key, std::vector<float> const& values) {
  put_array_head(metadata_, key, value_type::f32, values.size());
  put_bytes(metadata_, values.data(), values.size() * sizeof(float));
  ++metadata_count_;
}

void gguf_writer::add(std::string key, std::vector<std::int32_t> const& values) {
  put_array_head(metadata_, key, value_type::i32, values.size());
  put_bytes(metadata_, values.data(), values.size() * sizeof(std::int32_t));
  ++metadata_count_;
}

void gguf_writer::add_tensor(std::string name, tensor_type type, std::vector<std::uint64_t> shape,
                             std::span<std::uint8_t const> data) {
  assert(data.size() == data_bytes({name, type, shape}));
  tensors_.push_back({std::move(name), type, std::move(shape), {data.begin(), data.end()}});
}

std::vector<std::uint8_t> gguf_writer::bytes() const {
  std::vector<tensor_head> heads;
  for (auto const& tensor : tensors_) heads.push_back({tensor.name, tensor.type, tensor.shape});
  auto out = make_gguf_header(metadata_, metadata_count_, heads);
  for (auto const& tensor : tensors_) {
    out.resize(align_up(out.size(), gguf_alignment_default));
    put_bytes(out, tensor.data.data(), tensor.data.size());
  }
  return out;
}

result<void> gguf_writer::write(std::filesystem::path const& path) const {
  auto file = aside_file::create(path);
  if (!file) return file.error();
  if (auto written = file->write(bytes()); !written) return written;
  return file->commit();
}

}  // namespace wherry::inline v0
