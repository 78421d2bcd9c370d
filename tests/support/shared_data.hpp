#pragma once
// Test data that is not part of the repository. Tests that need it say so and skip visibly without it.

#include "source_dir.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace wherry_test {

/// The folder named by WHERRY_SHARED; "../shared" beside the source tree when it is unset.
inline std::filesystem::path shared_root() {
  if (char const* named = std::getenv("WHERRY_SHARED"); named && *named) return named;
  return source_dir() / ".." / "shared";
}

/// Path below the shared folder, or a visible skip of the running test. WHERRY_REQUIRE_DATA=1 makes the skip a failure.
inline std::filesystem::path shared(std::string const& relative) {
  auto path = shared_root() / relative;
  if (!std::filesystem::exists(path)) {
    std::string const message = "needs test data: " + relative + " (set WHERRY_SHARED)";
    char const* required = std::getenv("WHERRY_REQUIRE_DATA");
    if (required && std::string(required) == "1") FAIL(message);
    SKIP(message);
  }
  return path;
}

inline std::string read_file(std::filesystem::path const& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace wherry_test
