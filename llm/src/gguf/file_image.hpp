#pragma once
// The bytes of a model file: mapped from disk, or held in memory.

#include <wherry/core/result.hpp>

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace wherry::inline v0::detail {

class file_image {
 public:
  // Maps a file read-only; the file may be deleted afterwards, but must not be cut short.
  static result<file_image> map(std::filesystem::path const& path);
  explicit file_image(std::vector<std::uint8_t> bytes) noexcept : owned_(std::move(bytes)), bytes_(owned_) {}

  file_image(file_image&& other) noexcept;
  file_image& operator=(file_image&& other) = delete;
  ~file_image();

  std::span<std::uint8_t const> bytes() const noexcept { return bytes_; }

  // Lets the system take back the pages of bytes that were read and will hardly be read again. They must be part of a
  // mapping; reading them again reads the file again.
  static void forget(std::span<std::uint8_t const> mapped) noexcept;

 private:
  file_image(void* mapping, std::size_t size) noexcept
      : mapping_(mapping), bytes_(static_cast<std::uint8_t const*>(mapping), size) {}

  void* mapping_ = nullptr;
  std::vector<std::uint8_t> owned_;
  std::span<std::uint8_t const> bytes_;
};

}  // namespace wherry::inline v0::detail
