#pragma once
// What is told of a model file, whatever it is used for.

#include <wherry/llm/gguf.hpp>
#include <wherry/llm/kernels.hpp>

#include <cstddef>
#include <string>

namespace wherry::inline v0 {
namespace local {

/// Names the weights without reading all of them: every tensor's name, type, shape and first bytes, and the vocabulary.
std::string fingerprint_of(gguf_file const& file, kernel_set kernels);

/// The type that most weights have.
std::string most_common_type(gguf_file const& file);

std::size_t parameters_of(gguf_file const& file) noexcept;

/// As many threads as asked for; 0: one per core, at most 8.
std::size_t threads_for(std::size_t asked) noexcept;

}  // namespace local
}  // namespace wherry::inline v0
