#pragma once
// What a chat needs of another process that holds its store, as tools of that process: its session, event by event, and
// what is remembered. The types of both ends; relayed_chat is the other one.

#include <wherry/mcp/server.hpp>
#include <wherry/memory/scope.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace wherry::cli {

/// The word in a relay's profile that asks for these tools (mcp::shared_store_options::profile).
inline constexpr char const* chat_profile = "@chat";

/// Of the events in one message: so many, and so many bytes of payloads (one event may be longer).
inline constexpr std::size_t relayed_events_max = 500;
inline constexpr std::size_t relayed_bytes_max = std::size_t{4} << 20;

namespace chat_wire {

struct event {
  std::uint64_t seq = 0;
  std::int64_t time = 0;  ///< utc_ms
  std::string type;
  std::string run;
  std::string payload;
  friend bool operator==(event const&, event const&) = default;
};

struct events_in {
  std::string session;
  std::uint64_t from = 1;
};
struct events_out {
  std::vector<event> events;  ///< The first ones from there on.
  std::uint64_t last_seq = 0;
};

/// An extraction job (agent/extraction.hpp).
struct job {
  std::string payload;
  std::string idempotency_key;
};
struct append_in {
  std::string session;
  std::uint64_t expected_seq = 0;
  std::vector<event> events;
  std::vector<job> jobs;
};
struct append_out {
  bool moved_on = false;  ///< Nothing was written: the session ends elsewhere than expected.
  std::uint64_t last_seq = 0;
};

struct fork_in {
  std::string session;
  std::string name;
  std::uint64_t at = 0;
};
struct fork_out {
  bool done = false;
  std::string why;  ///< When it was not.
};

struct gather_in {
  std::string text;
  std::uint64_t bytes_max = 0;
};
struct block {
  std::string id;
  std::string text;
  std::string note;
};
struct gather_out {
  std::vector<block> blocks;
  std::vector<std::string> degraded;
};

struct records_in {
  int newest_max = 10;
};
struct record_line {
  std::string kind;
  std::string text;
};
struct records_out {
  std::uint64_t count = 0;
  std::vector<record_line> newest;  ///< Oldest of them first.
};

event to_wire(session_event const& e);
/// The events of a session from one on, as many as one message takes.
result<std::vector<event>> events_of_one_message(session const& from, std::uint64_t first);
/// Fails with: errc::parse_error for a type or a run that is none.
result<session_event> from_wire(event const& e);

/// Of the records that hold now.
result<records_out> newest_records(scope_handle const& scope, records_in const& in);

}  // namespace chat_wire

/// Adds chat_events, chat_append, chat_fork, chat_gather and chat_records. `brought` is called, on any thread, when
/// jobs came with events.
void add_chat_tools(mcp::server& s, scope_handle scope, std::function<void()> brought = {});

}  // namespace wherry::cli
