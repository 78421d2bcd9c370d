#pragma once
// Takes tensors out of a file by name, checks their shapes, and remembers which ones were taken.

#include "engine/weights.hpp"

#include <optional>
#include <string>

namespace wherry::inline v0::engine {

class tensor_taker {
 public:
  tensor_taker(gguf_file const& file, config const& c, kernel_table const& kernels)
      : file_(file), config_(c), kernels_(kernels), taken_(file.tensors().size(), false) {}

  bool has(std::string const& name) const { return file_.find_tensor(name) != nullptr; }

  /// Rows of a matrix that may be there; 0 when it is not.
  std::size_t rows_of(std::string const& name) const;

  /// Tensors that must be there. A failure gives an empty view and is reported by finish().
  matrix take_matrix(std::string const& name, std::size_t rows, std::size_t columns);
  std::span<float const> take_vector(std::string const& name, std::size_t size);
  /// Of `count` matrices, one after the other in a tensor of three dimensions.
  std::vector<matrix> take_matrices(std::string const& name, std::size_t count, std::size_t rows, std::size_t columns);
  /// A tensor of any type as floats.
  std::vector<float> take_floats(std::string const& name, std::size_t rows, std::size_t columns);
  /// NAME.weight, and NAME.bias when it is there or must be.
  linear take_linear(std::string const& name, std::size_t rows, std::size_t columns, bool needs_bias = false);
  /// NAME.weight and, for layer normalisation, NAME.bias.
  norm_weights take_norm(std::string const& name, std::size_t size);

  /// Tensors that may be absent.
  std::span<float const> find_vector(std::string const& name, std::size_t size);
  norm_weights find_norm(std::string const& name, std::size_t size);

  void fail(errc code, std::string what);
  /// The first failure; else a complaint about a tensor that nobody took.
  result<void> finish();

 private:
  tensor_info const* take(std::string const& name, std::vector<std::uint64_t> shape);
  matrix view(tensor_info const& tensor, std::size_t rows, std::size_t columns);

  gguf_file const& file_;
  config const& config_;
  kernel_table const& kernels_;
  std::vector<bool> taken_;
  std::optional<error> failure_;
};

}  // namespace wherry::inline v0::engine
