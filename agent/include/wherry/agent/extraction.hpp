#pragma once
// Learning facts from what was said. A run of an agent that learns() commits a job together with its end; a worker, in
// this process or a later one, reads what the user and the tools said in that run and writes records that each cite the
// bytes they stand on. What cites nothing that was said is refused and counted; what had been recalled is not learnt
// again.

#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>
#include <wherry/llm/model.hpp>
#include <wherry/memory/scope.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0 {

/// The kind of the jobs.
inline constexpr char const* extraction_job_kind = "extract_facts";

/// The job for the events [first_seq, last_seq] of a session: {"session","run","first_seq","last_seq"}. One run has
/// one.
outbox_job extraction_job(std::string const& session, ulid const& run, std::uint64_t first_seq, std::uint64_t last_seq);

/// The instructions a model is asked with unless others are given.
extern char const* const extraction_instructions;

struct extraction_options {
  std::string instructions = extraction_instructions;
  bool tools = true;                   ///< Also from what tools returned, unless the tool recalls(). Needs a model.
  std::size_t text_bytes_max = 4'096;  ///< Of a piece given to the model at once; longer texts are cut at sentences.
  std::size_t texts_max = 16;          ///< Pieces of one job; further ones are left out and told.
  std::size_t answer_tokens = 512;     ///< Of the model, for one piece.
  std::uint32_t attempts_max = 3;      ///< Of a job with the model; then the rules do it.
  std::chrono::milliseconds lease = std::chrono::minutes{10};  ///< For how long a worker holds a job.
  std::chrono::milliseconds time = std::chrono::minutes{5};    ///< For the model, each piece.
};

/// What became of one job.
struct extraction_report {
  std::string session;
  ulid run;
  std::string by;                      ///< "model" or "rules".
  std::size_t texts = 0;               ///< Pieces read.
  std::vector<remember_report> facts;  ///< What each fact that was not refused became; `similar` names look-alikes.
  std::size_t without_span = 0;        ///< Refused: the quote does not stand in what was read, byte for byte.
  std::size_t recalled = 0;            ///< Refused: the quote is what recall had put there.
  std::size_t number_not_said = 0;     ///< Refused: the fact has a number that was not said.
  std::size_t unusable = 0;            ///< Refused: empty, or longer than a record's label or text may be.
  std::vector<std::string> degraded;   ///< What was left out or done with less, one sentence each.

  std::size_t count(remembered outcome) const noexcept;
};

/// Does extraction jobs. With a model facts are asked of it as typed output; where its decoding is constrained, a quote
/// can only be a sentence that was said. Without one, rules find plain statements of a user about himself ("I live in
/// ...", "my ... is ...", "remember that ..."; English, German, Korean).
///
/// Threads: thread-safe; several workers of one scope each take other jobs.
class fact_extractor {
 public:
  explicit fact_extractor(extraction_options options = {});
  explicit fact_extractor(std::shared_ptr<model> llm, extraction_options options = {});

  /// Does the oldest free job of the scope: its records and its end are one commit, so a job is done once however often
  /// it is begun. Returns: nullopt when there is none.
  /// Fails with: what the model fails with (the job is free again after its lease); errc::conflict when another worker
  /// finished the job meanwhile: nothing was written; what a commit fails with.
  task<result<std::optional<extraction_report>>> async_next(scope_handle scope) const;
  /// The same on the calling thread. Fails with, also: errc::would_block_loop.
  result<std::optional<extraction_report>> next(scope_handle const& scope) const;

 private:
  std::shared_ptr<model> llm_;
  extraction_options options_;
};

}  // namespace wherry::inline v0
