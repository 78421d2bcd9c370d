#include "chat_tools.hpp"

#include "record_json.hpp"

#include <wherry/agent/extraction.hpp>
#include <wherry/agent/memory_context.hpp>
#include <wherry/memory/transaction.hpp>

#include <algorithm>
#include <span>

namespace wherry::cli {

using namespace chat_wire;

namespace {

/// Of records, when the newest are shown.
constexpr std::size_t records_looked_at = 10'000;
constexpr auto gather_time = std::chrono::seconds(5);

result<events_out> read_events(scope_handle const& scope, events_in const& in) {
  auto const from = scope.session(in.session);
  auto const last = from.last_seq();
  if (!last) return last.error();
  events_out out{.events = {}, .last_seq = *last};
  if (in.from > *last) return out;
  auto some = events_of_one_message(from, in.from);
  if (!some) return some.error();
  out.events = std::move(*some);
  return out;
}

result<append_out> append_events(scope_handle const& scope, append_in const& in) {
  auto const to = scope.session(in.session);
  std::vector<session_event> events;
  for (auto const& e : in.events) {
    auto read = from_wire(e);
    if (!read) return std::move(read).error();
    events.push_back(std::move(*read));
  }
  transaction tx(scope);
  tx.append(to, in.expected_seq, std::move(events));
  for (auto const& j : in.jobs)
    tx.job({.kind = extraction_job_kind, .payload = j.payload, .idempotency_key = j.idempotency_key});
  auto const done = tx.commit(durability::synced);
  if (!done && !done.error().is(errc::conflict)) return done.error();
  auto const last = to.last_seq();
  if (!last) return last.error();
  return append_out{.moved_on = !done, .last_seq = *last};
}

result<fork_out> fork_session(scope_handle const& scope, fork_in const& in) {
  auto const done = scope.session(in.session).fork(in.name, in.at);
  return fork_out{.done = done.has_value(), .why = done ? "" : done.error().message};
}

task<result<gather_out>> gather(std::shared_ptr<context_source> source, gather_in in) {
  context_question question{
      .text = std::move(in.text), .bytes_max = in.bytes_max, .until = std::chrono::steady_clock::now() + gather_time};
  auto found = co_await source->async_gather(std::move(question));
  if (!found) co_return std::move(found).error();
  gather_out out{.blocks = {}, .degraded = std::move(found->degraded)};
  for (auto& b : found->blocks) out.blocks.push_back({std::move(b.id), std::move(b.text), std::move(b.note)});
  co_return out;
}

}  // namespace

result<std::vector<chat_wire::event>> chat_wire::events_of_one_message(session const& from, std::uint64_t first) {
  auto const some = from.events(first, relayed_events_max);
  if (!some) return some.error();
  std::vector<event> out;
  std::size_t bytes = 0;
  for (auto const& e : *some) {
    bytes += e.payload.size();
    if (!out.empty() && bytes > relayed_bytes_max) break;
    out.push_back(to_wire(e));
  }
  return out;
}

chat_wire::event chat_wire::to_wire(session_event const& e) {
  return {.seq = e.seq,
          .time = static_cast<std::int64_t>(e.time),
          .type = to_string(e.type),
          .run = e.run.text(),
          .payload = e.payload};
}

result<session_event> chat_wire::from_wire(event const& e) {
  auto const type = event_type_named(e.type);
  auto const run = ulid::parse(e.run);
  if (!type || !run)
    return error{errc::parse_error, "event " + std::to_string(e.seq) + " of a session has no such type or run",
                 "cli.chat"};
  session_event out;
  out.type = *type;
  out.run = *run;
  out.time = static_cast<utc_ms>(e.time);
  out.payload = e.payload;
  return out;
}

result<records_out> chat_wire::newest_records(scope_handle const& scope, records_in const& in) {
  auto live = scope.records(ulid{}, records_looked_at);
  if (!live) return std::move(live).error();
  std::erase_if(*live, [](record const& r) { return r.superseded_at != 0; });
  records_out out{.count = live->size(), .newest = {}};
  auto const shown = std::min(live->size(), static_cast<std::size_t>(std::max(in.newest_max, 0)));
  for (auto const& r : std::span(*live).last(shown)) out.newest.push_back({r.kind, r.text});
  return out;
}

void add_chat_tools(mcp::server& s, scope_handle scope, std::function<void()> brought) {
  s.add(mcp::tool("chat_events", "The events of a session, from one on.", [scope](events_in const& in) {
          return read_events(scope, in);
        }).reads());
  s.add(mcp::tool("chat_append", "Adds events to a session, if it still ends where it did.",
                  [scope, brought = std::move(brought)](append_in const& in) {
                    auto done = append_events(scope, in);
                    if (brought && done && !done->moved_on && !in.jobs.empty()) brought();
                    return done;
                  }));
  s.add(mcp::tool("chat_fork", "A new session that begins as another one.",
                  [scope](fork_in const& in) { return fork_session(scope, in); }));
  s.add(mcp::tool("chat_gather", "What is remembered that bears on a message.",
                  [source = memory_context(scope)](gather_in const& in) { return gather(source, in); })
            .reads());
  s.add(mcp::tool("chat_records", "How much is remembered, and the newest of it.", [scope](records_in const& in) {
          return newest_records(scope, in);
        }).reads());
}

}  // namespace wherry::cli
