#include "image_file.hpp"

#include "bytes.hpp"
#include "files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace wherry::inline v0::memory_detail {
namespace {

constexpr std::string_view magic = "wherryVG";
constexpr std::size_t head_bytes = 8 + 8 + 4;
constexpr std::size_t checksum_bytes = 4;
constexpr std::size_t block_bytes = std::size_t{1} << 20;

/// What a file begins with.
std::string head_of(std::uint64_t bytes) {
  std::string out(magic);
  put_be(out, bytes);
  seal(out);
  return out;
}

/// What stands before a block.
std::string checksum_text(std::uint32_t checksum) {
  std::string out;
  put_be(out, checksum);
  return out;
}

/// Goes on with a file's checksum over a block and the checksum before it.
std::uint32_t followed_by_block(std::uint32_t before, std::uint32_t block, std::size_t bytes) {
  auto const text = checksum_text(block);
  return crc32_joined(crc32_joined(before, crc32(text), text.size()), block, bytes);
}

/// Calls readv or writev until both parts are through.
template <class Call>
bool transfer(Call call, int file, std::span<char> first, std::span<char> second) {
  while (!first.empty() || !second.empty()) {
    iovec parts[2] = {{first.data(), first.size()}, {second.data(), second.size()}};
    auto const count = call(file, parts, 2);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    auto const of_first = std::min(static_cast<std::size_t>(count), first.size());
    first = first.subspan(of_first);
    second = second.subspan(static_cast<std::size_t>(count) - of_first);
  }
  return true;
}

std::span<char> writable(std::string_view bytes) { return {const_cast<char*>(bytes.data()), bytes.size()}; }

/// Returns: the checksum of the file.
result<std::uint32_t> write_blocks(int file, std::string_view bytes, std::filesystem::path const& path) {
  auto const failed = [&] { return system_error("could not write an image", path); };
  auto const head = head_of(bytes.size());
  if (!transfer(::writev, file, writable(head), {})) return failed();
  auto whole = crc32(head);
  for (; !bytes.empty(); bytes.remove_prefix(std::min(block_bytes, bytes.size()))) {
    auto const block = bytes.substr(0, block_bytes);
    auto const checksum = crc32(block);
    if (!transfer(::writev, file, writable(checksum_text(checksum)), writable(block))) return failed();
    whole = followed_by_block(whole, checksum, block.size());
  }
  if (::fsync(file) != 0) return system_error("could not sync an image", path);
  return whole;
}

/// Whether the file at `path` is whole and has that checksum.
bool reads_back(std::filesystem::path const& path, std::uint32_t checksum) {
  auto file = image_file::open(path);
  if (!file) return false;
  std::string block(block_bytes, '\0');
  while (file->left() > 0)
    if (!file->read({block.data(), static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), file->left()))}))
      return false;
  return file->checksum() == checksum;
}

}  // namespace

bool image_bytes::read(std::span<char> into) {
  if (rest_.size() < into.size()) return rest_ = {}, false;
  std::memcpy(into.data(), rest_.data(), into.size());
  rest_.remove_prefix(into.size());
  return true;
}

std::optional<image_file> image_file::open(std::filesystem::path const& path) {
  detail::owned_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat known = {};
  if (!file || ::fstat(file.get(), &known) != 0) return std::nullopt;
  std::string head(head_bytes, '\0');
  if (!transfer(::readv, file.get(), head, {})) return std::nullopt;
  auto in = byte_reader::unseal(head);
  auto const right = in.take(magic.size()) == magic;
  auto const bytes = in.be<std::uint64_t>();
  auto const on_disk = static_cast<std::uint64_t>(known.st_size);
  if (!right || !in.complete() || bytes > on_disk) return std::nullopt;
  auto const blocks = (bytes + block_bytes - 1) / block_bytes;
  if (on_disk != head_bytes + bytes + blocks * checksum_bytes) return std::nullopt;
  return image_file(std::move(file), bytes, crc32(head));
}

/// The next block, or its beginning when there is room for no more: then it counts as damaged.
bool image_file::next_block(std::span<char> into) {
  std::string before(checksum_bytes, '\0');
  auto const checksum = [&] { return byte_reader(before).be<std::uint32_t>(); };
  damaged_ = !transfer(::readv, file_.get(), before, into) || crc32({into.data(), into.size()}) != checksum();
  on_disk_ -= into.size();
  checksum_ = followed_by_block(checksum_, checksum(), into.size());
  return !damaged_;
}

bool image_file::read(std::span<char> into) {
  if (into.size() > left_) damaged_ = true;
  if (damaged_) return false;
  left_ -= into.size();
  while (!into.empty()) {
    auto const kept = std::min(into.size(), block_.size() - taken_);
    std::memcpy(into.data(), block_.data() + taken_, kept);
    taken_ += kept;
    into = into.subspan(kept);
    auto const next = static_cast<std::size_t>(std::min<std::uint64_t>(block_bytes, on_disk_));
    if (into.empty()) break;
    if (into.size() >= next) {
      if (!next_block(into.first(next))) return false;
      into = into.subspan(next);
    } else {
      block_.resize(next);
      taken_ = 0;
      if (!next_block(block_)) return false;
    }
  }
  return true;
}

std::optional<std::uint32_t> image_file::checksum() const {
  if (damaged_ || left_ > 0) return std::nullopt;
  return checksum_;
}

result<std::uint32_t> write_image_file(std::filesystem::path const& path, std::string_view bytes) {
  auto aside = path;
  aside += ".new";
  detail::owned_fd file(::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return system_error("could not make an image", aside);
  auto written = write_blocks(file.get(), bytes, aside);
  file = detail::owned_fd();
  if (written && !reads_back(aside, *written))
    written = error{errc::io_failed, "an image does not read back as it was written", "vector_graph", aside.string()};
  if (!written) {
    std::error_code ignored;
    std::filesystem::remove(aside, ignored);
    return written.error();
  }
  if (::rename(aside.c_str(), path.c_str()) != 0) return system_error("could not put an image in its place", path);
  if (auto synced = sync_directory(path.parent_path()); !synced) return synced.error();
  return *written;
}

std::optional<std::string> read_image_file(std::filesystem::path const& path, std::uint32_t checksum) {
  auto file = image_file::open(path);
  if (!file) return std::nullopt;
  std::string out(static_cast<std::size_t>(file->left()), '\0');
  if (!file->read(out) || file->checksum() != checksum) return std::nullopt;
  return out;
}

}  // namespace wherry::inline v0::memory_detail
