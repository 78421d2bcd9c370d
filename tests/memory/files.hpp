#pragma once

#include "shared_data.hpp"

#include <filesystem>
#include <set>
#include <string>

namespace wherry_test {

/// The files below a directory that hold some bytes. Stores looked at so are not compressed, else it would prove
/// nothing.
inline std::set<std::string> files_with(std::filesystem::path const& directory, std::string const& bytes) {
  std::set<std::string> out;
  for (auto const& entry : std::filesystem::recursive_directory_iterator(directory))
    if (entry.is_regular_file() && read_file(entry.path()).find(bytes) != std::string::npos)
      out.insert(entry.path().filename().string());
  return out;
}

}  // namespace wherry_test
