#pragma once
// A GGUF file with narrower weights from one with wider ones.

#include <wherry/core/result.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace wherry::inline v0 {

/// How far quantize_model has come.
struct quantize_progress {
  std::string_view tensor;  ///< The one being written; valid during the call.
  std::uint64_t weights_done = 0;
  std::uint64_t weights_total = 0;
};

struct quantize_options {
  /// Also convert weights that are in blocks already. That adds one rounding to another; better begin with F16 or BF16.
  bool requantize = false;
  unsigned threads = 0;  ///< 0: one per core, at most 8.
  /// Called on the calling thread before the first and after every piece of at most some million weights. False stops
  /// the work with errc::cancelled; nothing is left behind.
  std::function<bool(quantize_progress const&)> progress = {};
};

struct quantize_report {
  std::uint64_t bytes_before = 0;  ///< Of the tensors' data.
  std::uint64_t bytes_after = 0;
  std::uint64_t weights = 0;
  std::map<std::string, std::size_t> tensors;  ///< How many tensors of each type were written, by the type's name.
  std::size_t narrow = 0;  ///< Matrices that took another type because their rows are no multiple of its block.
};

/// "F32, F16, BF16, Q8_0, ..., Q4_K_M": the types that quantize_model takes, for messages.
std::string quantize_type_names();

/// Writes `to` with the weights of `from` in another type: one that quantize_type_names() names, in upper or lower
/// case. Every matrix gets it, except that
///   - vectors (also matrices of one row), positions, token types, routers of experts, relative position biases and
///     convolutions stay as they are;
///   - rows that are no multiple of 256 take Q5_0 for Q4_K, Q5_1 for Q5_K and Q8_0 for Q6_K; no multiple of 32: F16;
///   - Q4_K_M is a mixture of Q4_K, Q5_K and Q6_K; docs/models.md has its rule.
/// Metadata is kept, general.file_type and general.quantization_version are set; a split model becomes one file.
/// The bytes depend on the input alone, not on threads. One piece of a tensor is in memory at a time; the file is
/// written aside (to + ".part") and renamed.
///
/// Fails with: what gguf_file::open fails with; errc::invalid_argument for an unknown type, for weights already in
/// blocks without `requantize`, and for a weight that is not finite or too large for the type (the message names tensor
/// and row); errc::cancelled; errc::io_failed, errc::disk_full.
result<quantize_report> quantize_model(std::filesystem::path const& from, std::filesystem::path const& to,
                                       std::string_view type, quantize_options const& options = {});

}  // namespace wherry::inline v0
