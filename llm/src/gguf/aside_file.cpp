#include "gguf/aside_file.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace wherry::inline v0::detail {
namespace {

error refused_at(char const* step, std::filesystem::path const& path) {
  int const reason = errno;
  return {reason == ENOSPC || reason == EDQUOT ? errc::disk_full : errc::io_failed,
          std::string("cannot ") + step + " the model file: " + std::strerror(reason), "gguf.write", path.string()};
}

// Makes a rename durable. A folder that cannot be synced is no reason to fail: the file itself is complete.
void sync_folder(std::filesystem::path const& folder) {
  int const descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

result<aside_file> aside_file::create(std::filesystem::path path) {
  auto aside = path;
  aside += ".part";
  int const descriptor = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) return refused_at("create", aside);
  return aside_file(std::move(path), std::move(aside), descriptor);
}

aside_file::aside_file(std::filesystem::path path, std::filesystem::path aside, int descriptor) noexcept
    : path_(std::move(path)), aside_(std::move(aside)), descriptor_(descriptor) {}

aside_file::aside_file(aside_file&& other) noexcept
    : path_(std::move(other.path_)),
      aside_(std::move(other.aside_)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

aside_file::~aside_file() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(aside_.c_str());
}

result<void> aside_file::write(std::span<std::uint8_t const> bytes) {
  while (!bytes.empty()) {
    auto const written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return refused_at("write", aside_);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

result<void> aside_file::commit() {
  if (::fsync(descriptor_) != 0) return refused_at("write", aside_);
  if (::rename(aside_.c_str(), path_.c_str()) != 0) return refused_at("rename", path_);
  ::close(std::exchange(descriptor_, -1));
  sync_folder(path_.parent_path());
  return {};
}

}  // namespace wherry::inline v0::detail
