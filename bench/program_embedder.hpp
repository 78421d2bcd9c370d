#pragma once
// An embedder that is another program: bench/embedder has one. A line of JSON in, a line of JSON out.

#include <wherry/llm/embedder.hpp>

#include <memory>
#include <string>

namespace bench_memory {

/// Starts `command` with a shell and reads what it is; it ends with the embedder. Each call blocks its thread.
/// Throws: std::runtime_error when the program does not start or does not say what it is within a minute.
std::shared_ptr<wherry::embedder> start_program_embedder(std::string const& command);

}  // namespace bench_memory
