#include "standard_input.hpp"

#include "terminal.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace wherry::cli {

result<std::string> read_standard_input(std::size_t bytes_max, std::string const& where) {
  slow_work const telling("reading standard input to its end (< /dev/null leaves it out)");
  std::string text;
  char buffer[65536];
  while (true) {
    auto const got = read(STDIN_FILENO, buffer, sizeof buffer);
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return error{errc::io_failed, std::string("standard input could not be read: ") + std::strerror(errno), where};
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > bytes_max)
      return error{errc::limit_reached,
                   "standard input is longer than " + bytes_text(bytes_max) + "; give a part of it", where};
  }
  return text;
}

}  // namespace wherry::cli
