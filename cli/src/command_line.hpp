#pragma once
// The grammar of the command line: commands, options, their help texts, and what a wrong line is told.

namespace wherry::cli {

/// Reads the line, does what it asks for, and returns the exit code.
int run_command_line(int argc, char** argv);

}  // namespace wherry::cli
