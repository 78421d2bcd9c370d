#include "verify.hpp"

#include "scope_commit.hpp"

#include <algorithm>

namespace wherry::inline v0::memory_detail {
namespace {

/// Damaged rows are told, not followed.
class scope_check {
 public:
  scope_check(scope_state& scope, verify_report& report) : scope_(scope), store_(*scope.store), report_(report) {}

  /// The caller holds the scope's mutex.
  result<void> check(bool repair) {
    if (auto ready = scope_.load_locked(); !ready) return ready;
    if (!scope_.id) return {};
    ++report_.scopes;
    sid_ = *scope_.id;
    if (auto done = sessions(); !done) return done;
    if (auto done = items(); !done) return done;
    if (auto done = records(); !done) return done;
    auto const before = report_.problems.size();
    if (auto done = derived(family::post, 'P', "posting", report_.postings); !done) return done;
    if (auto done = totals(); !done) return done;
    if (auto done = derived(family::mem, 'H', "row of a text", ignored_); !done) return done;
    if (auto done = derived(family::mem, 'A', "row of an attribute", ignored_); !done) return done;
    if (auto done = derived(family::mem, 'X', "row of an expiry", ignored_); !done) return done;
    if (auto done = vectors(); !done) return done;
    if (!repair || report_.problems.size() == before || !sound_) return {};
    report_.repaired += report_.problems.size() - before;
    return mend();
  }

 private:
  void problem(std::string what) {
    if (report_.problems.size() < verify_problems_max)
      report_.problems.push_back("scope " + sid_.text() + ": " + std::move(what));
  }

  result<void> walk(family f, char letter, store_state::visitor const& visit) {
    return store_.scan(f, prefix(sid_, letter), prefix_end(sid_, letter), visit);
  }

  result<void> sessions() {
    std::vector<std::pair<std::string, session_row>> all;
    auto listed = walk(family::state, 'S', [&](std::string_view key, std::string_view value) -> result<bool> {
      auto row = decode_session(value);
      if (!row) return problem("the entry of a session fails its checksum"), true;
      all.emplace_back(rest_of_key(key), std::move(*row));
      return true;
    });
    if (!listed) return listed;
    for (auto const& [name, row] : all) {
      ++report_.sessions;
      chain_hash previous{};
      auto const last = store_.last(family::event, event_key(sid_, row.id, 0), event_key(sid_, row.id, latest_seq));
      if (!last) return last.error();
      std::uint64_t end = row.inherited.empty() ? 0 : row.inherited.back().last_seq;
      if (*last) end = seq_of_event_key((*last)->first);
      auto seen =
          scope_.visit_events(sid_, row, 1, end, [&](decoded_event&& e, std::string_view value) -> result<bool> {
            ++report_.events;
            if (e.previous != previous)
              problem("event " + std::to_string(e.event.seq) + " of session \"" + name +
                      "\" does not follow from the last");
            previous = chain_hash_of(value);
            return true;
          });
      if (!seen && seen.error().is(errc::store_damaged))
        problem("session \"" + name + "\": " + seen.error().message);
      else if (!seen)
        return seen;
    }
    return {};
  }

  result<void> items() {
    return walk(family::item, 'I', [&](std::string_view key, std::string_view value) -> result<bool> {
      ++report_.items;
      if (!decode_item(value, key)) problem("an item fails its checksum");
      return true;
    });
  }

  /// Reads every record and notes what should have been made from it.
  result<void> records() {
    auto listed = walk(family::mem, 'M', [&](std::string_view key, std::string_view value) -> result<bool> {
      auto const id = id_in_key(key);
      auto found = decode_record(value, id);
      if (!found) {
        sound_ = false;
        return problem("record " + id.text() + " fails its checksum"), true;
      }
      ++report_.records;
      auto const made = derive(scope_, *found);
      for (auto const& [row, what] : made.rows) wanted_.emplace(row, what);
      for (auto const& row : made.shared) ours_.emplace(row.first, row.second);
      auto const profile = profile_of(found->what.kind);
      ++totals_.records[profile];
      totals_.length[profile] += found->text_length + found->title_length;
      totals_.next_number = std::max(totals_.next_number, found->number + 1);
      if (!numbers_.insert(found->number).second)
        problem("two records have the number " + std::to_string(found->number));
      return true;
    });
    return listed;
  }

  /// Every row of a letter is one that should be there, and every one that should be is.
  result<void> derived(family f, char letter, char const* what, std::size_t& count) {
    std::size_t found = 0, expected = 0;
    auto listed = walk(f, letter, [&](std::string_view key, std::string_view value) -> result<bool> {
      ++count;
      auto const known = wanted_.find({f, std::string(key)});
      if (known != wanted_.end()) {
        ++found;
        if (known->second != value) problem(std::string("a ") + what + " is not what its record makes it");
      } else if (!shared_row(f, key, value)) {
        problem(std::string("a ") + what + " belongs to no record");
      }
      return true;
    });
    if (!listed) return listed;
    auto const begin = wanted_.lower_bound({f, prefix(sid_, letter)}),
               end = wanted_.lower_bound({f, prefix_end(sid_, letter)});
    expected = static_cast<std::size_t>(std::distance(begin, end));
    if (found != expected) problem(std::to_string(expected - found) + " of a " + what + " are missing");
    return {};
  }

  /// Rows of texts and attributes name one of the records that could claim them.
  bool shared_row(family f, std::string_view key, std::string_view value) const {
    if (f != family::mem) return false;
    auto const named = decode_id(value);
    auto const [first, last] = ours_.equal_range(std::string(key));
    return named && std::any_of(first, last, [&](auto const& row) { return row.second == *named; });
  }

  result<void> totals() {
    auto const row = store_.get(family::post, totals_key(sid_));
    if (!row) return row.error();
    if (!*row && numbers_.empty()) return {};
    auto const kept = *row ? decode_totals(**row) : std::nullopt;
    if (!kept || kept->records != totals_.records || kept->length != totals_.length ||
        kept->next_number < totals_.next_number)
      problem("the totals of the index are not those of the records");
    if (kept) totals_.next_number = std::max(totals_.next_number, kept->next_number);
    return {};
  }

  result<void> vectors() {
    return walk(family::vec, 'V', [&](std::string_view key, std::string_view value) -> result<bool> {
      ++report_.vectors;
      if (!decode_vector(value)) problem("a vector fails its checksum");
      if (numbers_.contains(number_of_vector_key(key))) return true;
      problem("a vector belongs to no record");
      strays_.emplace_back(key);
      return true;
    });
  }

  /// Makes everything that is derived from records anew, in one commit.
  result<void> mend() {
    scope_commit commit(scope_);
    auto cleared = commit.erase_range(family::post, prefix(sid_, 'P'), prefix_end(sid_, 'P'));
    for (char const letter : {'H', 'A', 'X'})
      if (cleared) cleared = commit.erase_range(family::mem, prefix(sid_, letter), prefix_end(sid_, letter));
    for (auto const& key : strays_)
      if (cleared) cleared = commit.erase_key(family::vec, key);
    if (!cleared) return cleared;
    for (auto const& [row, value] : wanted_)
      if (auto put = commit.put_row(row.first, row.second, value); !put) return put;
    for (auto const& [key, id] : ours_)
      if (auto put = commit.put_row(family::mem, key, encode_id(id)); !put) return put;
    if (auto put = commit.put_row(family::post, totals_key(sid_), encode_totals(totals_)); !put) return put;
    if (auto written = commit.write(durability::synced); !written) return written.error();
    scope_.forget_locked(false);
    return {};
  }

  scope_state& scope_;
  store_state& store_;
  verify_report& report_;
  ulid sid_;
  std::map<std::pair<family, std::string>, std::string> wanted_;
  std::multimap<std::string, ulid> ours_;
  std::set<std::uint32_t> numbers_;
  std::vector<std::string> strays_;
  index_totals totals_;
  bool sound_ = true;
  std::size_t ignored_ = 0;
};

}  // namespace

result<verify_report> verify(store_state& store, bool repair) {
  verify_report report;
  auto names = store.scope_names(report.unreadable);
  if (!names) return names.error();
  for (auto& name : *names) {
    auto const scope = store.scope(std::move(name));
    std::lock_guard const no_maintenance(scope->maintenance_mutex);
    std::lock_guard const lock(scope->mutex);
    if (auto done = scope_check(*scope, report).check(repair); !done) {
      if (!done.error().is(errc::store_damaged)) return done.error();
      report.problems.push_back(done.error().message);
    }
  }
  return report;
}

}  // namespace wherry::inline v0::memory_detail
