#include "files.hpp"

#include <wherry/core/clock.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

namespace wherry::inline v0::memory_detail {
namespace {

std::filesystem::path owner_path(std::filesystem::path const& directory) { return directory / "OWNER"; }

}  // namespace

error system_error(std::string message, std::filesystem::path const& path) {
  std::error_code const code(errno, std::generic_category());
  return error{code, std::move(message) + ": " + code.message(), "store", path.string()};
}

result<std::optional<std::string>> read_small_file(std::filesystem::path const& path, std::size_t bytes_max) {
  int const file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return std::optional<std::string>{};
  if (file < 0) return system_error("could not open a file", path);
  std::string bytes(bytes_max, '\0');
  auto const count = ::read(file, bytes.data(), bytes.size());
  auto const failure = count < 0 ? std::optional(system_error("could not read a file", path)) : std::nullopt;
  ::close(file);
  if (failure) return *failure;
  bytes.resize(static_cast<std::size_t>(count));
  return std::optional(std::move(bytes));
}

result<void> sync_directory(std::filesystem::path const& directory) {
  int const file = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return system_error("could not open a directory", directory);
  bool const synced = ::fsync(file) == 0;
  auto const failure = synced ? std::nullopt : std::optional(system_error("could not sync a directory", directory));
  ::close(file);
  if (failure) return *failure;
  return {};
}

void write_owner(std::filesystem::path const& directory) {
  std::ofstream out(owner_path(directory), std::ios::trunc);
  out << "pid " << ::getpid() << "\nopened " << to_rfc3339(clock::system()->now()) << '\n';
}

void remove_owner(std::filesystem::path const& directory) {
  std::error_code ignored;
  std::filesystem::remove(owner_path(directory), ignored);
}

std::string owner_text(std::filesystem::path const& directory) {
  std::ifstream in(owner_path(directory));
  std::string word;
  long pid = 0;
  if (!(in >> word >> pid) || word != "pid") return "another process";
  return pid == ::getpid() ? "this process (pid " + std::to_string(pid) + ")" : "process " + std::to_string(pid);
}

}  // namespace wherry::inline v0::memory_detail
