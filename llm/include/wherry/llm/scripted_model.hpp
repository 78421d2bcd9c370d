#pragma once
// A model that follows a script: for tests, examples and simulation. It fails precisely when it is asked more often
// than the script has lines, and finish() fails precisely when lines are left over.

#include <wherry/llm/model.hpp>

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

namespace wherry::inline v0 {

/// One answer of a script.
struct script_line {
  std::vector<content_part> parts;
  finish_reason reason = finish_reason::stop;
  std::optional<error> failure;  ///< The stream fails with this after the parts.
  std::string expects;           ///< The request's last message must contain this text; empty: anything.
  bool hangs = false;            ///< After the parts, waits until cancelled or until the deadline.

  /// The same line, with an expectation of what it answers.
  script_line after(std::string text) && {
    expects = std::move(text);
    return std::move(*this);
  }
};

/// Answers with text.
script_line say(std::string text);
/// Answers with one tool call. Arguments are sent as they stand, valid or not.
script_line call(std::string tool, std::string arguments);
/// Answers with several calls at once.
script_line calls(std::vector<std::pair<std::string, std::string>> tool_and_arguments);
/// Says the text, then breaks off with the error.
script_line breaks(std::string text, errc code);
/// Says the text, then waits for its cancellation or deadline.
script_line hangs(std::string text = {});

/// The scripted model. A cheap copyable handle, thread-safe: concurrent requests take lines in the order they arrive.
/// A line's text that is not in the constraint of the request it answers ends its stream with errc::output_invalid.
class scripted_model {
 public:
  scripted_model(std::initializer_list<script_line> lines);
  explicit scripted_model(std::vector<script_line> lines, capabilities can = default_capabilities());

  /// Repeats the script from its beginning when it is exhausted; for benchmarks and long simulations.
  scripted_model& loop();

  /// Success when every line was used.
  /// Fails with: errc::script_mismatch naming the first unused line.
  result<void> finish() const;

  /// Every request that was made, in order (not while looping).
  std::vector<model_request> requests() const;

  operator std::shared_ptr<model>() const;

  static capabilities default_capabilities();

  class impl;

 private:
  std::shared_ptr<impl> impl_;
};

}  // namespace wherry::inline v0
