#pragma once
// What the programs that break stores write, as a function of a number: writer and checker agree without talking.

#include <wherry/memory/transaction.hpp>

#include <string>
#include <vector>

namespace store_workload {

/// One commit: two events, a record with a vector, an item. All of it is in the store, or none.
struct script {
  std::uint64_t number = 0;

  wherry::ulid run() const { return wherry::ulid::draw(1, {.run = number}); }
  wherry::ulid record_id() const { return wherry::ulid::draw(2, {.run = number}); }
  std::string word() const { return "word" + std::to_string(number) + "x"; }
  std::string key() const { return "item " + std::to_string(number); }
  std::string item() const { return "{\"n\":" + std::to_string(number) + "}"; }

  std::vector<wherry::session_event> events() const {
    return {{.type = wherry::event_type::run_opened, .run = run()},
            message_event(wherry::event_type::user_message, run(), wherry::message::user("question " + word()))};
  }
  wherry::record record() const {
    wherry::record r{.id = record_id(), .kind = "fact", .text = "record about " + word() + " and common things"};
    r.source.session = "talk";
    return r;
  }
  wherry::embedding vector() const {
    wherry::embedding out{.fingerprint = "m"};
    for (std::uint32_t i = 0; i < 16; ++i)
      out.values.push_back(static_cast<float>(wherry::uniform({.run = number}, i) - 0.5));
    return out;
  }

  void add_to(wherry::transaction& tx, wherry::session const& talk, std::uint64_t seen) const {
    tx.append(talk, seen, events());
    tx.put(record());
    tx.embed(record_id(), vector());
    tx.put_item("items", key(), item());
  }

  /// How much of it a store holds.
  enum class held { nothing, part, all };
  held in(wherry::scope_handle const& scope, std::vector<wherry::session_event> const& stored) const {
    std::size_t events_there = 0;
    for (auto const& e : stored) events_there += e.run == run();
    auto const record_there = scope.record(record_id()).value();
    auto const item_there = scope.items("items").get(key()).value();
    wherry::recall_query const q{.text = word(), .limit = 3};
    auto const found = scope.recall(q).value().hits;
    bool const indexed = !found.empty() && found[0].record.id == record_id();
    if (events_there == 2 && record_there && record_there->text == record().text && item_there &&
        item_there->value == item() && indexed)
      return held::all;
    return events_there == 0 && !record_there && !item_there && !indexed ? held::nothing : held::part;
  }
};

}  // namespace store_workload
