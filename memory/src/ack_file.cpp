#include "ack_file.hpp"

#include "bytes.hpp"
#include "files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace wherry::inline v0::memory_detail {
namespace {

constexpr std::size_t size = 12;  // seq (8, big-endian), crc32 of it (4)

std::filesystem::path path_in(std::filesystem::path const& directory) { return directory / "ACK"; }

std::string encode(std::uint64_t seq) {
  std::string out;
  put_be(out, seq);
  seal(out);
  return out;
}

}  // namespace

result<std::optional<std::uint64_t>> ack_file::read(std::filesystem::path const& directory) {
  auto const path = path_in(directory);
  auto const bytes = read_small_file(path, size + 1);
  if (!bytes) return bytes.error();
  if (!*bytes) return std::optional<std::uint64_t>{};
  auto body = byte_reader::unseal(**bytes);
  auto const seq = body.be<std::uint64_t>();
  if (!body.complete())
    return error{errc::store_damaged,
                 "the file that says what was acknowledged fails its checksum; restore the store from a backup",
                 "store.open", path.string()};
  return std::optional<std::uint64_t>{seq};
}

result<ack_file> ack_file::open(std::filesystem::path const& directory, std::uint64_t seq) {
  auto const path = path_in(directory);
  ack_file out;
  bool const fresh = !std::filesystem::exists(path);
  out.file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (out.file_ < 0) return system_error("could not open the file that says what was acknowledged", path);
  out.seq_ = seq;
  if (fresh) {
    out.write();
    if (::fsync(out.file_) != 0) return system_error("could not sync the file that says what was acknowledged", path);
    if (auto synced = sync_directory(directory); !synced) return synced.error();
  }
  return out;
}

ack_file::ack_file(ack_file&& other) noexcept
    : file_(std::exchange(other.file_, -1)), seq_(other.seq_), synced_(other.synced_) {}

ack_file& ack_file::operator=(ack_file&& other) noexcept {
  std::swap(file_, other.file_);
  seq_ = other.seq_;
  synced_ = other.synced_;
  return *this;
}

ack_file::~ack_file() {
  if (file_ >= 0) ::close(file_);
}

void ack_file::advance(std::uint64_t seq) noexcept {
  std::lock_guard const lock(mutex_);
  if (seq <= seq_) return;
  seq_ = seq;
  write();
  auto const now = std::chrono::steady_clock::now();
  if (now - synced_ < sync_interval) return;
  ::fdatasync(file_);
  synced_ = now;
}

void ack_file::sync() noexcept {
  std::lock_guard const lock(mutex_);
  if (file_ >= 0) ::fdatasync(file_);
}

void ack_file::write() noexcept {
  auto const bytes = encode(seq_);
  [[maybe_unused]] auto const written = ::pwrite(file_, bytes.data(), bytes.size(), 0);
}

}  // namespace wherry::inline v0::memory_detail
