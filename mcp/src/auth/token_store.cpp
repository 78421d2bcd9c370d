#include <wherry/mcp/token_store.hpp>

#include <wherry/core/detail/owned_fd.hpp>
#include <wherry/core/json.hpp>

#include "file_lock.hpp"

#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace wherry::inline v0::mcp {
using wherry::detail::owned_fd;

namespace {

constexpr int format_version = 1;
constexpr std::size_t file_bytes_max = 16u << 20;

struct kept_tokens {
  oauth_tokens tokens;
  std::uint64_t order = 0;  // the larger the later
};
struct issuer_entry {
  std::optional<oauth_client> client;
  std::map<std::string, kept_tokens> tokens;  // by server URL
};
using content = std::map<std::string, issuer_entry>;  // by issuer

// ---------------------------------------------------------------- JSON

std::string text(json const& o, char const* name) {
  return o.contains(name) && o[name].is_string() ? o[name].get<std::string>() : "";
}
std::int64_t number(json const& o, char const* name) {
  return o.contains(name) && o[name].is_number_integer() ? o[name].get<std::int64_t>() : 0;
}
bool flag(json const& o, char const* name) { return o.contains(name) && o[name].is_boolean() && o[name].get<bool>(); }

json write(oauth_client const& c) {
  json o = json::object();
  o["client_id"] = c.client_id;
  o["client_secret"] = c.client_secret;
  o["auth"] = static_cast<int>(c.auth);
  o["private_key"] = c.private_key;
  o["key_algorithm"] = c.key_algorithm;
  o["key_id"] = c.key_id;
  o["secret_expires"] = c.secret_expires;
  return o;
}

oauth_client read_client(json const& o, std::string const& issuer) {
  oauth_client c;
  c.client_id = text(o, "client_id");
  c.client_secret = text(o, "client_secret");
  auto const auth = number(o, "auth");
  if (auth >= 0 && auth <= static_cast<int>(client_auth::private_key_jwt)) c.auth = static_cast<client_auth>(auth);
  c.private_key = text(o, "private_key");
  c.key_algorithm = text(o, "key_algorithm");
  c.key_id = text(o, "key_id");
  c.secret_expires = number(o, "secret_expires");
  c.issuer = issuer;
  return c;
}

json write(kept_tokens const& k) {
  auto const& t = k.tokens;
  json o = json::object();
  o["access_token"] = t.access_token;
  o["refresh_token"] = t.refresh_token;
  o["dpop"] = t.dpop;
  o["dpop_key"] = t.dpop_key;
  o["scopes"] = t.scopes;
  o["expires"] = t.expires;
  o["resource"] = t.resource;
  o["metadata_url"] = t.metadata_url;
  o["order"] = k.order;
  return o;
}

kept_tokens read_tokens(json const& o, std::string const& issuer) {
  kept_tokens k;
  auto& t = k.tokens;
  t.access_token = text(o, "access_token");
  t.refresh_token = text(o, "refresh_token");
  t.dpop = flag(o, "dpop");
  t.dpop_key = text(o, "dpop_key");
  if (o.contains("scopes") && o["scopes"].is_array())
    for (auto const& s : o["scopes"])
      if (s.is_string()) t.scopes.push_back(s.get<std::string>());
  t.expires = number(o, "expires");
  t.issuer = issuer;
  t.resource = text(o, "resource");
  t.metadata_url = text(o, "metadata_url");
  k.order = static_cast<std::uint64_t>(number(o, "order"));
  return k;
}

std::string write(content const& all) {
  json o = json::object();
  o["version"] = format_version;
  o["issuers"] = json::object();
  for (auto const& [issuer, entry] : all) {
    json e = json::object();
    if (entry.client) e["client"] = write(*entry.client);
    e["tokens"] = json::object();
    for (auto const& [server, tokens] : entry.tokens) e["tokens"][server] = write(tokens);
    o["issuers"][issuer] = std::move(e);
  }
  return to_text(o);
}

result<content> read(std::string const& data, std::string const& path) {
  content all;
  if (data.empty()) return all;
  auto const parsed = parse_json(data);
  bool const known = parsed && parsed->is_object() && number(*parsed, "version") == format_version &&
                     parsed->contains("issuers") && (*parsed)["issuers"].is_object();
  if (!known)
    return error{
        errc::corrupt_file,
        "the token file is not one of version " + std::to_string(format_version) + "; move it away and authorise anew",
        "token_store", path};
  for (auto const& [issuer, e] : (*parsed)["issuers"].items()) {
    auto& entry = all[issuer];
    if (e.contains("client") && e["client"].is_object()) entry.client = read_client(e["client"], issuer);
    if (e.contains("tokens") && e["tokens"].is_object())
      for (auto const& [server, t] : e["tokens"].items()) entry.tokens[server] = read_tokens(t, issuer);
  }
  return all;
}

// ---------------------------------------------------------------- what both stores do

std::optional<oauth_client> client_in(content const& all, std::string const& issuer) {
  auto const at = all.find(issuer);
  return at == all.end() ? std::nullopt : at->second.client;
}

std::optional<oauth_tokens> tokens_in(content const& all, std::string const& server) {
  kept_tokens const* latest = nullptr;
  for (auto const& [issuer, entry] : all)
    if (auto const at = entry.tokens.find(server);
        at != entry.tokens.end() && (!latest || at->second.order > latest->order))
      latest = &at->second;
  return latest ? std::optional(latest->tokens) : std::nullopt;
}

void put_tokens(content& all, std::string const& server, std::optional<oauth_tokens> const& tokens) {
  std::uint64_t last = 0;
  for (auto& [issuer, entry] : all) {
    for (auto const& [s, k] : entry.tokens) last = std::max(last, k.order);
    if (!tokens) entry.tokens.erase(server);
  }
  if (tokens) all[tokens->issuer].tokens[server] = {*tokens, last + 1};
}

class memory_store final : public token_store {
 public:
  result<std::optional<oauth_client>> client(std::string const& issuer) override {
    std::lock_guard const lock(mutex_);
    return client_in(all_, issuer);
  }
  result<void> keep_client(std::string const& issuer, std::optional<oauth_client> const& c) override {
    std::lock_guard const lock(mutex_);
    all_[issuer].client = c;
    return {};
  }
  result<std::optional<oauth_tokens>> tokens(std::string const& server) override {
    std::lock_guard const lock(mutex_);
    return tokens_in(all_, server);
  }
  result<void> keep_tokens(std::string const& server, std::optional<oauth_tokens> const& t) override {
    std::lock_guard const lock(mutex_);
    put_tokens(all_, server, t);
    return {};
  }

 private:
  std::mutex mutex_;
  content all_;
};

// ---------------------------------------------------------------- on disk

error failed(std::string what, std::filesystem::path const& path) {
  return {std::error_code(errno, std::generic_category()), std::move(what) + ": " + std::strerror(errno), "token_store",
          path.string()};
}

// Belongs to us, and nobody else may look.
result<void> check_private(int fd, std::filesystem::path const& path) {
  struct stat s{};
  if (::fstat(fd, &s) != 0) return failed("the token store cannot be looked at", path);
  if (s.st_uid != ::geteuid())
    return error{errc::denied, "the token store belongs to somebody else", "token_store", path.string()};
  if ((s.st_mode & 077) != 0)
    return error{errc::denied, "others may read the token store; take their permissions away (chmod go-rwx)",
                 "token_store", path.string()};
  return {};
}

class file_store final : public token_store {
 public:
  explicit file_store(std::filesystem::path directory)
      : directory_(std::move(directory)), file_(directory_ / "tokens.json") {}

  result<void> prepare() {
    std::error_code ec;
    if (directory_.has_parent_path()) std::filesystem::create_directories(directory_.parent_path(), ec);
    if (::mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST)
      return failed("the token store cannot be made", directory_);
    auto const looked = change([](content&) { return false; });
    if (!looked) return looked;
    return {};
  }

  result<std::optional<oauth_client>> client(std::string const& issuer) override {
    std::optional<oauth_client> out;
    auto done = change([&](content& all) { return out = client_in(all, issuer), false; });
    if (!done) return done.error();
    return out;
  }
  result<void> keep_client(std::string const& issuer, std::optional<oauth_client> const& c) override {
    return change([&](content& all) { return all[issuer].client = c, true; });
  }
  result<std::optional<oauth_tokens>> tokens(std::string const& server) override {
    std::optional<oauth_tokens> out;
    auto done = change([&](content& all) { return out = tokens_in(all, server), false; });
    if (!done) return done.error();
    return out;
  }
  result<void> keep_tokens(std::string const& server, std::optional<oauth_tokens> const& t) override {
    return change([&](content& all) { return put_tokens(all, server, t), true; });
  }

 private:
  // Reads the file under the lock, lets `f` see it, and writes it when f says that it changed.
  result<void> change(std::function<bool(content&)> const& f) {
    std::lock_guard const lock(mutex_);
    owned_fd const directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return failed("the token store cannot be opened", directory_);
    auto fine = check_private(directory.get(), directory_);
    if (!fine) return fine;
    auto held = detail::lock_file(directory.get(), detail::lock_time_default, directory_, "token_store");
    if (!held) return held;
    auto data = read_file();
    if (!data) return data.error();
    auto all = read(*data, file_.string());
    if (!all) return all.error();
    if (!f(*all)) return {};
    return write_file(directory.get(), write(*all));
  }

  result<std::string> read_file() const {
    owned_fd const in(::open(file_.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!in && errno == ENOENT) return std::string();
    if (!in) return failed("the token file cannot be opened", file_);
    auto fine = check_private(in.get(), file_);
    if (!fine) return fine.error();
    std::string out;
    char buffer[16384];
    for (;;) {
      auto const n = ::read(in.get(), buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed("the token file cannot be read", file_);
      if (n == 0) return out;
      out.append(buffer, static_cast<std::size_t>(n));
      if (out.size() > file_bytes_max)
        return error{errc::corrupt_file, "the token file is too large", "token_store", file_.string()};
    }
  }

  result<void> write_file(int directory, std::string_view data) const {
    auto const part = file_.string() + ".new";
    ::unlink(part.c_str());
    owned_fd const out(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!out) return failed("the token file cannot be written", part);
    while (!data.empty()) {
      auto const n = ::write(out.get(), data.data(), data.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed("the token file cannot be written", part);
      data.remove_prefix(static_cast<std::size_t>(n));
    }
    if (::fsync(out.get()) != 0 || ::rename(part.c_str(), file_.c_str()) != 0 || ::fsync(directory) != 0)
      return failed("the token file cannot be put in place", file_);
    return {};
  }

  std::mutex mutex_;
  std::filesystem::path directory_, file_;
};

}  // namespace

std::shared_ptr<token_store> make_memory_token_store() { return std::make_shared<memory_store>(); }

result<std::shared_ptr<token_store>> open_file_token_store(std::filesystem::path directory) {
  auto store = std::make_shared<file_store>(std::move(directory));
  auto ready = store->prepare();
  if (!ready) return ready.error();
  return std::shared_ptr<token_store>(std::move(store));
}

}  // namespace wherry::inline v0::mcp
