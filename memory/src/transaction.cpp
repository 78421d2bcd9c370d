#include "scope_commit.hpp"

#include <wherry/core/runtime.hpp>
#include <wherry/memory/transaction.hpp>

#include <atomic>
#include <chrono>
#include <thread>

namespace wherry::inline v0 {

using namespace memory_detail;

transaction::transaction(scope_handle scope) : scope_(std::move(scope)) {}

transaction& transaction::append(session const& to, std::uint64_t expected_seq, std::vector<session_event> events) {
  operations_.emplace_back(append_op{to, expected_seq, std::move(events)});
  return *this;
}

ulid transaction::put(record r) {
  if (r.id == ulid{}) r.id = new_id(*scope_.state_->store);
  auto const id = r.id;
  operations_.emplace_back(std::move(r));
  return id;
}

ulid transaction::remember(record r) {
  if (r.id == ulid{}) r.id = new_id(*scope_.state_->store);
  auto const id = r.id;
  operations_.emplace_back(remember_op{std::move(r)});
  return id;
}

transaction& transaction::forget(ulid const& record_id) {
  operations_.emplace_back(forget_op{record_id});
  return *this;
}

transaction& transaction::embed(ulid const& record_id, embedding vector) {
  operations_.emplace_back(embed_op{record_id, std::move(vector)});
  return *this;
}

transaction& transaction::put_item(std::string space, std::string key, std::string json_text, item_options options) {
  operations_.emplace_back(item_op{std::move(space), std::move(key), std::move(json_text), options});
  return *this;
}

transaction& transaction::remove_item(std::string space, std::string key, item_options options) {
  operations_.emplace_back(item_op{std::move(space), std::move(key), std::nullopt, options});
  return *this;
}

transaction& transaction::journal(effect_record e) {
  operations_.emplace_back(std::move(e));
  return *this;
}

ulid transaction::job(outbox_job j) {
  if (j.id == ulid{}) j.id = new_id(*scope_.state_->store);
  auto const id = j.id;
  operations_.emplace_back(std::move(j));
  return id;
}

transaction& transaction::finish(ulid const& job_id) {
  operations_.emplace_back(finish_op{job_id});
  return *this;
}

result<commit_seq> transaction::commit(std::optional<durability> how) {
  auto& scope = *scope_.state_;
  std::lock_guard const lock(scope.mutex);
  if (auto ready = scope.load_locked(); !ready) return ready.error();
  scope_commit changes(scope);
  reports_.clear();
  for (auto& change : operations_)
    if (auto added = add_to(changes, change); !added) return added.error();
  auto written = changes.write(how.value_or(scope.store->options.commit_durability));
  if (written) operations_.clear();
  return written;
}

namespace {

/// Counts commits on the pool. One that nobody waits for any more still holds its store, and RocksDB has to be closed
/// before the program's statics go: the end of the program waits for it.
class commit_under_way {
 public:
  commit_under_way() {
    static exit_wait const at_exit;  // made after the store was opened, so it goes before what RocksDB made then
    ++count;
  }
  ~commit_under_way() { --count; }
  commit_under_way(commit_under_way const&) = delete;
  commit_under_way& operator=(commit_under_way const&) = delete;

 private:
  static constexpr auto exit_wait_max = std::chrono::seconds(2);

  struct exit_wait {
    ~exit_wait() {
      auto const until = std::chrono::steady_clock::now() + exit_wait_max;
      while (count > 0 && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  };

  static inline std::atomic<int> count{0};
};

}  // namespace

task<result<commit_seq>> transaction::async_commit(transaction tx, std::optional<durability> how) {
  auto const wanted = how.value_or(tx.scope_.state_->store->options.commit_durability);
  if (wanted == durability::os) co_return tx.commit(wanted);
  struct shared_work {
    explicit shared_work(transaction t) : tx(std::move(t)) {}
    commit_under_way counted;  // first, so that it goes after the handle of the store
    transaction tx;
    std::optional<result<commit_seq>> outcome;
  };
  auto const shared = std::make_shared<shared_work>(std::move(tx));  // the pool may outlive the caller
  auto work = [shared, wanted] { shared->outcome = shared->tx.commit(wanted); };
  auto const done = co_await offload(compute_pool::shared(), std::move(work), "store commit");
  if (!done) co_return done.error();
  co_return std::move(*shared->outcome);
}

result<void> transaction::add_to(scope_commit& changes, operation& what) {
  if (auto const* r = std::get_if<record>(&what)) return changes.put(*r);
  if (auto const* e = std::get_if<effect_record>(&what)) return changes.journal(*e);
  if (auto const* j = std::get_if<outbox_job>(&what)) return changes.add(*j);
  if (auto const* done = std::get_if<finish_op>(&what)) return changes.finish(done->job_id);
  if (auto const* new_record = std::get_if<remember_op>(&what)) {
    auto report = changes.remember(new_record->what);
    if (!report) return report.error();
    reports_.push_back(*report);
    return {};
  }
  if (auto const* gone = std::get_if<forget_op>(&what)) return changes.remove(gone->record_id);
  if (auto const* i = std::get_if<item_op>(&what)) {
    if (!i->value) {
      auto const gone = changes.remove_item(i->space, i->key, i->options);
      return gone ? result<void>{} : gone.error();
    }
    auto const put = changes.put_item(i->space, i->key, *i->value, i->options);
    return put ? result<void>{} : put.error();
  }
  if (auto const* e = std::get_if<embed_op>(&what)) return changes.embed(e->record_id, e->vector);
  auto& events = std::get<append_op>(what);
  if (events.to.scope_ != scope_.state_)
    return error{errc::invalid_argument, "session \"" + events.to.name() + "\" is not of the transaction's scope",
                 "transaction.commit"};
  return changes.append(events.to.state_, events.expected_seq, events.events);
}

}  // namespace wherry::inline v0
