// wherry: the command.

#include "command_line.hpp"
#include "outcome.hpp"
#include "terminal.hpp"

#include <exception>

int main(int argc, char** argv) {
  try {
    return wherry::cli::run_command_line(argc, argv);
  } catch (std::exception const& failure) {
    // What the world does comes back as a value; this is memory, threads, or a bug.
    wherry::cli::say(std::string("wherry: ") + failure.what());
    return wherry::cli::exit_failed;
  }
}
