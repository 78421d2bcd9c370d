#pragma once
// Safetensors: tensors by name behind a JSON header, memory-mapped. This is how adapters are published (PEFT).
// The format: https://github.com/huggingface/safetensors, "Format". Everything in the header is checked before it is
// used; a broken file is an error, never a crash.

#include <wherry/core/result.hpp>
#include <wherry/llm/gguf.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0::detail {

// A tensor in the file. Unlike in GGUF, shape[0] is the slowest dimension: a matrix of `rows` rows and `columns`
// columns has shape {rows, columns}. The numbers lie row after row, little-endian, at any address (no alignment is
// promised).
struct safetensor {
  std::string name;
  tensor_type type = tensor_type::f32;  // F32, F16 or BF16
  std::vector<std::uint64_t> shape;     // empty: a single number
  std::span<std::uint8_t const> data;   // lives as long as the safetensors_file and its copies

  std::uint64_t element_count() const noexcept { return data.size() / layout_of(type).bytes; }
};

// An open file. A cheap copyable handle: copies share the mapping. Thread-safe once open.
class safetensors_file {
 public:
  // Bounds; published adapters stay far below each of them.
  static constexpr std::uint64_t header_bytes_max = 1 << 25;
  static constexpr std::size_t tensors_max = 1 << 18;
  static constexpr std::size_t dimensions_max = 8;

  // Fails with: errc::not_found, errc::io_failed, errc::corrupt_file (the message says what is wrong with which
  // tensor), errc::unsupported (another type of numbers; the message names it and what is supported).
  static result<safetensors_file> open(std::filesystem::path const& path);
  static result<safetensors_file> from_bytes(std::vector<std::uint8_t> bytes, std::string name = "memory");

  std::string const& name() const noexcept;
  std::span<safetensor const> tensors() const noexcept;  // sorted by name
  safetensor const* find(std::string_view name) const noexcept;
  // Free text under "__metadata__".
  std::optional<std::string_view> find_metadata(std::string_view key) const noexcept;

 private:
  struct impl;
  explicit safetensors_file(std::shared_ptr<impl const> shared) : impl_(std::move(shared)) {}
  std::shared_ptr<impl const> impl_;
};

}  // namespace wherry::inline v0::detail
