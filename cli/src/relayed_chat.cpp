#include "relayed_chat.hpp"

#include "version.hpp"

#include <wherry/agent/extraction.hpp>
#include <wherry/agent/memory_context.hpp>
#include <wherry/core/json.hpp>
#include <wherry/llm/schema.hpp>
#include <wherry/memory/transaction.hpp>

#include <thread>

namespace wherry::cli {

using namespace chat_wire;

namespace {

constexpr auto call_time = std::chrono::seconds(5);
constexpr auto try_again_after = std::chrono::milliseconds(50);

template <class Out>
result<Out> read_answer(result<mcp::call_result> const& done) {
  if (!done) return done.error();
  if (done->failed) return error{errc::tool_failed, done->text(), "cli.chat"};
  return decode<Out>(done->structured);
}

template <class Out, class In>
result<Out> ask(mcp::client const& holder, std::string tool, In const& in) {
  return read_answer<Out>(holder.call(std::move(tool), encode(in), {.time = call_time}));
}

result<mcp::client> reach(store_settings const& given) {
  std::error_code failed;
  auto const self = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) return error(failed, "the program does not find itself", "cli.chat");
  mcp::stdio_server to;
  to.command = {self.string(), "mcp",       "serve",     "--memory", store_path(given).string(),
                "--scope",     given.scope, "--for-chat"};
  mcp::client_options options;
  options.about = {.name = "wherry chat", .version = std::string(version_text)};
  options.revision = "2026-07-28";  // no session that a change of holders could lose
  auto reached = mcp::client::connect(to, std::move(options));
  if (!reached) return reached;
  // Its first answer says whether there is a holder to relay to.
  if (auto const offered = reached->tools(); !offered) return offered.error();
  return reached;
}

/// Asks the holder; a relay of memory_context.
class relayed_memory final : public context_source {
 public:
  explicit relayed_memory(mcp::client holder) : holder_(std::move(holder)) {}
  std::string const& name() const noexcept override { return name_; }
  std::string const& heading() const noexcept override { return heading_; }
  task<result<context_answer>> async_gather(context_question question) override {
    auto const holder = holder_;
    raw_json given = encode(gather_in{question.text, question.bytes_max});
    mcp::request_options how{.time = call_time};
    std::string tool = "chat_gather";
    auto done = co_await holder.async_call(std::move(tool), std::move(given), std::move(how));
    auto found = read_answer<gather_out>(done);
    if (!found) co_return std::move(found).error();
    context_answer out{.blocks = {}, .degraded = std::move(found->degraded)};
    for (auto& b : found->blocks)
      out.blocks.push_back({.source = {}, .id = std::move(b.id), .text = std::move(b.text), .note = std::move(b.note)});
    co_return out;
  }

 private:
  mcp::client holder_;
  std::string const name_ = memory_context_options{}.name;
  std::string const heading_ = memory_context_options{}.heading;
};

/// A job says of which session it is; after a fork that is another one, with the same events.
result<std::string> of_session(std::string const& job, std::string const& session) {
  auto payload = parse_json(job);
  if (!payload) return payload.error();
  (*payload)["session"] = session;
  return to_text(*payload);
}

error continued_elsewhere(std::string const& session) {
  return {
      errc::conflict,
      "session " + session +
          " was continued by another chat meanwhile; what was said here since is not in it. /fork NAME goes on in a "
          "session of its own",
      "cli.chat", session};
}

}  // namespace

result<relayed_chat> relayed_chat::open(store_settings const& given, std::string const& session_name) {
  auto name = parse_scope(given.scope);
  if (!name) return std::move(name).error();
  auto holder = reach(given);
  if (!holder) return std::move(holder).error();
  auto folder = temporary_store::make();
  if (!folder) return std::move(folder).error();
  store_options options;
  options.commit_durability = durability::os;  // what must last is kept by the holder
  auto opened = store::open(folder->path(), options);
  if (!opened) return std::move(opened).error();
  auto const scope = opened->scope(std::move(*name));
  relayed_chat chat(std::move(*holder), std::move(*folder), scope, scope.session(session_name));
  if (auto const done = chat.fetch(); !done) return done.error();
  return chat;
}

result<void> relayed_chat::fetch() {
  for (;;) {
    auto const page = ask<events_out>(holder_, "chat_events", events_in{session_.name(), kept_ + 1});
    if (!page) return page.error();
    if (page->events.empty()) return {};
    std::vector<session_event> events;
    for (auto const& e : page->events) {
      auto read = from_wire(e);
      if (!read) return std::move(read).error();
      events.push_back(std::move(*read));
    }
    auto const count = events.size();
    transaction tx(scope_);
    tx.append(session_, kept_, std::move(events));
    if (auto const done = tx.commit(); !done) return done.error();
    kept_ += count;
  }
}

result<append_in> relayed_chat::next_batch() const {
  append_in out{.session = session_.name(), .expected_seq = kept_, .events = {}, .jobs = {}};
  auto some = events_of_one_message(session_, kept_ + 1);
  if (!some) return some.error();
  out.events = std::move(*some);
  return out;
}

result<void> relayed_chat::keep() {
  auto const last = session_.last_seq();
  if (!last) return last.error();
  while (kept_ < *last) {
    auto batch = next_batch();
    if (!batch) return batch.error();
    transaction done_here(scope_);
    if (kept_ + batch->events.size() == *last) {  // what was said is there before anybody reads it for facts
      auto const jobs = scope_.jobs();
      if (!jobs) return jobs.error();
      for (auto const& j : *jobs) {
        if (j.kind != extraction_job_kind) continue;
        auto payload = of_session(j.payload, session_.name());
        if (!payload) return payload.error();
        batch->jobs.push_back({std::move(*payload), j.idempotency_key});
        done_here.finish(j.id);
      }
    }
    if (auto const taken = append(*batch); !taken) return taken;
    kept_ += batch->events.size();
    if (batch->jobs.empty()) continue;
    if (auto const done = done_here.commit(); !done) return done.error();
  }
  return {};
}

/// Whether the holder has these very events: its answer may have been lost with it.
result<bool> relayed_chat::was_taken(append_in const& batch) const {
  auto const there = ask<events_out>(holder_, "chat_events", events_in{batch.session, batch.expected_seq + 1});
  if (!there) return there.error();
  return there->last_seq == batch.expected_seq + batch.events.size() && there->events == batch.events;
}

result<void> relayed_chat::append(append_in const& batch) {
  auto const until = std::chrono::steady_clock::now() + keep_time;
  for (;;) {
    auto const done = ask<append_out>(holder_, "chat_append", batch);
    if (done && !done->moved_on) return {};
    if (done) {
      auto const ours = was_taken(batch);
      if (ours) return *ours ? result<void>{} : continued_elsewhere(batch.session);
    }
    if (!done && done.error().is(errc::tool_failed)) return done.error();
    if (std::chrono::steady_clock::now() > until)
      return error{errc::deadline_exceeded,
                   "the process that holds the store has not taken what was said" +
                       (done ? std::string() : ": " + done.error().message) +
                       "; it is tried again with the next message",
                   "cli.chat"};
    std::this_thread::sleep_for(try_again_after);
  }
}

result<session> relayed_chat::fork(std::string const& name) {
  auto const there = ask<events_out>(holder_, "chat_events", events_in{name, 1});
  if (!there) return there.error();
  if (there->last_seq > 0)
    return error{errc::already_exists, "there is a session " + name + " already", "cli.chat", name};
  if (kept_ > 0) {
    auto const done = ask<fork_out>(holder_, "chat_fork", fork_in{session_.name(), name, kept_});
    if (!done) return done.error();
    if (!done->done) return error{errc::already_exists, done->why, "cli.chat", name};
  }
  auto forked = session_.fork(name);
  if (!forked) return std::move(forked).error();
  return session_ = std::move(*forked);
}

std::shared_ptr<context_source> relayed_chat::memory() const { return std::make_shared<relayed_memory>(holder_); }

result<records_out> relayed_chat::records(int newest_max) const {
  return ask<records_out>(holder_, "chat_records", records_in{newest_max});
}

}  // namespace wherry::cli
