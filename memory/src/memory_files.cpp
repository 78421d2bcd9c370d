#include <wherry/memory/memory_files.hpp>

#include <wherry/core/text.hpp>
#include <wherry/memory/transaction.hpp>

#include <algorithm>
#include <cstdio>

namespace wherry::inline v0 {
namespace {

error refused(errc code, std::string message) { return error{code, std::move(message), "memory_files"}; }

/// UTF-8 of characters that change how a path looks: zero-width ones and marks and overrides of direction.
constexpr std::array<std::string_view, 13> misleading{"\u200B", "\u200C", "\u200D", "\u200E", "\u200F",
                                                      "\u202A", "\u202B", "\u202C", "\u202D", "\u202E",
                                                      "\u2028", "\u2029", "\uFEFF"};

std::optional<std::string_view> wrong_in(std::string_view path) {
  if (!is_valid_utf8(path)) return "is not UTF-8";
  for (char const c : path) {
    auto const byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) return "has a control character";
    if (c == '\\') return "has a backslash";
    if (c == '%') return "has a percent sign; write names as they are";
  }
  for (auto const mark : misleading)
    if (path.find(mark) != std::string_view::npos) return "has a character that cannot be seen";
  return std::nullopt;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    auto const end = text.find('\n');
    out.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return out;
}

std::string numbered(std::size_t number, std::string_view line) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%6zu\t", number);
  return digits + std::string(line) + '\n';
}

std::string counted_files(std::size_t count) { return std::to_string(count) + (count == 1 ? " file" : " files"); }

}  // namespace

memory_files::memory_files(scope_handle scope, memory_files_options options)
    : scope_(std::move(scope)), options_(std::move(options)) {}

/// The path as its key: without a closing "/". The root is "<root>".
result<std::string> memory_files::checked(std::string const& path) const {
  auto const refuse = [&](std::string_view why) {
    return refused(errc::invalid_argument,
                   "the path \"" + utf8_repaired(path.substr(0, options_.path_bytes_max)) + "\" " + std::string(why));
  };
  if (path.size() > options_.path_bytes_max)
    return refuse("is longer than " + std::to_string(options_.path_bytes_max) + " bytes");
  if (auto const wrong = wrong_in(path)) return refuse(*wrong);
  auto out = path;
  if (!out.empty() && out.back() == '/') out.pop_back();
  if (out == options_.root) return out;
  if (!out.starts_with(options_.root + '/')) return refuse("is not below " + options_.root + "; begin with it");
  std::size_t parts = 0;
  std::string_view rest = std::string_view(out).substr(options_.root.size() + 1);
  for (bool more = true; more; ++parts) {
    auto const end = rest.find('/');
    auto const name = rest.substr(0, end);
    if (name.empty()) return refuse("has an empty name");
    if (name == "." || name == "..") return refuse("has a name \".\" or \"..\"");
    if (name.front() == ' ' || name.back() == ' ') return refuse("has a name that begins or ends with a space");
    more = end != std::string_view::npos;
    if (more) rest = rest.substr(end + 1);
  }
  if (parts > options_.path_parts_max)
    return refuse("has more than " + std::to_string(options_.path_parts_max) + " names");
  return out;
}

result<std::optional<memory_files::stored_file>> memory_files::find(std::string const& path) const {
  auto const found = scope_.items(options_.space).get(path);
  if (!found) return found.error();
  if (!*found) return std::optional<stored_file>{};
  auto text = decode<std::string>((*found)->value);
  if (!text) return std::move(text).error();
  return std::optional(stored_file{path, std::move(*text), (*found)->version});
}

result<memory_files::stored_file> memory_files::need(std::string const& path) const {
  auto const key = checked(path);
  if (!key) return key.error();
  auto found = find(*key);
  if (!found) return std::move(found).error();
  if (!*found) return refused(errc::not_found, "there is no file " + *key + "; view " + options_.root + " lists them");
  return std::move(**found);
}

result<std::vector<memory_files::stored_file>> memory_files::files_in(std::string const& directory) const {
  // More than files_max can be there after creations at the same moment; they are listed too.
  auto const found = scope_.items(options_.space).list(directory + '/', {}, 2 * options_.files_max);
  if (!found) return found.error();
  std::vector<stored_file> out;
  for (auto const& i : *found) {
    auto text = decode<std::string>(i.value);
    if (!text) return std::move(text).error();
    out.push_back({i.key, std::move(*text), i.version});
  }
  return out;
}

/// A name is free when neither it, nor anything below it, nor a part of it is a file.
result<void> memory_files::refuse_taken(std::string const& path) const {
  auto const there = find(path);
  if (!there) return there.error();
  if (*there) return refused(errc::already_exists, "there is a file " + path + " already");
  auto const below = scope_.items(options_.space).list(path + '/', {}, 1);
  if (!below) return below.error();
  if (!below->empty()) return refused(errc::already_exists, path + " is a directory");
  for (auto end = path.rfind('/'); end > options_.root.size(); end = path.rfind('/', end - 1)) {
    auto const parent = find(path.substr(0, end));
    if (!parent) return parent.error();
    if (*parent) return refused(errc::already_exists, path.substr(0, end) + " is a file, not a directory");
  }
  return {};
}

result<void> memory_files::save(stored_file const& changed) const {
  if (changed.text.size() > options_.file_bytes_max)
    return refused(errc::limit_reached, "the file would be " + std::to_string(changed.text.size()) +
                                            " bytes long; the most is " + std::to_string(options_.file_bytes_max));
  if (!is_valid_utf8(changed.text)) return refused(errc::invalid_argument, "the text is not UTF-8");
  auto const done =
      scope_.items(options_.space).put_as(changed.path, changed.text, {.expected_version = changed.version});
  return done ? result<void>{} : done.error();
}

result<std::string> memory_files::read(std::string const& path) const {
  auto found = need(path);
  if (!found) return std::move(found).error();
  return std::move(found->text);
}

result<std::string> memory_files::view(std::string const& path, std::size_t first, std::size_t last) const {
  auto const key = checked(path);
  if (!key) return key.error();
  auto const file = find(*key);
  if (!file) return file.error();
  std::string out;
  if (!*file) {
    auto const all = files_in(*key);
    if (!all) return all.error();
    if (all->empty() && *key != options_.root) return refused(errc::not_found, "there is no file or directory " + *key);
    out = *key + ": " + counted_files(all->size()) + '\n';
    for (auto const& f : *all) {
      auto line = std::to_string(f.text.size()) + "\t" + f.path + '\n';
      if (out.size() + line.size() > options_.view_bytes_max) return out + "... view a directory to see the rest\n";
      out += line;
    }
    return out;
  }
  auto const lines = lines_of((*file)->text);
  auto const end = last == 0 ? lines.size() : last;
  if (first == 0 || end > lines.size() || (first > end && !lines.empty()))
    return refused(errc::invalid_argument, *key + " has " + std::to_string(lines.size()) + " lines; lines " +
                                               std::to_string(first) + " to " + std::to_string(end) +
                                               " are not among them");
  for (auto n = first; n <= end && n <= lines.size(); ++n) {
    auto line = numbered(n, lines[n - 1]);
    if (out.size() + line.size() > options_.view_bytes_max) {
      if (n == first)  // one line that is too long: its beginning
        out = line.substr(0, utf8_complete_prefix(std::string_view(line).substr(0, options_.view_bytes_max))) + '\n';
      return out + "... cut at line " + std::to_string(n) + " of " + std::to_string(lines.size()) + "\n";
    }
    out += line;
  }
  return out.empty() ? std::string("the file is empty") : out;
}

result<void> memory_files::create(std::string const& path, std::string const& text) const {
  auto const key = checked(path);
  if (!key) return key.error();
  if (*key == options_.root) return refused(errc::invalid_argument, *key + " is the root; name a file below it");
  if (auto taken = refuse_taken(*key); !taken) return taken;
  auto const all = scope_.items(options_.space).list(options_.root + '/', {}, options_.files_max);
  if (!all) return all.error();
  if (all->size() >= options_.files_max)
    return refused(errc::limit_reached, "there are " + std::to_string(options_.files_max) +
                                            " files, which is the most; delete some or put more into one");
  return save({*key, text, 0});
}

result<void> memory_files::replace(std::string const& path, std::string const& old_text,
                                   std::string const& new_text) const {
  auto file = need(path);
  if (!file) return std::move(file).error();
  if (old_text.empty()) return refused(errc::invalid_argument, "the text to be replaced is empty");
  std::vector<std::size_t> lines;
  std::size_t at = std::string::npos;
  for (auto i = file->text.find(old_text); i != std::string::npos; i = file->text.find(old_text, i + 1)) {
    at = std::min(at, i);
    lines.push_back(1 + static_cast<std::size_t>(
                            std::count(file->text.begin(), file->text.begin() + static_cast<std::ptrdiff_t>(i), '\n')));
  }
  if (lines.empty())
    return refused(errc::not_found, "that text does not stand in " + file->path + "; view it and copy exactly");
  if (lines.size() > 1) {
    std::string where;
    constexpr std::size_t told_max = 8;
    for (std::size_t i = 0; i < std::min(lines.size(), told_max); ++i)
      where += (i ? ", " : "") + std::to_string(lines[i]);
    return refused(errc::conflict, "that text stands in " + file->path + " " + std::to_string(lines.size()) +
                                       " times (lines " + where + (lines.size() > told_max ? ", ..." : "") +
                                       "); give more of it");
  }
  file->text.replace(at, old_text.size(), new_text);
  return save(*file);
}

result<void> memory_files::insert(std::string const& path, std::size_t line, std::string const& text) const {
  auto file = need(path);
  if (!file) return std::move(file).error();
  auto const lines = lines_of(file->text);
  if (line > lines.size())
    return refused(errc::invalid_argument, file->path + " has " + std::to_string(lines.size()) +
                                               " lines; there is no line " + std::to_string(line));
  std::size_t at = 0;
  for (std::size_t i = 0; i < line; ++i) at += lines[i].size() + 1;
  if (at > file->text.size()) {  // the last line had no end
    file->text += '\n';
  }
  file->text.insert(at, text.empty() || text.back() == '\n' ? text : text + '\n');
  return save(*file);
}

result<std::size_t> memory_files::remove(std::string const& path) const {
  auto const key = checked(path);
  if (!key) return key.error();
  if (*key == options_.root) return refused(errc::invalid_argument, "the root cannot be deleted; name what is in it");
  auto const file = find(*key);
  if (!file) return file.error();
  auto gone = *file ? result<std::vector<stored_file>>(std::vector{**file}) : files_in(*key);
  if (!gone) return std::move(gone).error();
  if (gone->empty()) return refused(errc::not_found, "there is no file or directory " + *key);
  transaction tx{scope_};
  for (auto const& f : *gone) tx.remove_item(options_.space, f.path, {.expected_version = f.version});
  if (auto done = tx.commit(); !done) return std::move(done).error();
  return gone->size();
}

result<std::size_t> memory_files::rename(std::string const& from, std::string const& to) const {
  auto const source = checked(from), target = checked(to);
  if (!source || !target) return !source ? source.error() : target.error();
  if (*source == options_.root || *target == options_.root)
    return refused(errc::invalid_argument, "the root keeps its name");
  if (target->starts_with(*source + '/'))
    return refused(errc::invalid_argument, "a directory cannot be moved into itself");
  auto const file = find(*source);
  if (!file) return file.error();
  auto moved = *file ? result<std::vector<stored_file>>(std::vector{**file}) : files_in(*source);
  if (!moved) return std::move(moved).error();
  if (moved->empty()) return refused(errc::not_found, "there is no file or directory " + *source);
  if (auto taken = refuse_taken(*target); !taken) return std::move(taken).error();
  transaction tx{scope_};
  for (auto const& f : *moved) {
    auto const path = checked(*target + f.path.substr(source->size()));  // its depth and length may now be too much
    if (!path) return path.error();
    tx.remove_item(options_.space, f.path, {.expected_version = f.version});
    tx.put_item(options_.space, *path, encode(f.text).text, {.expected_version = 0});
  }
  if (auto done = tx.commit(); !done) return std::move(done).error();
  return moved->size();
}

result<std::string> carry_out(memory_files const& files, file_command const& what) {
  auto const lacks = [&](char const* member) {
    return refused(errc::invalid_argument, "the command " + what.command + " needs \"" + member + '"');
  };
  if (what.command == "rename") {
    if (!what.old_path) return lacks("old_path");
    if (!what.new_path) return lacks("new_path");
    auto const done = files.rename(*what.old_path, *what.new_path);
    if (!done) return done.error();
    return "renamed " + *what.old_path + " to " + *what.new_path + " (" + counted_files(*done) + ')';
  }
  if (std::find(file_commands.begin(), file_commands.end(), what.command) == file_commands.end())
    return refused(errc::invalid_argument, "there is no command \"" + utf8_repaired(what.command.substr(0, 40)) +
                                               "\"; there are view, create, str_replace, insert, delete and rename");
  if (!what.path) return lacks("path");
  if (what.command == "view") {
    std::size_t first = 1, last = 0;
    if (what.view_range) {
      auto const& range = *what.view_range;
      if (range.size() != 2 || range[0] < 1 || (range[1] < 1 && range[1] != -1))
        return refused(errc::invalid_argument, "view_range is [first, last], from 1; last may be -1, the end");
      first = static_cast<std::size_t>(range[0]);
      last = range[1] == -1 ? 0 : static_cast<std::size_t>(range[1]);
    }
    return files.view(*what.path, first, last);
  }
  auto const told = [&](result<void> done, char const* did) -> result<std::string> {
    if (!done) return std::move(done).error();
    return did + (' ' + *what.path);
  };
  if (what.command == "create") {
    if (!what.file_text) return lacks("file_text");
    return told(files.create(*what.path, *what.file_text), "created");
  }
  if (what.command == "str_replace") {
    if (!what.old_str) return lacks("old_str");
    return told(files.replace(*what.path, *what.old_str, what.new_str.value_or("")), "changed");
  }
  if (what.command == "insert") {
    if (!what.insert_line) return lacks("insert_line");
    if (!what.insert_text) return lacks("insert_text");
    if (*what.insert_line < 0) return refused(errc::invalid_argument, "insert_line counts from 0");
    return told(files.insert(*what.path, static_cast<std::size_t>(*what.insert_line), *what.insert_text), "changed");
  }
  auto const done = files.remove(*what.path);
  if (!done) return done.error();
  return "deleted " + *what.path + " (" + counted_files(*done) + ')';
}

}  // namespace wherry::inline v0
