#pragma once
// The model seam: what an agent needs of a language model, in four functions. What a model can do is data
// (capabilities); what it lacks is reported by name, never silently.

#include <wherry/core/clock.hpp>
#include <wherry/core/json_fwd.hpp>
#include <wherry/core/random.hpp>
#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>
#include <wherry/llm/message.hpp>
#include <wherry/llm/sampling.hpp>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace wherry::inline v0 {

namespace grammar {
class expr;  // grammar.hpp
}

/// What a model can do. Each is a promise that tests/contract/model_contract.hpp checks.
struct capabilities {
  bool tools = false;  ///< Takes tool specs and answers with tool calls.
  bool grammar =
      false;            ///< Decodes under the tools' and the output's schema: what it answers is valid by construction.
  bool logits = false;  ///< Reports log-probabilities and alternatives.
  bool ids = false;     ///< Counts tokens exactly and shows the ids it was given.
  bool fork = false;    ///< Shares the computed prefix between requests.
  bool adapters = false;    ///< Applies the low-rank adapters that a request names.
  std::uint32_t parts = 0;  ///< Bit i: takes content parts of part_kind i.

  bool takes(part_kind kind) const noexcept { return (parts >> static_cast<unsigned>(kind)) & 1u; }
  static constexpr std::uint32_t parts_of(std::initializer_list<part_kind> kinds) noexcept {
    std::uint32_t bits = 0;
    for (auto const kind : kinds) bits |= 1u << static_cast<unsigned>(kind);
    return bits;
  }
};

struct model_info {
  std::string name;
  std::string fingerprint;         ///< Names the weights and everything that changes results; equal means comparable.
  std::size_t context_tokens = 0;  ///< Prompt and answer together. 0: unknown.
  capabilities can;
};

/// Whether an answer may, must or must not contain tool calls.
enum class tool_choice { automatic, none, required };

/// A low-rank adapter that the model has loaded, and how strongly it is applied.
struct adapter_choice {
  std::string name;
  float strength = 1;
  friend bool operator==(adapter_choice const&, adapter_choice const&) = default;
};

/// One model call. A plain value.
struct model_request {
  std::vector<message> messages;
  std::shared_ptr<std::vector<tool_spec> const> tools;  ///< Offered tools, sorted by name; null: none.
  tool_choice choice = tool_choice::automatic;
  std::optional<raw_json> output_schema;  ///< The final answer is JSON of this schema; absent: text.
  sampling_options sampling;
  std::vector<std::string> stop;         ///< The answer ends before the first of these; they are not part of it.
  std::size_t max_tokens = 512;          ///< Bound of the answer.
  deadline until = no_deadline;          ///< Checked between tokens.
  draw_key draws;                        ///< Where its random numbers are drawn: run seed and step.
  std::vector<adapter_choice> adapters;  ///< Applied together; see local_model::load_adapter.
  /// Names of the tools that may be called in this answer; absent: all. The prompt does not change with it, so that
  /// what was computed of it stays good. Enforced by models with capabilities::grammar.
  std::optional<std::vector<std::string>> callable;
  bool parallel_calls = true;  ///< More than one call in this answer. Enforced as `callable` is.
  /// The text of an answer without calls is in this language, from its first byte to its last; null: any text. Not
  /// beside output_schema. The prompt does not tell the model of it. A model with capabilities::grammar decodes under
  /// it; every other checks the answer when it is whole (its stream then fails with errc::output_invalid) or refuses
  /// the request: no model ignores it.
  std::shared_ptr<grammar::expr const> constraint;
};

struct token_usage {
  std::size_t prompt_tokens = 0;
  std::size_t cached_prompt_tokens = 0;  ///< Of these, not computed again.
  std::size_t completion_tokens = 0;
  bool estimated = false;  ///< The model has no tokenizer of its own to count with.
  friend bool operator==(token_usage const&, token_usage const&) = default;
};

enum class finish_reason { stop, tool_calls, length, cancelled };
char const* to_string(finish_reason reason) noexcept;

/// Something asked for that the model lacks, and what happens instead.
struct notice {
  std::string feature;  ///< "logprobs", "grammar", "seed", ...
  std::string effect;   ///< One sentence.
  friend bool operator==(notice const&, notice const&) = default;
};

struct text_delta {
  std::string text;  ///< Ends on a code point.
};
struct reasoning_delta {
  std::string text;
};
/// A call is complete; its arguments are the raw text.
struct tool_call_ready {
  tool_call call;
};
/// One decoded token, when log-probabilities were asked for.
struct token_chosen {
  token_id token = 0;
  std::string bytes;
  double logprob = 0;
  std::vector<std::pair<token_id, double>> alternatives;
};
/// The last event of a stream that succeeded.
struct response_end {
  message answer;  ///< role::assistant: text, reasoning and calls as they came.
  finish_reason reason = finish_reason::stop;
  token_usage usage;
  std::vector<notice> notices;
};
using model_event = std::variant<text_delta, reasoning_delta, tool_call_ready, token_chosen, response_end>;

/// An answer under way.
class model_stream {
 public:
  virtual ~model_stream() = default;

  /// The next event. After response_end or an error there are no more: asking again is errc::invalid_argument.
  /// Fails with: errc::deadline_exceeded, errc::cancelled, errc::model_failed.
  /// Cancellation (Asio's, or cancel()): the answer ends within a token; the stream then fails with errc::cancelled.
  virtual task<result<model_event>> async_next() = 0;

  /// Ends the answer soon. Safe from any thread and more than once.
  virtual void cancel() noexcept = 0;
};

/// The exact request, as the model gets it.
struct rendered_request {
  std::vector<message> messages;
  std::optional<std::string> text;           ///< The rendered prompt (local models) or the body sent (remote ones).
  std::optional<std::vector<token_id>> ids;  ///< Prompt ids, for models with capabilities::ids.
  std::vector<notice> notices;
};

/// A language model. Thread-safe: several runs may use one at the same time.
class model {
 public:
  virtual ~model() = default;

  virtual model_info const& info() const noexcept = 0;

  /// Queues a request.
  /// Fails with: errc::model_refused_part naming the part; errc::context_overflow; errc::schema_unsupported;
  /// errc::budget_too_small; errc::invalid_argument (a constraint beside a schema); of a constraint, what
  /// grammar::compile fails with; errc::queue_full (retryable).
  virtual result<std::unique_ptr<model_stream>> submit(model_request request) = 0;

  /// What submit would send. The default shows the messages alone.
  virtual result<rendered_request> render(model_request const& request) const;

  /// Tokens of a text. The default estimates a token for four bytes; capabilities::ids says which it is.
  virtual std::size_t count_tokens(std::string_view text) const;
};

/// Refuses the first content part the model cannot take, by name.
/// Fails with: errc::model_refused_part.
result<void> check_parts(model_info const& info, std::vector<message> const& messages);

/// Refuses a request with both an output schema and a constraint.
/// Fails with: errc::invalid_argument.
result<void> check_constraint(model_request const& request);

/// What the request asks for and the model lacks.
std::vector<notice> missing_features(model_info const& info, model_request const& request);

/// Collects a stream to its end: "not streaming" is the same stream, collected.
task<result<response_end>> async_collect(std::unique_ptr<model_stream> stream);

}  // namespace wherry::inline v0
