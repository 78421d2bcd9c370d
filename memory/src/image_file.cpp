#include "bytes.hpp"
#include "files.hpp"
#include "vector_graph.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace wherry::inline v0::memory_detail {
namespace {

constexpr std::string_view magic = "wherryVG";
constexpr std::size_t block_bytes = std::size_t{1} << 20;

/// Beginning, length, then each block with its checksum before it.
std::string framed(std::string_view bytes) {
  std::string out(magic);
  put_be(out, static_cast<std::uint64_t>(bytes.size()));
  seal(out);
  for (std::size_t at = 0; at < bytes.size(); at += block_bytes) {
    auto const block = bytes.substr(at, block_bytes);
    put_be(out, crc32(block));
    out += block;
  }
  return out;
}

std::optional<std::string> unframed(std::string_view file) {
  constexpr std::size_t head = 8 + 8 + 4;
  if (file.size() < head) return std::nullopt;
  auto in = byte_reader::unseal(file.substr(0, head));
  if (in.take(magic.size()) != magic) return std::nullopt;
  auto const size = in.be<std::uint64_t>();
  if (!in.complete() || size > file.size()) return std::nullopt;
  byte_reader blocks(file.substr(head));
  std::string out;
  out.reserve(size);
  while (out.size() < size) {
    auto const expected = blocks.be<std::uint32_t>();
    auto const block = blocks.take(std::min<std::size_t>(block_bytes, size - out.size()));
    if (!blocks.ok() || crc32(block) != expected) return std::nullopt;
    out += block;
  }
  if (!blocks.complete()) return std::nullopt;
  return out;
}

result<void> write_whole(int file, std::string_view bytes, std::filesystem::path const& path) {
  while (!bytes.empty()) {
    auto const written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return system_error("could not write an image", path);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file) != 0) return system_error("could not sync an image", path);
  return {};
}

std::optional<std::string> read_whole(std::filesystem::path const& path) {
  std::error_code failure;
  auto const size = std::filesystem::file_size(path, failure);
  if (failure) return std::nullopt;
  int const file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::string out(size, '\0');
  std::size_t at = 0;
  while (at < size) {
    auto const count = ::read(file, out.data() + at, size - at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    at += static_cast<std::size_t>(count);
  }
  ::close(file);
  if (at != size) return std::nullopt;
  return out;
}

}  // namespace

result<std::uint32_t> write_image_file(std::filesystem::path const& path, std::string_view bytes) {
  auto const file_bytes = framed(bytes);
  auto aside = path;
  aside += ".new";
  int const file = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return system_error("could not make an image", aside);
  auto const written = write_whole(file, file_bytes, aside);
  ::close(file);
  std::error_code ignored;
  if (!written) {
    std::filesystem::remove(aside, ignored);
    return written.error();
  }
  auto const back = read_whole(aside);
  if (!back || *back != file_bytes) {
    std::filesystem::remove(aside, ignored);
    return error{errc::io_failed, "an image does not read back as it was written", "vector_graph", aside.string()};
  }
  if (::rename(aside.c_str(), path.c_str()) != 0) return system_error("could not put an image in its place", path);
  if (auto synced = sync_directory(path.parent_path()); !synced) return synced.error();
  return crc32(file_bytes);
}

std::optional<std::string> read_image_file(std::filesystem::path const& path, std::uint32_t checksum) {
  auto const file = read_whole(path);
  if (!file || crc32(*file) != checksum) return std::nullopt;
  return unframed(*file);
}

}  // namespace wherry::inline v0::memory_detail
