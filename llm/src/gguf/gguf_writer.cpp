#include <wherry/llm/gguf.hpp>

#include "gguf/format.hpp"

#include <cassert>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace wherry::inline v0 {

using namespace detail;

namespace {

using byte_vector = std::vector<std::uint8_t>;

void put_bytes(byte_vector& out, void const* bytes, std::size_t size) {
  auto const* const first = static_cast<std::uint8_t const*>(bytes);
  out.insert(out.end(), first, first + size);
}

template <class T>
  requires std::is_trivially_copyable_v<T>
void put(byte_vector& out, T const& value) {
  put_bytes(out, &value, sizeof(T));
}

void put_text(byte_vector& out, std::string_view text) {
  put(out, static_cast<std::uint64_t>(text.size()));
  put_bytes(out, text.data(), text.size());
}

void put_array_head(byte_vector& out, std::string_view key, value_type element, std::size_t count) {
  put_text(out, key);
  put(out, value_type::array);
  put(out, element);
  put(out, static_cast<std::uint64_t>(count));
}

template <class T>
void put_scalar(byte_vector& out, std::string_view key, value_type type, T const& value) {
  put_text(out, key);
  put(out, type);
  put(out, value);
}

// Bytes of a tensor's data. The caller vouches for type and shape.
std::uint64_t data_bytes(tensor_type type, std::vector<std::uint64_t> const& shape) {
  auto const layout = layout_of(type);
  assert(layout.elements != 0 && !shape.empty() && shape.size() <= dimensions_max);
  assert(shape[0] % layout.elements == 0);
  std::uint64_t bytes = shape[0] / layout.elements * layout.bytes;
  for (std::size_t d = 1; d < shape.size(); ++d) bytes *= shape[d];
  return bytes;
}

error refused(char const* step, std::filesystem::path const& path) {
  int const reason = errno;
  return {reason == ENOSPC || reason == EDQUOT ? errc::disk_full : errc::io_failed,
          std::string("cannot ") + step + " the model file: " + std::strerror(reason), "gguf.write", path.string()};
}

// Writes all of it and brings it to the disk.
bool write_synced(int descriptor, std::span<std::uint8_t const> bytes) {
  while (!bytes.empty()) {
    auto const written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return ::fsync(descriptor) == 0;
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
  assert(data.size() == data_bytes(type, shape));
  tensors_.push_back({std::move(name), type, std::move(shape), {data.begin(), data.end()}});
}

std::vector<std::uint8_t> gguf_writer::bytes() const {
  byte_vector out;
  put_bytes(out, gguf_magic.data(), gguf_magic.size());
  put(out, gguf_version_max);
  put(out, static_cast<std::uint64_t>(tensors_.size()));
  put(out, metadata_count_);
  put_bytes(out, metadata_.data(), metadata_.size());
  std::uint64_t offset = 0;
  for (auto const& tensor : tensors_) {
    put_text(out, tensor.name);
    put(out, static_cast<std::uint32_t>(tensor.shape.size()));
    for (auto const extent : tensor.shape) put(out, extent);
    put(out, tensor.type);
    put(out, offset);
    offset += align_up(tensor.data.size(), gguf_alignment_default);
  }
  for (auto const& tensor : tensors_) {
    out.resize(align_up(out.size(), gguf_alignment_default));
    put_bytes(out, tensor.data.data(), tensor.data.size());
  }
  return out;
}

result<void> gguf_writer::write(std::filesystem::path const& path) const {
  auto aside = path;
  aside += ".part";
  int const descriptor = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) return refused("create", aside);
  bool const written = write_synced(descriptor, bytes());
  auto const write_error = refused("write", aside);
  ::close(descriptor);
  if (!written || ::rename(aside.c_str(), path.c_str()) != 0) {
    auto const why = written ? refused("rename", path) : write_error;
    ::unlink(aside.c_str());
    return why;
  }
  return {};
}

}  // namespace wherry::inline v0
