// The secrets that seal requestState, kept for their owner alone: two lines of hexadecimal digits, newest first.

#include <wherry/core/detail/owned_fd.hpp>
#include <wherry/mcp/request_secrets.hpp>

#include "file_lock.hpp"
#include "seal.hpp"

#include <cerrno>
#include <fstream>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace wherry::inline v0::mcp {

using namespace detail;
using wherry::detail::owned_fd;

namespace {

constexpr auto file_name = "mcp.secret";

std::string to_hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (char const c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() != 2 * seal_key_bytes) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    auto const digit = [&](char c) {
      return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    };
    int const high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

error failed(std::string what, std::filesystem::path const& file) {
  return {std::error_code(errno, std::generic_category()), std::move(what), "mcp.request_secrets", file.string()};
}

result<request_secrets> read_secrets(int fd, std::filesystem::path const& file) {
  struct stat about{};
  if (::fstat(fd, &about) != 0) return failed("the file cannot be looked at", file);
  if (about.st_uid != ::geteuid() || (about.st_mode & 077) != 0)
    return error(errc::denied,
                 "others may read this file of secrets, or it is not yours; remove it (a new one is made) or chmod 600",
                 "mcp.request_secrets", file.string());
  std::string text(4 * seal_key_bytes + 2, '\0');
  auto const n = ::pread(fd, text.data(), text.size(), 0);
  if (n < 0) return failed("the file cannot be read", file);
  text.resize(static_cast<std::size_t>(n));
  if (text.empty()) return request_secrets{};
  auto const end = text.find('\n');
  auto const current = from_hex(text.substr(0, end));
  auto rest = end == std::string::npos ? std::string{} : text.substr(end + 1);
  if (rest.ends_with('\n')) rest.pop_back();
  auto const previous = rest.empty() ? std::string{} : from_hex(rest).value_or("?");
  if (!current || previous == "?")
    return error(errc::parse_error, "this file holds no secrets; remove it, a new one is made", "mcp.request_secrets",
                 file.string());
  return request_secrets{*current, previous};
}

result<request_secrets> write_secrets(int fd, request_secrets keys, std::filesystem::path const& file) {
  auto const text = to_hex(keys.current) + "\n" + (keys.previous.empty() ? "" : to_hex(keys.previous) + "\n");
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
      ::fsync(fd) != 0)
    return failed("the secrets cannot be written", file);
  return keys;
}

result<request_secrets> with_secrets(std::filesystem::path const& directory, bool renew,
                                     std::chrono::milliseconds lock_time) {
  std::error_code ec;
  std::filesystem::create_directories(directory, ec);
  if (ec) return error(ec, "the directory cannot be made", "mcp.request_secrets", directory.string());
  auto const file = directory / file_name;
  owned_fd const fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return failed("the file of secrets cannot be opened", file);
  if (auto const held = lock_file(fd.get(), lock_time, file, "mcp.request_secrets"); !held) return held.error();
  auto keys = read_secrets(fd.get(), file);
  if (!keys || (!keys->current.empty() && !renew)) return keys;
  return write_secrets(fd.get(), {random_bytes(seal_key_bytes), std::move(keys->current)}, file);
}

}  // namespace

result<request_secrets> kept_request_secrets(std::filesystem::path const& directory,
                                             std::chrono::milliseconds lock_time) {
  return with_secrets(directory, false, lock_time);
}

result<request_secrets> renewed_request_secrets(std::filesystem::path const& directory,
                                                std::chrono::milliseconds lock_time) {
  return with_secrets(directory, true, lock_time);
}

}  // namespace wherry::inline v0::mcp
