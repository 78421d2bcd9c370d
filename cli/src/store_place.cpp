#include "store_place.hpp"

#include <wherry/core/id.hpp>

#include <cstdlib>

namespace wherry::cli {
namespace {

std::string environment(char const* name) {
  char const* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

std::filesystem::path store_path(store_settings const& given) {
  if (!given.store.empty()) return given.store;
  if (auto named = environment("WHERRY_STORE"); !named.empty()) return named;
  if (auto data = environment("XDG_DATA_HOME"); !data.empty()) return std::filesystem::path(data) / "wherry";
  return std::filesystem::path(environment("HOME")) / ".local" / "share" / "wherry";
}

result<scope_name> parse_scope(std::string const& text) {
  auto const slash = text.find('/');
  bool const well_formed = slash != std::string::npos && slash > 0 && slash + 1 < text.size() &&
                           text.find('/', slash + 1) == std::string::npos;
  if (!well_formed)
    return error{errc::invalid_argument,
                 "\"" + text + "\" is no scope; it has the form TENANT/USER, for example acme/ann", "cli.scope"};
  return scope_name{.tenant = text.substr(0, slash), .user = text.substr(slash + 1)};
}

result<store> open_store(store_settings const& given, access how) {
  auto const path = store_path(given);
  store_options const options{.read_only = how == access::read};
  if (how == access::write) {
    std::error_code failed;
    std::filesystem::create_directories(path, failed);
    if (failed)
      return error{errc::io_failed,
                   "the store could not be made: " + failed.message() + "; name another place with --store DIR",
                   "cli.store", path.string()};
  }
  auto opened = store::open(path, options);
  if (!opened) {
    if (opened.error().is(errc::not_found))
      return error{errc::not_found,
                   "there is no store at " + path.string() + " yet; wherry chat makes one, --store DIR names another",
                   "cli.store", path.string()};
  }
  return opened;
}

result<scope_handle> open_scope(store_settings const& given, access how) {
  auto name = parse_scope(given.scope);
  if (!name) return std::move(name).error();
  auto opened = open_store(given, how);
  if (!opened) return std::move(opened).error();
  return opened->scope(std::move(*name));
}

result<session> open_existing_session(store_settings const& given, std::string const& name) {
  auto scope = open_scope(given, access::read);
  if (!scope) return std::move(scope).error();
  auto found = scope->session(name);
  auto const last = found.last_seq();
  if (!last) return last.error();
  if (*last == 0)
    return error{errc::not_found, "there is no session \"" + name + "\"; wherry session list names them all",
                 "cli.session"};
  return found;
}

result<temporary_store> temporary_store::make() {
  std::error_code failed;
  auto const folder = std::filesystem::temp_directory_path(failed) / ("wherry-" + ulid::fresh().text());
  if (!failed) std::filesystem::create_directory(folder, failed);
  if (failed)
    return error{errc::io_failed, "a temporary store could not be made: " + failed.message() + "; use --store DIR",
                 "cli.store", folder.string()};
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all, failed);
  return temporary_store(folder);
}

temporary_store::~temporary_store() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace wherry::cli
