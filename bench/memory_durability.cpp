// What a durable commit costs, beside what the disk asks for at the least (an append and fdatasync) and beside SQLite
// in WAL mode with synchronous=FULL. Rounds of each are taken in turn in one run; the medians of the rounds are
// compared.

#include "bench_memory.hpp"

#include <wherry/memory/transaction.hpp>

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <mutex>
#include <thread>

using namespace wherry;
using steady = std::chrono::steady_clock;

namespace bench_memory {
namespace {

constexpr int rounds = 7;
constexpr int appends_per_round = 150;
constexpr int writers = 16;
constexpr std::chrono::milliseconds writers_round{700};
constexpr std::size_t value_bytes = 400;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// The median time of a call, in microseconds.
double p50_us(int count, std::function<void()> const& call) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    auto const start = steady::now();
    call();
    times.push_back(std::chrono::duration<double, std::micro>(steady::now() - start).count());
  }
  return median(times);
}

/// Calls a second of `writers` threads that call without pause.
double rate(std::function<void(int)> const& call) {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> done{0};
  std::vector<std::thread> threads;
  auto const start = steady::now();
  for (int t = 0; t < writers; ++t)
    threads.emplace_back([&, t] {
      while (!stop) {
        call(t);
        ++done;
      }
    });
  std::this_thread::sleep_for(writers_round);
  stop = true;
  for (auto& t : threads) t.join();
  return static_cast<double>(done) / std::chrono::duration<double>(steady::now() - start).count();
}

/// One SQLite connection behind a mutex, the usual way to share one.
class sqlite_log {
 public:
  explicit sqlite_log(std::filesystem::path const& path) {
    check(sqlite3_open(path.c_str(), &db_));
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA synchronous=FULL");
    run("CREATE TABLE event(scope INTEGER, seq INTEGER, payload BLOB, PRIMARY KEY(scope, seq)) WITHOUT ROWID");
    check(sqlite3_prepare_v2(db_, "INSERT INTO event VALUES(?,?,?)", -1, &insert_, nullptr));
  }
  ~sqlite_log() {
    sqlite3_finalize(insert_);
    sqlite3_close(db_);
  }
  void append(int scope, std::string const& payload) {
    std::lock_guard const lock(mutex_);
    sqlite3_bind_int(insert_, 1, scope);
    sqlite3_bind_int64(insert_, 2, ++seq_);
    sqlite3_bind_blob(insert_, 3, payload.data(), static_cast<int>(payload.size()), SQLITE_STATIC);
    if (sqlite3_step(insert_) != SQLITE_DONE) std::abort();
    sqlite3_reset(insert_);
  }

 private:
  static void check(int code) {
    if (code != SQLITE_OK) std::abort();
  }
  void run(char const* sql) { check(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }

  std::mutex mutex_;
  sqlite3* db_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  sqlite3_int64 seq_ = 0;
};

}  // namespace

bool durability(std::filesystem::path const& directory) {
  std::filesystem::create_directories(directory);
  store const db{directory / "store"};
  sqlite_log sqlite(directory / "sqlite.db");
  std::string const payload = "{\"text\":\"" + std::string(value_bytes, 'x') + "\"}";
  int const floor_file = ::open((directory / "floor").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (floor_file < 0) return false;
  std::string const line(450, 'x');

  std::vector<scope_handle> scopes;
  std::vector<session> sessions;
  std::vector<std::uint64_t> seen(writers, 0);
  for (int t = 0; t < writers; ++t) {
    scopes.push_back(db.scope({.tenant = "bench", .user = std::to_string(t)}));
    sessions.push_back(scopes.back().session("log"));
  }
  auto const append = [&](int t) {
    auto const at = static_cast<std::size_t>(t);
    transaction tx{scopes[at]};
    std::vector<session_event> events{{.type = event_type::note, .payload = payload}};
    tx.append(sessions[at], seen[at]++, std::move(events));
    tx.commit(wherry::durability::synced).value();
  };
  auto const batch = [&] {
    transaction tx{scopes[0]};
    std::vector<session_event> events(5, {.type = event_type::note, .payload = payload});
    tx.append(sessions[0], seen[0], std::move(events));
    seen[0] += 5;
    for (int i = 0; i < 3; ++i) {
      auto const id = tx.put({.kind = "fact", .text = "a fact of some words that are written with the turn"});
      tx.embed(id, {"m", std::vector<float>(384, 0.5F)});
    }
    tx.put_item("s", "k", "{}");
    tx.job({.kind = "extract", .payload = "{}"});
    tx.commit(wherry::durability::synced).value();
  };

  std::vector<double> floor_us, append_us, batch_us, sqlite_us, our_rate, sqlite_rate;
  for (int r = 0; r < rounds; ++r) {
    floor_us.push_back(p50_us(appends_per_round, [&] {
      if (::write(floor_file, line.data(), line.size()) < 0 || ::fdatasync(floor_file) != 0) std::abort();
    }));
    append_us.push_back(p50_us(appends_per_round, [&] { append(0); }));
    batch_us.push_back(p50_us(appends_per_round / 3, batch));
    sqlite_us.push_back(p50_us(appends_per_round, [&] { sqlite.append(0, payload); }));
    our_rate.push_back(rate(append));
    sqlite_rate.push_back(rate([&](int t) { sqlite.append(t, payload); }));
  }
  ::close(floor_file);
  double load[1] = {0};
  (void)::getloadavg(load, 1);
  auto const single = median(append_us) / median(floor_us), whole = median(batch_us) / median(floor_us),
             many = median(our_rate) / median(sqlite_rate);
  std::printf("durability, medians of %d rounds, load %.1f\n", rounds, load[0]);
  std::printf("  floor (append 450 B, fdatasync) p50 %.0f us; SQLite insert p50 %.0f us\n", median(floor_us),
              median(sqlite_us));
  std::printf("  synced append of one event p50 %.0f us: %.2f x the floor (bar: 1.5)\n", median(append_us), single);
  std::printf("  5 events, 3 records with vectors, item, job in one commit p50 %.0f us: %.2f x the floor\n",
              median(batch_us), whole);
  std::printf("  %d writers: %.0f commits/s, SQLite %.0f/s: %.2f x (bar: 2.5)\n", writers, median(our_rate),
              median(sqlite_rate), many);
  return verdict(single <= 1.5 && many >= 2.5);
}

}  // namespace bench_memory
