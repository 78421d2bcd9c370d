#pragma once
// What is put before a model with a user's message: memories, notes, resources. A source is asked once for each run;
// what it gives are pieces of data that keep their provenance. They stand in the request, never in a session: nobody
// can take them for what a user or a tool said.

#include <wherry/core/clock.hpp>
#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace wherry::inline v0 {

/// One piece of data, and where it came from.
struct context_block {
  std::string source;  ///< The source's name; filled in by whoever asked it.
  std::string id;      ///< What it is there: a record's id, a URI.
  std::string text;    ///< UTF-8.
  std::string note;    ///< A few words shown behind it: "fact, since 2026-11-24"; empty: none.
  friend bool operator==(context_block const&, context_block const&) = default;
};

/// What a source is asked with.
struct context_question {
  std::string text;           ///< The user's message.
  std::size_t bytes_max = 0;  ///< Room for all its texts; what is beyond is left out by whoever asked, last ones first.
  deadline until = no_deadline;
};

/// What a source gives: blocks, the most useful first. None is no error.
struct context_answer {
  std::vector<context_block> blocks;
  std::vector<std::string> degraded;  ///< What could not take part, and why, one sentence each.
};

/// A source of context. Thread-safe: several runs may ask it at the same time.
class context_source {
 public:
  virtual ~context_source() = default;

  /// Names it in reports, e.g. "memory"; of two sources of an agent with one name both are asked.
  virtual std::string const& name() const noexcept = 0;
  /// One sentence that stands above its blocks in the request; empty: none.
  virtual std::string const& heading() const noexcept = 0;

  /// An error does not end the run: it becomes a notice of it, and the run goes on without this source.
  /// Cancellation: at the deadline, and when the run is cancelled.
  virtual task<result<context_answer>> async_gather(context_question question) = 0;
};

/// The blocks of one source under its heading.
struct context_section {
  std::string heading;
  std::vector<context_block> blocks;
  friend bool operator==(context_section const&, context_section const&) = default;
};

/// The text that stands before the user's words: headings, and each block as an item of a list whose further lines are
/// indented, so that no block can end its own list. Ends with an empty line and `before_message`; empty for no blocks.
std::string context_text(std::vector<context_section> const& sections, std::string const& before_message);

}  // namespace wherry::inline v0
