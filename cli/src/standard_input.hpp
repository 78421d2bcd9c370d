#pragma once
// Standard input as one text.

#include <wherry/core/result.hpp>

#include <cstddef>
#include <string>

namespace wherry::cli {

/// Reads standard input to its end; tells so when that takes long.
/// Fails with: errc::io_failed; errc::limit_reached beyond `bytes_max`. `where` names the command in the error.
result<std::string> read_standard_input(std::size_t bytes_max, std::string const& where);

}  // namespace wherry::cli
