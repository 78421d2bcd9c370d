#pragma once
// The store on RocksDB as a backend of the contract.

#include "store_backend.hpp"
#include "temp_dir.hpp"

namespace wherry_test {

/// A query without anything but BM25.
inline wherry::recall_query bare(wherry::recall_query q) {
  q.text_options.phrase_weight = q.text_options.neighbour_weight = q.text_options.thread_weight = 0;
  q.boosts = {.recency = 0, .importance = 0, .proof = 0, .own_words = 0};
  q.newest_first = false;
  return q;
}

class rocks_backend final : public store_backend {
 public:
  explicit rocks_backend(wherry::store_options options, bool encrypted = false) : options_(std::move(options)) {
    if (encrypted) options_.keys = wherry::store_keys{dir_ / "keys", std::string(32, 'm')};
    open();
  }

  void reopen() override {
    db_.reset();
    open();
  }
  wherry::store& db() { return *db_; }
  std::filesystem::path path() const { return dir_ / "db"; }

  result<std::vector<wherry::remember_report>> commit(wherry::scope_name const& scope,
                                                      std::vector<change> changes) override {
    auto const in = db_->scope(scope);
    wherry::transaction tx{in};
    for (auto& c : changes) {
      if (auto* const a = std::get_if<append_change>(&c)) {
        std::vector<wherry::session_event> events;
        for (auto& payload : a->payloads)
          events.push_back({.type = wherry::event_type::note, .payload = std::move(payload)});
        tx.append(in.session(a->session), a->expected_seq, std::move(events));
      } else if (auto* const p = std::get_if<put_change>(&c)) {
        tx.put(p->what);
      } else if (auto* const r = std::get_if<remember_change>(&c)) {
        tx.remember(r->what);
      } else if (auto* const f = std::get_if<forget_change>(&c)) {
        tx.forget(f->id);
      } else if (auto* const i = std::get_if<item_change>(&c)) {
        wherry::item_options const how{.expected_version = i->expected_version, .expires = i->expires};
        i->value ? tx.put_item(i->space, i->key, *i->value, how) : tx.remove_item(i->space, i->key, how);
      } else if (auto* const e = std::get_if<effect_change>(&c)) {
        tx.journal(e->what);
      } else if (auto* const j = std::get_if<job_change>(&c)) {
        tx.job(j->what);
      } else {
        tx.finish(std::get<finish_change>(c).id);
      }
    }
    if (auto done = tx.commit(); !done) return done.error();
    return tx.reports();
  }
  result<void> fork(wherry::scope_name const& scope, std::string const& from, std::string const& to,
                    std::uint64_t at) override {
    auto made = db_->scope(scope).session(from).fork(to, at);
    if (!made) return made.error();
    return {};
  }
  result<std::optional<wherry::outbox_job>> claim(wherry::scope_name const& scope, std::string const& kind,
                                                  std::chrono::milliseconds lease) override {
    return db_->scope(scope).claim_job(kind, lease);
  }
  result<wherry::erase_receipt> erase(wherry::scope_name const& scope, wherry::erase_request const& request) override {
    return db_->scope(scope).erase(request);
  }
  result<std::vector<std::string>> events(wherry::scope_name const& scope, std::string const& session) override {
    auto all = db_->scope(scope).session(session).events();
    if (!all) return all.error();
    std::vector<std::string> out;
    for (auto& e : *all) out.push_back(std::to_string(e.seq) + ' ' + e.payload);
    return out;
  }
  result<std::vector<seen_session>> sessions(wherry::scope_name const& scope) override {
    auto all = db_->scope(scope).sessions();
    if (!all) return all.error();
    std::vector<seen_session> out;
    for (auto& s : *all) out.push_back({s.name, s.last_seq, s.forked});
    return out;
  }
  result<std::vector<wherry::record>> records(wherry::scope_name const& scope, wherry::ulid const& after,
                                              std::size_t limit) override {
    return db_->scope(scope).records(after, limit);
  }
  result<std::optional<wherry::record>> record(wherry::scope_name const& scope, wherry::ulid const& id) override {
    return db_->scope(scope).record(id);
  }
  result<std::optional<wherry::item>> item(wherry::scope_name const& scope, std::string const& space,
                                           std::string const& key) override {
    return db_->scope(scope).items(space).get(key);
  }
  result<std::vector<wherry::item>> items(wherry::scope_name const& scope, std::string const& space,
                                          std::string const& prefix, std::string const& after,
                                          std::size_t limit) override {
    return db_->scope(scope).items(space).list(prefix, after, limit);
  }
  result<std::vector<wherry::effect_record>> unfinished(wherry::scope_name const& scope) override {
    return db_->scope(scope).unfinished_effects();
  }
  result<std::optional<wherry::effect_record>> effect(wherry::scope_name const& scope,
                                                      std::string const& key) override {
    return db_->scope(scope).effect(key);
  }
  result<std::vector<wherry::outbox_job>> jobs(wherry::scope_name const& scope) override {
    return db_->scope(scope).jobs();
  }
  result<std::vector<seen_hit>> recall(wherry::scope_name const& scope, wherry::recall_query query) override {
    auto found = db_->scope(scope).recall(bare(std::move(query)));
    if (!found) return found.error();
    std::vector<seen_hit> out;
    for (auto const& hit : found->hits) out.push_back({hit.record.id, hit.score});
    return out;
  }

 private:
  void open() { db_.emplace(wherry::store::open(path(), options_).value()); }

  temp_dir dir_;
  wherry::store_options options_;
  std::optional<wherry::store> db_;
};

}  // namespace wherry_test
