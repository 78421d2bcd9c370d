#pragma once
// A file that is written beside its place and takes it when all of it is on the disk.

#include <wherry/core/result.hpp>

#include <cstdint>
#include <filesystem>
#include <span>

namespace wherry::inline v0::detail {

class aside_file {
 public:
  // Creates path + ".part"; what was there before is lost. Fails with: errc::io_failed, errc::disk_full.
  static result<aside_file> create(std::filesystem::path path);

  aside_file(aside_file&& other) noexcept;
  aside_file& operator=(aside_file&& other) = delete;
  // Removes the part when commit() has not been called, or failed.
  ~aside_file();

  result<void> write(std::span<std::uint8_t const> bytes);
  // Brings the bytes to the disk and renames.
  result<void> commit();

 private:
  aside_file(std::filesystem::path path, std::filesystem::path aside, int descriptor) noexcept;

  std::filesystem::path path_, aside_;
  int descriptor_ = -1;
};

}  // namespace wherry::inline v0::detail
