#pragma once
// Text files of a scope, by path, for models that have learnt to keep their notes in files: view, create, str_replace,
// insert, delete, rename. The files are items of a namespace; no path reaches the machine's own files.

#include <wherry/llm/schema.hpp>
#include <wherry/memory/scope.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0 {

struct memory_files_options {
  std::string space = "files";     ///< The namespace of items.
  std::string root = "/memories";  ///< Every path begins with it.
  std::size_t path_bytes_max = 256;
  std::size_t path_parts_max = 8;  ///< Below the root.
  std::size_t file_bytes_max = std::size_t{32} << 10;
  std::size_t files_max = 256;                         ///< Of two that create at the same moment both may succeed.
  std::size_t view_bytes_max = std::size_t{16} << 10;  ///< Of one answer; the rest is asked for by lines.
};

/// The verbs on files. A directory is there while a file is in it.
///
/// A path is the root and names, with "/" between. Refused with errc::invalid_argument: paths outside the root, "." and
/// "..", empty names, backslashes, percent signs, control and direction characters, what is not UTF-8 or too long.
///
/// Threads: thread-safe; of two changes of one file at once the later is told (errc::conflict). Lifetime: keeps the
/// store open. Fails with, every function, also: errc::not_found; what items fail with.
class memory_files {
 public:
  explicit memory_files(scope_handle scope, memory_files_options options = {});

  /// A directory: its files with their sizes, by path. A file: its lines with their numbers, from `first` (1) to `last`
  /// (0: to the end).
  result<std::string> view(std::string const& path, std::size_t first = 1, std::size_t last = 0) const;
  /// The text of a file as it is.
  result<std::string> read(std::string const& path) const;
  /// Fails with: errc::already_exists, also for a directory's name; errc::limit_reached.
  result<void> create(std::string const& path, std::string const& text) const;
  /// `old_text` must stand in the file exactly once (else errc::not_found or errc::conflict, naming the lines).
  result<void> replace(std::string const& path, std::string const& old_text, std::string const& new_text) const;
  /// Puts text behind a line; 0: before the first.
  result<void> insert(std::string const& path, std::size_t line, std::string const& text) const;
  /// A file, or a directory with all that is in it; in one commit. The root itself cannot be taken away.
  /// Returns: how many files.
  result<std::size_t> remove(std::string const& path) const;
  /// A file or a directory; in one commit. Fails with: errc::already_exists.
  result<std::size_t> rename(std::string const& from, std::string const& to) const;

  memory_files_options const& options() const noexcept { return options_; }

 private:
  struct stored_file {
    std::string path;
    std::string text;
    std::uint64_t version = 0;
  };
  result<std::string> checked(std::string const& path) const;
  result<std::optional<stored_file>> find(std::string const& path) const;
  result<stored_file> need(std::string const& path) const;
  result<std::vector<stored_file>> files_in(std::string const& directory) const;
  result<void> refuse_taken(std::string const& path) const;
  result<void> save(stored_file const& changed) const;

  scope_handle scope_;
  memory_files_options options_;
};

/// What a model writes to use them: one flat object, as models are used to. Which members a command needs is checked
/// when it is carried out.
struct file_command {
  std::string command;
  std::optional<std::string> path;
  std::optional<std::vector<int>> view_range;
  std::optional<std::string> file_text;
  std::optional<std::string> old_str;
  std::optional<std::string> new_str;
  std::optional<int> insert_line;
  std::optional<std::string> insert_text;
  std::optional<std::string> old_path;
  std::optional<std::string> new_path;
};
template <>
inline constexpr auto describe<file_command> =
    std::tuple{field<&file_command::command>("view, create, str_replace, insert, delete or rename"),
               field<&file_command::path>("The file or directory; all but rename"),
               field<&file_command::view_range>("view: first and last line; -1 is the end").items(2, 2),
               field<&file_command::file_text>("create: the text"),
               field<&file_command::old_str>("str_replace: text that stands in the file exactly once"),
               field<&file_command::new_str>("str_replace: what it becomes; empty unless given"),
               field<&file_command::insert_line>("insert: behind this line; 0 is before the first"),
               field<&file_command::insert_text>("insert: the text"),
               field<&file_command::old_path>("rename: what it is called"),
               field<&file_command::new_path>("rename: what it becomes")};

/// The commands by name, for schemas.
inline constexpr std::array<std::string_view, 6> file_commands{"view",   "create", "str_replace",
                                                               "insert", "delete", "rename"};

/// Carries one out. Returns: what a model is told.
/// Fails with, also: errc::invalid_argument naming the member that the command needs.
result<std::string> carry_out(memory_files const& files, file_command const& what);

}  // namespace wherry::inline v0
