#pragma once
// How parser and interpreter give up: an exception that never leaves this folder. chat_template.cpp turns it into an
// error at the public border; an interpreter that checked a result at every node would be twice as long.

#include "chat/jinja_ast.hpp"

#include <wherry/core/error.hpp>

#include <optional>
#include <string>

namespace wherry::inline v0::detail::chat {

struct failure {
  errc code = errc::invalid_argument;
  std::string message;
  std::optional<source_position> at = {};  ///< Filled in by the innermost expression or statement that knows.
};

[[noreturn]] inline void fail(std::string message, errc code = errc::invalid_argument) {
  throw failure{code, std::move(message)};
}

inline std::string to_string(source_position at) {
  return "line " + std::to_string(at.line) + ":" + std::to_string(at.column);
}

}  // namespace wherry::inline v0::detail::chat
