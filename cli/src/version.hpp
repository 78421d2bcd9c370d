#pragma once
// The version, as the build system knows it.

#include <string_view>

namespace wherry::cli {
inline constexpr std::string_view version_text = WHERRY_VERSION;
}
