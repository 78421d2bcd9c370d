#include "key_ring.hpp"

#include "files.hpp"

#include <wherry/core/detail/owned_fd.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

namespace wherry::inline v0::memory_detail {
namespace {

constexpr char const* ring_file = "RING";
constexpr std::size_t small_file_max = 256;
constexpr ::mode_t own_file = 0600, own_directory = 0700;

error refused(errc code, std::string message, std::filesystem::path const& path) {
  return error{code, std::move(message), "store.keys", path.string()};
}

/// Writes a file that must not be there yet, for its owner alone. It is there whole or not at all, and durable.
result<void> write_new(std::filesystem::path const& path, std::string_view bytes) {
  auto aside = path;
  aside += ".new";
  detail::owned_fd const file(::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, own_file));
  if (!file) return system_error("could not make a file of keys", aside);
  if (::write(file.get(), bytes.data(), bytes.size()) != static_cast<::ssize_t>(bytes.size()) ||
      ::fsync(file.get()) != 0)
    return system_error("could not write a file of keys", aside);
  if (::link(aside.c_str(), path.c_str()) != 0) return system_error("could not make a file of keys", path);
  if (::unlink(aside.c_str()) != 0) return system_error("could not remove what a file of keys was written as", aside);
  return sync_directory(path.parent_path());
}

result<void> check_private(std::filesystem::path const& path) {
  struct ::stat about = {};
  if (::stat(path.c_str(), &about) != 0) return system_error("could not look at the directory of keys", path);
  if (about.st_uid != ::geteuid() || (about.st_mode & 077) != 0)
    return refused(errc::denied, "the directory of keys is open to others; make it the user's own (chmod 700)", path);
  return {};
}

}  // namespace

result<std::shared_ptr<key_ring>> key_ring::open(store_keys const& keys, bool create) {
  if (keys.master_key.size() != std::tuple_size_v<secret_key>)
    return refused(errc::invalid_argument, "a master key is 32 bytes long", keys.directory);
  std::error_code failure;
  bool const there = std::filesystem::exists(keys.directory / ring_file, failure);
  if (!there && !create)
    return refused(errc::not_found, "there are no keys here; an encrypted store needs its own", keys.directory);
  if (!there) {
    std::filesystem::create_directories(keys.directory.parent_path(), failure);
    if (::mkdir(keys.directory.c_str(), own_directory) != 0 && errno != EEXIST)
      return system_error("could not make the directory of keys", keys.directory);
  }
  if (auto own = check_private(keys.directory); !own) return own.error();

  std::shared_ptr<key_ring> ring(new key_ring(keys.directory));
  secret_key master;
  std::memcpy(master.data(), keys.master_key.data(), master.size());
  ring->wrapping_ = keyed_hash(master, "wrapping");
  ring->names_ = keyed_hash(master, "scopes");
  forget(master);
  if (!there) {
    ring->id_ = ulid::fresh();
    auto written = write_new(keys.directory / ring_file, sealed_with(ring->wrapping_, ring->id_.view(), "ring"));
    if (!written) return written.error();
    return ring;
  }
  auto const sealed = read_small_file(keys.directory / ring_file, small_file_max);
  if (!sealed) return sealed.error();
  auto const opened = *sealed ? opened_with(ring->wrapping_, **sealed, "ring") : std::nullopt;
  if (!opened)
    return refused(errc::denied, "the keys here belong to another master key, or are damaged", keys.directory);
  ring->id_ = byte_reader(*opened).id();
  return ring;
}

key_ring::~key_ring() {
  forget(wrapping_);
  forget(names_);
}

std::filesystem::path key_ring::file_of(ulid const& scope) const { return directory_ / (scope.text() + ".key"); }

result<std::shared_ptr<row_cipher const>> key_ring::cipher(ulid const& scope) {
  std::lock_guard const lock(mutex_);
  if (auto const known = known_.find(scope); known != known_.end()) return known->second;
  auto const path = file_of(scope);
  auto const sealed = read_small_file(path, small_file_max);
  if (!sealed) return sealed.error();
  if (!*sealed) return std::shared_ptr<row_cipher const>{};
  auto const opened = opened_with(wrapping_, **sealed, scope.view());
  secret_key key;
  if (!opened || opened->size() != key.size())
    return refused(errc::store_damaged, "the key of a scope fails its check; restore it from a backup of the keys",
                   path);
  std::memcpy(key.data(), opened->data(), key.size());
  auto made = std::make_shared<row_cipher const>(key);
  forget(key);
  known_[scope] = made;
  return made;
}

result<std::shared_ptr<row_cipher const>> key_ring::create(ulid const& scope) {
  auto key = random_key();
  if (!key) return key.error();
  std::string_view const plain(reinterpret_cast<char const*>(key->data()), key->size());
  if (auto written = write_new(file_of(scope), sealed_with(wrapping_, plain, scope.view())); !written)
    return written.error();
  auto made = std::make_shared<row_cipher const>(*key);
  forget(*key);
  std::lock_guard const lock(mutex_);
  known_[scope] = made;
  return made;
}

result<void> key_ring::destroy(ulid const& scope) {
  {
    std::lock_guard const lock(mutex_);
    known_.erase(scope);
  }
  auto const path = file_of(scope);
  int const file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return {};
  if (file < 0) return system_error("could not open a key to destroy it", path);
  // In place first: what a file system does with a deleted file's blocks is its own affair.
  std::string const nothing(small_file_max, '\0');
  bool const gone = ::write(file, nothing.data(), nothing.size()) > 0 && ::fsync(file) == 0;
  auto const failed = gone ? error{} : system_error("could not overwrite a key", path);
  ::close(file);
  if (!gone) return failed;
  if (::unlink(path.c_str()) != 0) return system_error("could not remove a key", path);
  return sync_directory(directory_);
}

std::string key_ring::hashed_name(std::string_view scope_key) const {
  auto const full = keyed_hash(names_, scope_key);
  return {reinterpret_cast<char const*>(full.data()), full.size()};
}

}  // namespace wherry::inline v0::memory_detail
