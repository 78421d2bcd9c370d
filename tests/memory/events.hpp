#pragma once
// Events of small runs, for tests.

#include <wherry/memory/transaction.hpp>

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <vector>

namespace wherry_test {

inline wherry::ulid run_id(std::uint32_t number) { return wherry::ulid::draw(1'000 + number, {.run = number}); }

inline wherry::session_event opened(std::uint32_t run) {
  return {.type = wherry::event_type::run_opened, .run = run_id(run), .payload = R"({"seed":7})"};
}
inline wherry::session_event user(std::uint32_t run, std::string text) {
  return message_event(wherry::event_type::user_message, run_id(run), wherry::message::user(std::move(text)));
}
inline wherry::session_event assistant(std::uint32_t run, std::string text) {
  return message_event(wherry::event_type::assistant_message, run_id(run), wherry::message::assistant(std::move(text)));
}
inline wherry::session_event ended(std::uint32_t run, bool keep = true) {
  return run_ended_event(run_id(run), keep, keep ? "completed" : "cancelled");
}
inline wherry::session_event note(std::string text) {
  return {.type = wherry::event_type::note, .payload = R"({"text":")" + std::move(text) + "\"}"};
}

/// A whole run: question, answer, end.
inline std::vector<wherry::session_event> turn(std::uint32_t run, std::string question, std::string answer,
                                               bool keep = true) {
  return {opened(run), user(run, std::move(question)), assistant(run, std::move(answer)), ended(run, keep)};
}

/// Commits events at the end of a session and requires that it works.
inline void commit(wherry::scope_handle const& scope, wherry::session const& to,
                   std::vector<wherry::session_event> events, wherry::durability how = wherry::durability::os) {
  wherry::transaction tx{scope};
  tx.append(to, to.last_seq().value(), std::move(events));
  auto const done = tx.commit(how);
  INFO((done ? std::string() : to_string(done.error())));
  REQUIRE(done);
}

/// The texts of a session's history.
inline std::vector<std::string> texts(wherry::session const& s) {
  std::vector<std::string> out;
  for (auto const& m : s.history().value()) out.push_back(m.text());
  return out;
}

}  // namespace wherry_test
