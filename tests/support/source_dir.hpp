#pragma once
// Where the source tree lies. In a file of its own, so that the objects of the tests do not depend on it.

#include <filesystem>

namespace wherry_test {

std::filesystem::path source_dir();

}  // namespace wherry_test
