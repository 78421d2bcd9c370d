#pragma once
// A small directory as one text that a version control can keep: for each file a line "file NAME BYTES", then its bytes
// in hexadecimal, 48 a line; "* N" stands for N further lines like the one before.

#include "shared_data.hpp"

#include <algorithm>
#include <map>
#include <sstream>
#include <string>

namespace wherry_test {

inline std::string pack_directory(std::filesystem::path const& directory) {
  constexpr std::size_t line_bytes = 48;
  std::map<std::string, std::string> files;
  for (auto const& entry : std::filesystem::recursive_directory_iterator(directory))
    if (entry.is_regular_file())
      files[std::filesystem::relative(entry.path(), directory).string()] = read_file(entry.path());
  std::string out;
  for (auto const& [name, bytes] : files) {
    // What RocksDB makes anew by itself.
    auto const plain = std::filesystem::path(name).filename().string();
    if (plain == "LOCK" || plain.starts_with("OPTIONS-")) continue;
    out += "file " + name + ' ' + std::to_string(bytes.size()) + '\n';
    std::string last;
    std::size_t again = 0;
    auto const end_run = [&] {
      if (again) out += "* " + std::to_string(again) + '\n';
      again = 0;
    };
    for (std::size_t at = 0; at < bytes.size(); at += line_bytes) {
      std::string line;
      for (std::size_t i = at; i < std::min(at + line_bytes, bytes.size()); ++i) {
        auto const byte = static_cast<unsigned char>(bytes[i]);
        line += "0123456789abcdef"[byte / 16];
        line += "0123456789abcdef"[byte % 16];
      }
      if (line == last) {
        ++again;
        continue;
      }
      end_run();
      out += line + '\n';
      last = line;
    }
    end_run();
  }
  return out;
}

inline void unpack_directory(std::string const& packed, std::filesystem::path const& into) {
  std::istringstream in(packed);
  std::string name, bytes, last;
  std::size_t size = 0;
  auto const write = [&] {
    if (name.empty()) return;
    REQUIRE(bytes.size() == size);
    std::filesystem::create_directories((into / name).parent_path());
    std::ofstream(into / name, std::ios::binary) << bytes;
  };
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("file ")) {
      write();
      std::istringstream words(line.substr(5));
      words >> name >> size;
      bytes.clear();
      continue;
    }
    std::size_t times = 1;
    if (line.starts_with("* "))
      times = std::stoul(line.substr(2));
    else
      last = line;
    for (; times > 0; --times)
      for (std::size_t i = 0; i + 1 < last.size(); i += 2)
        bytes += static_cast<char>(std::stoi(last.substr(i, 2), nullptr, 16));
  }
  write();
}

}  // namespace wherry_test
