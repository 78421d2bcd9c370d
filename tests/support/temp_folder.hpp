#pragma once
// A folder that is gone when the test is.

#include <wherry/core/id.hpp>

#include <filesystem>

namespace wherry_test {

class temp_folder {
 public:
  temp_folder() : path_(std::filesystem::temp_directory_path() / ("wherry-test-" + wherry::ulid::fresh().text())) {
    std::filesystem::create_directories(path_);
  }
  temp_folder(temp_folder const&) = delete;
  temp_folder& operator=(temp_folder const&) = delete;
  ~temp_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path const& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace wherry_test
