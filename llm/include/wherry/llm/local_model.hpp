#pragma once
// local_model: a transformer in this process. Weights are memory-mapped from a GGUF file and shared by all copies of
// the handle; one scheduler thread with its kernel workers computes all requests, a token of each in turn.

#include <wherry/core/result.hpp>
#include <wherry/llm/gguf.hpp>
#include <wherry/llm/model.hpp>
#include <wherry/llm/tokenizer.hpp>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wherry::inline v0 {

struct local_model_options {
  std::string kernels = "auto";          ///< "scalar", "avx2", "avx512", or the best this CPU has.
  std::size_t threads = 0;               ///< Kernel threads, the scheduler's own included; 0: one per core, at most 8.
  std::size_t context_tokens = 0;        ///< Positions of one sequence; 0: the smaller of declared and 8,192.
  bool exceed_declared_context = false;  ///< Allow more positions than the file declares, with a notice.
  std::size_t kv_bytes_max = 0;          ///< Keys and values of all sequences; 0: half of the free memory.
  std::size_t parallel_max = 4;          ///< Requests decoded in turn; more wait in the queue.
  std::size_t queue_max = 64;            ///< Requests waiting; beyond it submit fails with errc::queue_full.
  std::optional<std::string> chat_template;  ///< Jinja source instead of the file's own.
};

/// What was loaded, told to people.
struct local_model_description {
  std::string file;
  std::string architecture;
  std::string quantisation;  ///< Type of most weights, e.g. "Q8_0".
  std::string kernels;
  std::string chat_template;  ///< "from the file", "given", or the named built-in.
  std::string answer_family;  ///< How its answers are read: "plain", "hermes", ...
  std::string tokenizer;
  std::size_t parameters = 0;
  std::size_t layers = 0, heads = 0, kv_heads = 0, width = 0;
  std::size_t vocabulary = 0;
  std::size_t declared_context = 0, context = 0;
  std::size_t kv_bytes_per_token = 0;
  std::size_t file_bytes = 0;
  std::size_t threads = 0;
  std::vector<notice> notices;  ///< E.g. that a built-in template is used, or that the weights are random.
};

/// A model in this process. A cheap copyable handle; thread-safe. The last handle stops the scheduler; answers under
/// way then end with errc::cancelled.
class local_model {
 public:
  /// As open(); throws wherry::exception.
  explicit local_model(std::filesystem::path const& gguf, local_model_options options = {});

  /// Maps and checks the file; no weight is copied.
  /// Fails with: errc::not_found; errc::corrupt_file; errc::unsupported (architecture, tensor type, tokenizer or kernel
  /// set, named together with what is supported); errc::limit_reached when keys and values would not fit.
  static result<local_model> open(std::filesystem::path const& gguf, local_model_options options = {});
  static result<local_model> from(gguf_file file, local_model_options options = {});

  local_model_description const& description() const noexcept;
  wherry::v0::tokenizer const& tokenizer() const noexcept;

  operator std::shared_ptr<model>() const;

  /// Loads a low-rank adapter (LoRA) under a name, which requests then choose; the model's own weights stay as they
  /// are. Several may be loaded, and one request may apply several. `file` is a GGUF adapter, or what PEFT writes: the
  /// folder with adapter_config.json and adapter_model.safetensors, or that safetensors file beside its configuration.
  /// Fails with: errc::not_found; errc::corrupt_file; errc::invalid_argument when it was made for another model, naming
  /// what does not fit, or when the name is taken; errc::unsupported for what it adapts or how.
  result<void> load_adapter(std::string name, std::filesystem::path const& file);
  result<void> load_adapter(std::string name, gguf_file const& file);
  std::vector<std::string> adapters() const;  ///< Names, sorted.

  /// The same model with adapters that are applied to every request, beside those a request names itself. Weights,
  /// queue and caches are shared; the fingerprint tells the difference. Fails with: errc::not_found for a name that was
  /// not loaded.
  result<std::shared_ptr<model>> with_adapters(std::vector<adapter_choice> chosen) const;

  /// Writes a GGUF file in which the chosen adapters are part of the weights, each matrix in the type it has. It is
  /// written aside (to + ".part") and renamed.
  /// Fails with: errc::not_found for a name that was not loaded; errc::unsupported when an adapted matrix has a type
  /// that cannot be written; errc::io_failed, errc::disk_full.
  result<void> save_merged(std::filesystem::path const& to, std::vector<adapter_choice> const& chosen) const;

  class impl;

 private:
  explicit local_model(std::shared_ptr<impl> shared) : impl_(std::move(shared)) {}
  std::shared_ptr<impl> impl_;
};

}  // namespace wherry::inline v0
