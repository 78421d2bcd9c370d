#include "gguf/file_image.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace wherry::inline v0::detail {
namespace {

error refused(char const* step, std::filesystem::path const& path) {
  std::error_code const code(errno, std::generic_category());
  std::string const message = std::string("cannot ") + step + " the model file: " + code.message();
  return {errno == ENOENT ? errc::not_found : errc::io_failed, message, "gguf.open", path.string()};
}

}  // namespace

result<file_image> file_image::map(std::filesystem::path const& path) {
  int const descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return refused("open", path);
  struct closer {
    int descriptor;
    ~closer() { ::close(descriptor); }
  } const close_at_end{descriptor};

  struct stat status{};
  if (::fstat(descriptor, &status) != 0) return refused("examine", path);
  if (!S_ISREG(status.st_mode))
    return error(errc::io_failed, "cannot map the model file: it is not a regular file", "gguf.open", path.string());
  auto const size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return file_image(std::vector<std::uint8_t>{});

  void* const mapping = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (mapping == MAP_FAILED) return refused("map", path);
  ::madvise(mapping, size, MADV_WILLNEED);  // advice only: a refusal changes nothing but speed
  return file_image(mapping, size);
}

void file_image::forget(std::span<std::uint8_t const> mapped) noexcept {
  auto const page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  auto const first = reinterpret_cast<std::uintptr_t>(mapped.data()), begin = (first + page - 1) / page * page;
  auto const end = (first + mapped.size()) / page * page;  // whole pages only: the others hold neighbours
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

file_image::file_image(file_image&& other) noexcept
    : mapping_(std::exchange(other.mapping_, nullptr)),
      owned_(std::move(other.owned_)),
      bytes_(std::exchange(other.bytes_, {})) {}

file_image::~file_image() {
  if (mapping_) ::munmap(mapping_, bytes_.size());
}

}  // namespace wherry::inline v0::detail
