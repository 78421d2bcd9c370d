#pragma once
// Where sessions are kept, and whose they are.

#include "settings.hpp"

#include <wherry/core/result.hpp>
#include <wherry/memory/store.hpp>

#include <filesystem>
#include <string>

namespace wherry::cli {

/// --store, else $WHERRY_STORE, else $XDG_DATA_HOME/wherry, else ~/.local/share/wherry.
std::filesystem::path store_path(store_settings const& given);

/// "TENANT/USER". Fails with: errc::invalid_argument for anything else.
result<scope_name> parse_scope(std::string const& text);

enum class access { read, write };

/// Opens the store. Fails with: what store::open fails with.
result<store> open_store(store_settings const& given, access how);

/// Opens the store and its scope. Reading works beside a writer in another process.
/// Fails with: what store::open fails with; parse_scope.
result<scope_handle> open_scope(store_settings const& given, access how);

/// A session that has events. Fails with: errc::not_found, naming the command that lists sessions; open_scope.
result<session> open_existing_session(store_settings const& given, std::string const& name);

/// A folder for a store that nobody asked to keep; gone with this object.
class temporary_store {
 public:
  /// Fails with: errc::io_failed.
  static result<temporary_store> make();
  temporary_store(temporary_store&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  temporary_store& operator=(temporary_store&&) = delete;
  ~temporary_store();
  std::filesystem::path const& path() const noexcept { return path_; }

 private:
  explicit temporary_store(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace wherry::cli
