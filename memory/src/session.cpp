#include "scope_commit.hpp"

#include <wherry/memory/transaction.hpp>

#include <algorithm>

namespace wherry::inline v0 {

using namespace memory_detail;

session::session(std::shared_ptr<scope_state> scope, std::shared_ptr<session_state> state)
    : scope_(std::move(scope)), state_(std::move(state)) {}

scope_handle session::scope() const { return scope_handle(scope_); }

std::string const& session::name() const noexcept { return state_->name; }

result<std::uint64_t> session::last_seq() const {
  std::lock_guard const lock(scope_->mutex);
  if (auto ready = scope_->load_locked(*state_); !ready) return ready.error();
  return state_->last_seq;
}

result<std::vector<session_event>> session::events(std::uint64_t from, std::size_t limit) const {
  std::vector<session_event> out;
  if (limit == 0) return out;
  auto read = scope_->visit(*state_, from, [&](decoded_event&& e, std::string_view) -> result<bool> {
    out.push_back(std::move(e.event));
    return out.size() < limit;
  });
  if (!read) return read.error();
  return out;
}

result<std::vector<message>> session::history() const {
  std::lock_guard const lock(scope_->mutex);
  if (auto ready = scope_->fold_locked(*state_); !ready) return ready.error();
  return state_->fold.history();
}

result<std::vector<open_run>> session::open_runs() const {
  std::lock_guard const lock(scope_->mutex);
  if (auto ready = scope_->fold_locked(*state_); !ready) return ready.error();
  return state_->fold.open_runs();
}

result<std::vector<pending_call>> session::pending() const {
  std::lock_guard const lock(scope_->mutex);
  if (auto ready = scope_->fold_locked(*state_); !ready) return ready.error();
  return state_->fold.pending();
}

result<void> session::undo() const {
  std::uint64_t seen = 0;
  {
    std::lock_guard const lock(scope_->mutex);
    if (auto ready = scope_->fold_locked(*state_); !ready) return ready;
    if (!state_->fold.has_turns())
      return error{errc::not_found, "there is no turn to undo in session \"" + state_->name + "\"", "session.undo"};
    seen = state_->last_seq;
  }
  transaction tx{scope_handle(scope_)};
  tx.append(*this, seen, {session_event{.type = event_type::undo}});
  if (auto done = tx.commit(); !done) return done.error();
  return {};
}

result<session> session::fork(std::string name, std::uint64_t at) const {
  session child(scope_, scope_->session(name));
  std::lock_guard const lock(scope_->mutex);
  scope_commit commit(*scope_);
  if (auto forked = commit.fork(*state_, child.state_, at); !forked) return forked.error();
  if (auto done = commit.write(scope_->store->options.commit_durability); !done) return done.error();
  return child;
}

result<void> session::verify() const {
  chain_hash previous{};
  return scope_->visit(*state_, 1, [&](decoded_event&& e, std::string_view value) -> result<bool> {
    if (e.previous != previous)
      return scope_->store->damaged("event " + std::to_string(e.event.seq) + " of session \"" + state_->name +
                                    "\" does not follow from the one before it; restore the store from a backup");
    previous = chain_hash_of(value);
    return true;
  });
}

result<std::string> session::export_json() const {
  std::string out;
  auto read = scope_->visit(*state_, 1, [&](decoded_event&& e, std::string_view) -> result<bool> {
    auto payload = std::move(e.event.payload);
    // Within JSON text a line break can only be space between tokens.
    std::replace_if(payload.begin(), payload.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    out += "{\"seq\":" + std::to_string(e.event.seq) + ",\"time\":\"" + to_rfc3339(e.event.time) + "\",\"type\":\"" +
           to_string(e.event.type) + "\",\"run\":\"" + e.event.run.text() + "\",\"payload\":" + payload + "}\n";
    return true;
  });
  if (!read) return read.error();
  return out;
}

}  // namespace wherry::inline v0
