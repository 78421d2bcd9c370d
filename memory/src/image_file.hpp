#pragma once
// The file of an image: bytes with a checksum before every mebibyte, there whole or not at all. It is read in one pass:
// each block goes where the reader wants it and is checked there, and the checksum of the whole follows from those of
// the blocks.

#include <wherry/core/detail/owned_fd.hpp>
#include <wherry/core/result.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace wherry::inline v0::memory_detail {

/// Where the bytes of an image come from, in their order. One thread at a time.
class image_source {
 public:
  virtual ~image_source() = default;
  /// Fills `into` with the next bytes. False: there are fewer, or they are damaged; what is in `into` is worthless then
  /// and every later read fails too.
  virtual bool read(std::span<char> into) = 0;
  /// How many bytes were not read yet.
  virtual std::uint64_t left() const = 0;
};

/// An image that is in memory. Lifetime: the bytes must outlive it.
class image_bytes final : public image_source {
 public:
  explicit image_bytes(std::string_view bytes) : rest_(bytes) {}
  bool read(std::span<char> into) override;
  std::uint64_t left() const override { return rest_.size(); }

 private:
  std::string_view rest_;
};

/// An image that is in a file.
class image_file final : public image_source {
 public:
  /// Absent, or not as long as it says: nullopt.
  static std::optional<image_file> open(std::filesystem::path const& path);

  bool read(std::span<char> into) override;
  std::uint64_t left() const override { return left_; }
  /// The checksum of the whole file, once all of it was read and no block was damaged; else nullopt.
  std::optional<std::uint32_t> checksum() const;

 private:
  image_file(detail::owned_fd file, std::uint64_t bytes, std::uint32_t head_checksum)
      : file_(std::move(file)), left_(bytes), on_disk_(bytes), checksum_(head_checksum) {}
  bool next_block(std::span<char> into);

  detail::owned_fd file_;
  std::uint64_t left_;      ///< Not handed out yet.
  std::uint64_t on_disk_;   ///< Of these, not read from the file yet.
  std::string block_ = {};  ///< A block that was asked for in parts,
  std::size_t taken_ = 0;   ///< and how much of it was handed out.
  std::uint32_t checksum_;  ///< Of the file up to here.
  bool damaged_ = false;
};

/// Writes bytes as a file that is there whole or not at all: aside, checksummed, synced, read back, renamed. Returns:
/// the checksum of all of it.
result<std::uint32_t> write_image_file(std::filesystem::path const& path, std::string_view bytes);
/// All of an image. Absent, damaged or not the one with that checksum: nullopt.
std::optional<std::string> read_image_file(std::filesystem::path const& path, std::uint32_t checksum);

}  // namespace wherry::inline v0::memory_detail
