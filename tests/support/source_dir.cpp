#include "source_dir.hpp"

namespace wherry_test {

std::filesystem::path source_dir() { return WHERRY_SOURCE_DIR; }

}  // namespace wherry_test
