#pragma once
// What an extraction job reads: what was said in a run, and what recall had put before its model.

#include <wherry/agent/extraction.hpp>

#include <string>
#include <vector>

namespace wherry::inline v0::detail {

/// A stretch of an event's text.
struct said_piece {
  std::uint64_t seq = 0;
  utc_ms time = 0;
  std::size_t begin = 0;  ///< Where it stands in said_text of the event.
  std::string text;
  record_origin origin = record_origin::user;
};

struct reading {
  std::string session;
  ulid run;
  std::vector<said_piece> pieces;
  std::vector<std::string> recalled;  ///< Texts of records and results that recall gave, in this run or shortly before.
  std::vector<std::string> degraded;
};

/// Blocking. A payload that cannot be read, or a session that is gone, gives an empty reading that says so.
result<reading> read_job(scope_handle const& scope, outbox_job const& job, extraction_options const& options);

/// Whether a quote is what recall gave rather than anything newly said: one of the two holds the other, and what they
/// share is at least half of the longer one, or several words.
bool is_recalled(std::string_view quote, std::vector<std::string> const& recalled);

/// Whether every number in `fact` stands in `said`.
bool numbers_were_said(std::string_view fact, std::string_view said);

}  // namespace wherry::inline v0::detail
