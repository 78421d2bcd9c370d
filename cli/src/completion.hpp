#pragma once
// Completion scripts, made from the command line's own declaration, so that they cannot disagree with it.

#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace wherry::cli {

/// The script for "bash" or "zsh".
std::string completion_script(CLI::App const& app, std::string_view shell);

}  // namespace wherry::cli
