#pragma once
// GGUF: weights and metadata on disk, memory-mapped. Versions 2 and 3, little-endian.
// Every length, count and offset is checked against the file before it is used; a broken file is an error, never a
// crash.

#include <wherry/core/result.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0 {

/// Element types of tensors, with GGUF's own numbers. A file may hold others; opening it then names the type.
enum class tensor_type : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  iq4_nl = 20,
  iq4_xs = 23,
  bf16 = 30,
  mxfp4 = 39
};

/// "F16", "Q8_0", ...; "IQ2_XXS (type 16)" for one that this build cannot read, "type 77" for an unknown number.
std::string to_string(tensor_type type);

/// Elements per block and bytes per block (F32: 1 and 4; Q8_0: 32 and 34). {0, 0} for a type this build cannot read.
struct block_layout {
  std::uint32_t elements = 0;
  std::uint32_t bytes = 0;
};
block_layout layout_of(tensor_type type) noexcept;

/// A tensor in the file. shape[0] is the fastest-running dimension (GGUF's "ne" order): a weight matrix of `rows` rows
/// and `columns` columns has shape {columns, rows}.
struct tensor_info {
  std::string name;
  tensor_type type = tensor_type::f32;
  std::vector<std::uint64_t> shape;
  std::span<std::uint8_t const> data;  ///< Points into the mapping; lives as long as the gguf_file and its copies.

  std::uint64_t element_count() const noexcept;
};

namespace detail {
struct gguf_access;
}

/// An open GGUF file. A cheap copyable handle: copies share the mapping. Thread-safe once open.
class gguf_file {
 public:
  /// Maps a file. A model split into files NAME-00001-of-0000N.gguf is opened by its first one: the tensors of all are
  /// one model, the metadata is that of the first. At most 4,096 parts.
  /// Fails with: errc::not_found (also a part that is missing; the message names it), errc::io_failed,
  /// errc::corrupt_file (the message says what and at which byte), errc::unsupported (another version, byte order or
  /// tensor type; the message names it and what is supported). Lifetime: the file must not be cut short while it is
  /// open.
  static result<gguf_file> open(std::filesystem::path const& path);
  /// Reads a file image held in memory (for models made by the program itself).
  static result<gguf_file> from_bytes(std::vector<std::uint8_t> bytes, std::string name = "memory");

  std::string const& name() const noexcept;
  std::uint32_t version() const noexcept;
  std::uint64_t size_bytes() const noexcept;  ///< Of all parts.

  /// Typed metadata. Absent, or another kind of value: nullopt. Any integer type in the file converts when it fits.
  std::optional<std::uint64_t> find_uint(std::string_view key) const;
  std::optional<std::int64_t> find_int(std::string_view key) const;
  std::optional<double> find_float(std::string_view key) const;  ///< Also from an integer value.
  std::optional<bool> find_bool(std::string_view key) const;
  std::optional<std::string_view> find_string(std::string_view key) const;
  /// Arrays. An empty vector is a present, empty array. Strings point into the mapping; find_ints reads booleans as
  /// 0, 1.
  std::optional<std::vector<std::string_view>> find_strings(std::string_view key) const;
  std::optional<std::vector<float>> find_floats(std::string_view key) const;
  std::optional<std::vector<std::int64_t>> find_ints(std::string_view key) const;

  /// All keys in file order.
  std::vector<std::string_view> keys() const;
  /// A value for people: strings quoted and cut at `chars_max`, arrays as "[N of type]".
  std::string describe(std::string_view key, std::size_t chars_max = 80) const;

  std::span<tensor_info const> tensors() const noexcept;
  tensor_info const* find_tensor(std::string_view name) const noexcept;

 private:
  friend struct detail::gguf_access;
  struct impl;
  explicit gguf_file(std::shared_ptr<impl const> shared) : impl_(std::move(shared)) {}
  std::shared_ptr<impl const> impl_;
};

/// Writes GGUF v3. Metadata and tensors stand in the file in the order they were added.
class gguf_writer {
 public:
  void add(std::string key, std::uint32_t value);
  void add(std::string key, float value);
  void add(std::string key, bool value);
  void add(std::string key, std::string value);
  void add(std::string key, char const* value) { add(std::move(key), std::string(value)); }
  void add(std::string key, std::vector<std::string> const& values);
  void add(std::string key, std::vector<float> const& values);
  void add(std::string key, std::vector<std::int32_t> const& values);
  /// `data` is copied; its size must fit shape and type.
  void add_tensor(std::string name, tensor_type type, std::vector<std::uint64_t> shape,
                  std::span<std::uint8_t const> data);

  /// The whole file image.
  std::vector<std::uint8_t> bytes() const;
  /// Writes aside (to path + ".part") and renames. Fails with: errc::io_failed, errc::disk_full.
  result<void> write(std::filesystem::path const& path) const;

 private:
  struct pending_tensor {
    std::string name;
    tensor_type type;
    std::vector<std::uint64_t> shape;
    std::vector<std::uint8_t> data;
  };
  std::vector<std::uint8_t> metadata_;
  std::uint64_t metadata_count_ = 0;
  std::vector<pending_tensor> tensors_;
};

}  // namespace wherry::inline v0
