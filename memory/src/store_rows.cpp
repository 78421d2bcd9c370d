// Rows as the rest of the room sees them, over rows as they stand on the disk. In a store without keys they are the
// same.

#include "store_state.hpp"

#include <algorithm>

namespace wherry::inline v0::memory_detail {
namespace {

using found_row = std::optional<std::pair<std::string, std::string>>;

error erased(std::filesystem::path const& path) {
  return error{
      errc::not_found,
      "the scope was erased: its key is destroyed, and what this copy holds of it cannot be read; erase it here "
      "too",
      "store", path.string()};
}

/// A scope's row in `meta`: the id, and in an encrypted store its sealed name.
constexpr std::string_view scope_prefix = "scope/";

}  // namespace

result<std::shared_ptr<row_cipher const>> store_state::cipher_of(family f, std::string_view key) const {
  if (!keys || f == family::meta || f == family::unused) return std::shared_ptr<row_cipher const>{};
  auto found = keys->cipher(byte_reader(key).id());
  if (found && !*found) return erased(path);
  return found;
}

result<void> store_state::check_readable(ulid const& scope) const {
  auto const known = cipher_of(family::mem, scope.view());
  if (!known) return known.error();
  return {};
}

result<std::optional<std::string>> store_state::get(family f, std::string const& key) const {
  auto const cipher = cipher_of(f, key);
  if (!cipher) return cipher.error();
  if (!*cipher) return get_row(f, key);
  auto const disk_key = (*cipher)->key(f, key);
  auto const value = get_row(f, disk_key);
  if (!value || !*value) return value;
  auto opened = (*cipher)->open(f, disk_key, **value);
  if (!opened || opened->key != key) return damaged("a row fails its decryption; restore the store from a backup");
  return std::optional(std::move(opened->value));
}

result<void> store_state::scan(family f, std::string const& first, std::string const& end, visitor const& visit,
                               scan_extent extent) const {
  auto const cipher = cipher_of(f, first);
  if (!cipher) return cipher.error();
  if (!*cipher) return scan_rows(f, first, end, visit, extent);
  auto const range = (*cipher)->range_of(f, first, end);
  bool const as_they_come = range.in_order || f == family::post;
  std::vector<row_cipher::row> rows;
  auto listed = scan_rows(
      f, range.first, range.end,
      [&](std::string_view key, std::string_view value) -> result<bool> {
        auto row = (*cipher)->open(f, key, value);
        if (!row) return damaged("a row fails its decryption; restore the store from a backup");
        if (as_they_come) return visit(row->key, row->value);
        if (row->key >= first && row->key < end) rows.push_back(std::move(*row));
        return true;
      },
      extent);
  if (!listed) return listed;
  std::sort(rows.begin(), rows.end(), [](auto const& a, auto const& b) { return a.key < b.key; });
  for (auto const& row : rows) {
    auto const more = visit(row.key, row.value);
    if (!more) return more.error();
    if (!*more) return {};
  }
  return {};
}

result<found_row> store_state::last(family f, std::string const& first, std::string const& end) const {
  auto const cipher = cipher_of(f, first);
  if (!cipher) return cipher.error();
  auto found = last_row(f, first, end);
  if (!*cipher || !found || !*found) return found;
  auto opened = (*cipher)->open(f, (*found)->first, (*found)->second);
  if (!opened) return damaged("a row fails its decryption; restore the store from a backup");
  return found_row(std::pair(std::move(opened->key), std::move(opened->value)));
}

result<std::size_t> store_state::count(family f, std::string const& first, std::string const& end) const {
  std::size_t rows = 0;
  auto counted = scan_rows(f, first, end, [&](std::string_view, std::string_view) -> result<bool> {
    ++rows;
    return true;
  });
  if (!counted) return counted.error();
  return rows;
}

result<void> store_state::put(rocksdb::WriteBatch& batch, family f, std::string const& key,
                              std::string const& value) const {
  auto const cipher = cipher_of(f, key);
  if (!cipher) return cipher.error();
  rocksdb::Status status;
  if (*cipher) {
    auto const disk_key = (*cipher)->key(f, key);
    status = batch.Put(handle(f), disk_key, (*cipher)->value(f, key, disk_key, value));
  } else {
    status = batch.Put(handle(f), key, value);
  }
  if (!status.ok()) return translate(status, "could not prepare a commit", path);
  return {};
}

result<void> store_state::remove(rocksdb::WriteBatch& batch, family f, std::string const& key) const {
  auto const cipher = cipher_of(f, key);
  if (!cipher) return cipher.error();
  auto const status = batch.Delete(handle(f), *cipher ? (*cipher)->key(f, key) : key);
  if (!status.ok()) return translate(status, "could not prepare a commit", path);
  return {};
}

result<void> store_state::remove_range(rocksdb::WriteBatch& batch, family f, std::string const& first,
                                       std::string const& end) const {
  row_cipher::range range{first, end};
  bool const whole_scope = first.size() == std::tuple_size_v<decltype(ulid::bytes)>;  // also one without a key
  if (!whole_scope) {
    auto const cipher = cipher_of(f, first);
    if (!cipher) return cipher.error();
    if (*cipher) range = (*cipher)->range_of(f, first, end);
  }
  auto const status = batch.DeleteRange(handle(f), range.first, range.end);
  if (!status.ok()) return translate(status, "could not prepare a commit", path);
  return {};
}

namespace {

std::string disk_scope_key(key_ring* keys, std::string const& key) {
  return keys ? std::string(scope_prefix) + keys->hashed_name(key) : key;
}

}  // namespace

result<std::optional<ulid>> store_state::find_scope(std::string const& key) const {
  auto const value = get_row(family::meta, disk_scope_key(keys.get(), key));
  if (!value) return value.error();
  if (!*value) return std::optional<ulid>{};
  auto body = byte_reader::unseal(**value);
  auto const id = body.id();
  if (keys) body.rest();
  if (!body.complete()) return damaged("the id of a scope fails its checksum");
  return std::optional(id);
}

result<void> store_state::put_scope(rocksdb::WriteBatch& batch, std::string const& key, ulid const& id) const {
  std::string value(id.view());
  if (keys) {
    auto const cipher = keys->create(id);
    if (!cipher) return cipher.error();
    value += (*cipher)->seal_file(key, "name");
  }
  seal(value);
  auto const status = batch.Put(handle(family::meta), disk_scope_key(keys.get(), key), value);
  if (!status.ok()) return translate(status, "could not prepare a commit", path);
  return {};
}

void store_state::remove_scope(rocksdb::WriteBatch& batch, std::string const& key) const {
  batch.Delete(handle(family::meta), disk_scope_key(keys.get(), key));
}

result<std::vector<scope_name>> store_state::scope_names(std::size_t& unreadable) const {
  std::vector<scope_name> out;
  std::string const end = "scope0";  // '0' follows '/'
  auto listed = scan_rows(family::meta, std::string(scope_prefix), end,
                          [&](std::string_view key, std::string_view value) -> result<bool> {
                            std::string plain(key);
                            if (keys) {
                              auto body = byte_reader::unseal(value);
                              auto const cipher = keys->cipher(body.id());
                              if (!cipher) return cipher.error();
                              if (!*cipher) return ++unreadable, true;
                              auto name = (*cipher)->open_file(body.rest(), "name");
                              if (!name) return damaged("the name of a scope fails its decryption");
                              plain = std::move(*name);
                            }
                            if (auto name = decode_scope_key(plain)) out.push_back(std::move(*name));
                            return true;
                          });
  if (!listed) return listed.error();
  return out;
}

result<std::string> store_state::sealed_file(ulid const& scope, std::string bytes, std::string_view name) const {
  auto const cipher = cipher_of(family::vec, scope.view());
  if (!cipher) return cipher.error();
  return *cipher ? (*cipher)->seal_file(bytes, name) : std::move(bytes);
}

std::optional<std::string> store_state::opened_file(ulid const& scope, std::string bytes, std::string_view name) const {
  auto const cipher = cipher_of(family::vec, scope.view());
  if (!cipher) return std::nullopt;
  return *cipher ? (*cipher)->open_file(bytes, name) : std::optional(std::move(bytes));
}

}  // namespace wherry::inline v0::memory_detail
