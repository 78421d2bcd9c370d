#pragma once
// The contract in the plainest words: a store in maps, copied for each commit and put in place when all of it is right.
// Its texts are lower-case ASCII words with at most a full stop at the end, which the analyser leaves as they are in a
// store without a language.

#include "store_backend.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <tuple>

namespace wherry_test {

class oracle_backend final : public store_backend {
 public:
  explicit oracle_backend(std::shared_ptr<wherry::clock const> time) : time_(std::move(time)) {}

  void reopen() override {}

  result<std::vector<wherry::remember_report>> commit(wherry::scope_name const& scope,
                                                      std::vector<change> changes) override {
    std::lock_guard const lock(mutex_);
    auto next = scopes_[key(scope)];
    next.job_keys_now.clear();
    std::vector<wherry::remember_report> reports;
    for (auto const& c : changes)
      if (auto const wrong = apply(next, c, reports)) return fail(*wrong);
    scopes_[key(scope)] = std::move(next);
    return reports;
  }

  result<void> fork(wherry::scope_name const& scope, std::string const& from, std::string const& to,
                    std::uint64_t at) override {
    std::lock_guard const lock(mutex_);
    auto& s = scopes_[key(scope)];
    if (s.sessions.contains(to)) return fail(wherry::errc::already_exists);
    auto const known = s.sessions.find(from);
    auto const parent = known == s.sessions.end() ? talk{} : known->second;
    auto const end = at == wherry::latest_seq ? parent.events.size() : at;
    if (end > parent.events.size()) return fail(wherry::errc::invalid_argument);
    talk child{.events = {parent.events.begin(), parent.events.begin() + static_cast<std::ptrdiff_t>(end)}};
    auto parts = parent.inherited;
    parts.emplace_back(from, parent.events.size());
    std::size_t covered = 0;
    for (auto const& [name, last] : parts)
      if (std::min(last, end) > covered) child.inherited.emplace_back(name, covered = std::min(last, end));
    s.sessions[to] = std::move(child);
    return {};
  }

  result<std::optional<wherry::outbox_job>> claim(wherry::scope_name const& scope, std::string const& kind,
                                                  std::chrono::milliseconds lease) override {
    std::lock_guard const lock(mutex_);
    auto const now = time_->now();
    for (auto& [id, job] : scopes_[key(scope)].jobs) {
      if (job.kind != kind || job.claimed_until > now) continue;
      job.claimed_until = now + lease.count();
      ++job.attempts;
      return std::optional(job);
    }
    return std::optional<wherry::outbox_job>{};
  }

  result<wherry::erase_receipt> erase(wherry::scope_name const& scope, wherry::erase_request const& request) override {
    std::lock_guard const lock(mutex_);
    auto& s = scopes_[key(scope)];
    wherry::erase_receipt receipt{.everything = request.everything};
    if (request.everything) {
      receipt.records = s.records.size();
      receipt.sessions = s.sessions.size();
      for (auto const& [space, items] : s.items) receipt.items += items.size();
      scopes_.erase(key(scope));
      return receipt;
    }
    std::set<std::string> gone;
    for (auto const& [name, t] : s.sessions) {
      auto const named = [&](std::string const& n) {
        return std::count(request.sessions.begin(), request.sessions.end(), n) > 0;
      };
      if (named(name) ||
          std::any_of(t.inherited.begin(), t.inherited.end(), [&](auto const& part) { return named(part.first); }))
        gone.insert(name);
    }
    for (auto const& name : gone) s.sessions.erase(name);
    receipt.sessions = gone.size();
    receipt.records = std::erase_if(s.records, [&](auto const& entry) {
      auto const& r = entry.second.what;
      auto const is = [](auto const& list, auto const& value) {
        return std::count(list.begin(), list.end(), value) > 0;
      };
      return is(request.records, r.id) || gone.contains(r.source.session) ||
             (!r.subject.empty() && is(request.subjects, r.subject));
    });
    for (auto const& space : request.item_spaces) {
      receipt.items += s.items[space].size();
      s.items.erase(space);
    }
    return receipt;
  }

  result<std::vector<std::string>> events(wherry::scope_name const& scope, std::string const& session) override {
    std::lock_guard const lock(mutex_);
    std::vector<std::string> out;
    auto const& all = scopes_[key(scope)].sessions;
    if (auto const t = all.find(session); t != all.end())
      for (auto const& payload : t->second.events) out.push_back(std::to_string(out.size() + 1) + ' ' + payload);
    return out;
  }
  result<std::vector<seen_session>> sessions(wherry::scope_name const& scope) override {
    std::lock_guard const lock(mutex_);
    std::vector<seen_session> out;
    for (auto const& [name, t] : scopes_[key(scope)].sessions)
      out.push_back({name, t.events.size(), !t.inherited.empty()});
    return out;
  }
  result<std::vector<wherry::record>> records(wherry::scope_name const& scope, wherry::ulid const& after,
                                              std::size_t limit) override {
    std::lock_guard const lock(mutex_);
    std::vector<wherry::record> out;
    auto const& all = scopes_[key(scope)].records;
    for (auto at = all.upper_bound(after); at != all.end() && out.size() < limit; ++at) out.push_back(at->second.what);
    return out;
  }
  result<std::optional<wherry::record>> record(wherry::scope_name const& scope, wherry::ulid const& id) override {
    std::lock_guard const lock(mutex_);
    auto const& all = scopes_[key(scope)].records;
    auto const found = all.find(id);
    return found == all.end() ? std::optional<wherry::record>{} : std::optional(found->second.what);
  }
  result<std::optional<wherry::item>> item(wherry::scope_name const& scope, std::string const& space,
                                           std::string const& name) override {
    std::lock_guard const lock(mutex_);
    auto const& all = scopes_[key(scope)].items[space];
    auto const found = all.find(name);
    return found == all.end() || is_over(found->second.expires) ? std::optional<wherry::item>{}
                                                                : std::optional(found->second);
  }
  result<std::vector<wherry::item>> items(wherry::scope_name const& scope, std::string const& space,
                                          std::string const& prefix, std::string const& after,
                                          std::size_t limit) override {
    std::lock_guard const lock(mutex_);
    std::vector<wherry::item> out;
    for (auto const& [name, held] : scopes_[key(scope)].items[space])
      if (name.starts_with(prefix) && (after.empty() || name > after) && !is_over(held.expires) && out.size() < limit)
        out.push_back(held);
    return out;
  }
  result<std::vector<wherry::effect_record>> unfinished(wherry::scope_name const& scope) override {
    std::lock_guard const lock(mutex_);
    std::vector<wherry::effect_record> out;
    for (auto const& [name, e] : scopes_[key(scope)].effects)
      if (e.state != wherry::effect_state::done) out.push_back(e);
    return out;
  }
  result<std::optional<wherry::effect_record>> effect(wherry::scope_name const& scope,
                                                      std::string const& name) override {
    std::lock_guard const lock(mutex_);
    auto const& all = scopes_[key(scope)].effects;
    auto const found = all.find(name);
    return found == all.end() ? std::optional<wherry::effect_record>{} : std::optional(found->second);
  }
  result<std::vector<wherry::outbox_job>> jobs(wherry::scope_name const& scope) override {
    std::lock_guard const lock(mutex_);
    std::vector<wherry::outbox_job> out;
    for (auto const& [id, job] : scopes_[key(scope)].jobs) out.push_back(job);
    return out;
  }

  /// BM25 as it stands in the books, over every record of the scope.
  result<std::vector<seen_hit>> recall(wherry::scope_name const& scope, wherry::recall_query query) override {
    std::lock_guard const lock(mutex_);
    auto const& all = scopes_[key(scope)].records;
    double count = 0, in_profile[2] = {}, words[2] = {};
    for (auto const& [id, r] : all) {
      auto const long_text = wherry::is_long_kind(r.what.kind);
      ++count;
      ++in_profile[long_text];
      words[long_text] += static_cast<double>(split(r.what.text).size() + split(r.what.title).size());
    }
    std::map<wherry::ulid, double> scores;
    for (auto const& term : split(query.text)) {
      double with = 0;
      for (auto const& [id, r] : all) with += times(r.what.text, term) + times(r.what.title, term) > 0;
      auto const rarity = std::log(1 + (count - with + 0.5) / (with + 0.5));
      for (auto const& [id, r] : all) {
        auto const long_text = wherry::is_long_kind(r.what.kind);
        auto const k1 = long_text ? 1.2 : 0.9, b = long_text ? 0.75 : 0.4;
        auto const length = static_cast<double>(split(r.what.text).size() + split(r.what.title).size());
        auto const tf = times(r.what.text, term) + 2 * times(r.what.title, term);
        auto const average = words[long_text] / in_profile[long_text];
        if (tf > 0) scores[id] += rarity * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average));
      }
    }
    std::vector<seen_hit> out;
    for (auto const& [id, score] : scores)
      if (admits(query, all.at(id).what)) out.push_back({id, score});
    std::sort(out.begin(), out.end(), [](auto const& a, auto const& b) { return a.score > b.score; });
    if (out.size() > query.limit) out.resize(query.limit);
    if (!out.empty())
      for (auto const best = out.front().score; auto& hit : out) hit.score /= best;
    return out;
  }

 private:
  struct talk {
    std::vector<std::string> events = {};
    std::vector<std::pair<std::string, std::size_t>> inherited = {};  ///< Sessions it begins with, up to which event.
  };
  struct kept {
    wherry::record what;
  };
  struct place {
    std::map<std::string, talk> sessions;
    std::map<wherry::ulid, kept> records;
    std::map<std::string, std::map<std::string, wherry::item>> items;
    std::map<std::string, wherry::effect_record> effects;
    std::map<wherry::ulid, wherry::outbox_job> jobs;
    std::set<std::string> job_keys;
    std::set<std::string> job_keys_now;
  };
  using scope_key = std::tuple<std::string, std::string, std::string, std::vector<std::string>>;
  using failure = std::optional<wherry::errc>;

  static scope_key key(wherry::scope_name const& n) { return {n.tenant, n.user, n.agent, n.space}; }
  static wherry::error fail(wherry::errc code) { return wherry::error{code, "the oracle says no"}; }
  static std::vector<std::string> split(std::string text) {
    std::replace(text.begin(), text.end(), '.', ' ');
    std::istringstream in(text);
    return {std::istream_iterator<std::string>(in), {}};
  }
  static double times(std::string const& text, std::string const& term) {
    auto const all = split(text);
    return static_cast<double>(std::count(all.begin(), all.end(), term));
  }
  static wherry::utc_ms since(wherry::record const& r) { return r.valid_from ? r.valid_from : r.created; }
  /// What is left of a text when its full stops do not count.
  static std::string form(std::string const& text) {
    std::string out;
    for (auto const& word : split(text)) out += (out.empty() ? "" : " ") + word;
    return out;
  }
  bool is_over(wherry::utc_ms expires) const { return expires && expires <= time_->now(); }

  bool admits(wherry::recall_query const& q, wherry::record const& r) const {
    auto const at = q.as_of ? q.as_of : time_->now();
    if (!q.kinds.empty() && std::count(q.kinds.begin(), q.kinds.end(), r.kind) == 0) return false;
    for (auto const& tag : q.tags)
      if (std::count(r.tags.begin(), r.tags.end(), tag) == 0) return false;
    if (r.expires && r.expires <= at) return false;
    if (q.as_of) return since(r) <= at && !(r.valid_to && r.valid_to <= at);
    return !r.superseded_at && !(r.valid_to && r.valid_to <= at);
  }

  failure apply(place& s, change const& c, std::vector<wherry::remember_report>& reports) {
    auto const now = time_->now();
    if (auto* const a = std::get_if<append_change>(&c)) {
      auto& t = s.sessions[a->session];
      if (t.events.size() != a->expected_seq) return wherry::errc::conflict;
      t.events.insert(t.events.end(), a->payloads.begin(), a->payloads.end());
    } else if (auto* const p = std::get_if<put_change>(&c)) {
      auto r = p->what;
      if (r.created == 0) r.created = now;
      s.records[r.id] = {std::move(r)};
    } else if (auto* const m = std::get_if<remember_change>(&c)) {
      reports.push_back(remember(s, m->what));
    } else if (auto* const f = std::get_if<forget_change>(&c)) {
      if (s.records.erase(f->id) == 0) return wherry::errc::not_found;
    } else if (auto* const i = std::get_if<item_change>(&c)) {
      auto& space = s.items[i->space];
      auto const before = space.find(i->key);
      bool const there = before != space.end();
      auto const version = there && !is_over(before->second.expires) ? before->second.version : 0;
      if (i->expected_version && *i->expected_version != version) return wherry::errc::conflict;
      if (!i->value) {
        space.erase(i->key);
      } else {
        wherry::item next{.key = i->key, .value = *i->value, .version = 1, .created = now, .updated = now};
        if (there) {
          next.version = before->second.version + 1;
          next.created = before->second.created;
        }
        next.expires = i->expires;
        space[i->key] = next;
      }
    } else if (auto* const e = std::get_if<effect_change>(&c)) {
      using state = wherry::effect_state;
      auto const known = s.effects.find(e->what.key);
      bool const fresh = known == s.effects.end();
      if (fresh && e->what.state != state::intent) return wherry::errc::conflict;
      if (!fresh && known->second.state == state::done) return wherry::errc::conflict;
      if (!fresh && known->second.state == state::intent && e->what.state == state::intent)
        return wherry::errc::conflict;
      auto next = e->what;
      next.time = now;
      s.effects[next.key] = next;
    } else if (auto* const j = std::get_if<job_change>(&c)) {
      if (!j->what.idempotency_key.empty() && !s.job_keys.insert(j->what.idempotency_key).second) return {};
      auto next = j->what;
      next.created = now;
      s.jobs[next.id] = next;
    } else if (s.jobs.erase(std::get<finish_change>(c).id) == 0) {
      return wherry::errc::conflict;
    }
    return {};
  }

  wherry::remember_report remember(place& s, wherry::record fresh) const {
    auto const now = time_->now();
    if (fresh.created == 0) fresh.created = now;
    auto const live_like = [&](auto const& same) -> wherry::record* {
      for (auto& [id, r] : s.records)
        if (r.what.superseded_at == 0 && r.what.kind == fresh.kind && same(r.what)) return &r.what;
      return nullptr;
    };
    auto* const known = live_like([&](wherry::record const& r) {
      return r.subject == fresh.subject && r.attribute == fresh.attribute && form(r.text) == form(fresh.text);
    });
    if (known) {
      known->proofs += fresh.proofs;
      known->importance = std::max(known->importance, fresh.importance);
      return {.outcome = known->text == fresh.text ? wherry::remembered::same : wherry::remembered::merged,
              .id = known->id};
    }
    wherry::remember_report report{.outcome = wherry::remembered::created, .id = fresh.id};
    auto* const older = fresh.attribute.empty() ? nullptr : live_like([&](wherry::record const& r) {
      return form(r.subject) == form(fresh.subject) && form(r.attribute) == form(fresh.attribute);
    });
    if (older && since(fresh) < since(*older)) {
      fresh.superseded_by = older->id;
      fresh.superseded_at = now;
      fresh.valid_to = since(*older);
      report.other = older->id;
    } else if (older) {
      older->superseded_by = fresh.id;
      older->superseded_at = now;
      older->valid_to = since(fresh);
      report.outcome = wherry::remembered::superseded;
      report.other = older->id;
    }
    s.records[fresh.id] = {std::move(fresh)};
    return report;
  }

  std::shared_ptr<wherry::clock const> time_;
  std::mutex mutex_;
  std::map<scope_key, place> scopes_;
};

}  // namespace wherry_test
