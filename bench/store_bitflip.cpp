// Flips one bit at every n-th byte of every file of a small store and looks what comes of it: everything that was
// acknowledged, or an error that says store_damaged. Never silently less.
//
//   store_bitflip [--every N] [--seed S] [--scripts N] [--encrypted]
//
// The store is left as a process leaves it that is killed: some commits in tables, some only in the log, a graph with
// an image. --encrypted: the store has keys; their files are flipped too, and what comes of that may also be denied.
// Prints one line; exit status 1 when a flip was met with silence, a crash would end the program.

#include "store_workload.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

using namespace wherry;
using store_workload::script;
namespace fs = std::filesystem;

namespace {

bool encrypted = false;

/// A folder with a store and, beside it, its keys.
fs::path store_in(fs::path const& place) { return place / "store"; }
store_options small_store(fs::path const& place) {
  store_options out{.vectors_exact_max = 10};
  if (encrypted) out.keys = store_keys{place / "keys", std::string(32, 'k')};
  return out;
}

std::string read(fs::path const& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write(fs::path const& file, std::string const& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

enum class outcome { whole, damaged, silent };

/// What a store with `count` scripts shows.
outcome look(fs::path const& place, std::uint64_t count, std::string& why) {
  auto const judge = [&](error const& e) {
    why = to_string(e);
    bool const told = e.is(errc::store_damaged) || e.is(errc::unsupported) || (encrypted && e.is(errc::denied));
    return told ? outcome::damaged : outcome::silent;
  };
  auto const db = store::open(store_in(place), small_store(place));
  if (!db) return judge(db.error());
  auto const scope = db->scope({.tenant = "acme"});
  auto const talk = scope.session("talk");
  if (auto whole = talk.verify(); !whole) return judge(whole.error());
  auto const events = talk.events(1, latest_seq);
  if (!events) return judge(events.error());
  auto const report = db->verify();
  if (!report) return judge(report.error());
  if (!report->problems.empty()) return why = report->problems.front(), outcome::damaged;
  try {
    for (std::uint64_t n = 0; n < count; ++n)
      if (script{n}.in(scope, *events) != script::held::all)
        return why = "script " + std::to_string(n) + " is missing", outcome::silent;
    recall_query const q{.vectors = {script{0}.vector()}, .limit = 5};
    auto const nearest = scope.recall(q).value().hits;
    if (nearest.size() != 5 || nearest[0].record.id != script{0}.record_id())
      return why = "the nearest vector is another", outcome::silent;
  } catch (exception const& e) {
    return judge(e.error());
  }
  return outcome::whole;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t every = 64;
  std::uint64_t seed = 1, scripts = 40;
  for (int i = 1; i < argc; ++i) {
    std::string const name = argv[i];
    if (name == "--encrypted") encrypted = true;
    if (i + 1 == argc) break;
    if (name == "--every") every = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--seed") seed = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--scripts") scripts = std::strtoull(argv[i + 1], nullptr, 10);
  }
  auto name = (fs::temp_directory_path() / "store_bitflip-XXXXXX").string();
  if (!::mkdtemp(name.data()) || every == 0) return 2;
  fs::path const root = name, made = root / "made", left = root / "left", image = root / "image";
  auto const copy = [](fs::path const& from, fs::path const& to) {
    fs::remove_all(to);
    fs::copy(from, to, fs::copy_options::recursive);
  };
  auto const begin = [&](store const& db, std::uint64_t from, std::uint64_t to) {
    auto const scope = db.scope({.tenant = "acme"});
    auto const talk = scope.session("talk");
    for (auto n = from; n < to; ++n) {
      transaction tx{scope};
      script{n}.add_to(tx, talk, talk.last_seq().value());
      tx.commit(durability::synced).value();
    }
    return scope;
  };
  {
    store const db{store_in(made), small_store(made)};
    begin(db, 0, scripts / 2).maintain({.changes_before_image = 1}).value();
  }
  {
    store const db{store_in(made), small_store(made)};  // the log was moved into tables
    begin(db, scripts / 2, scripts);
    copy(made, left);  // as if killed here
  }
  std::string why;
  copy(left, image);
  if (look(image, scripts, why) != outcome::whole) {
    std::cerr << "store_bitflip: the store is broken before any flip: " << why << '\n';
    return 2;
  }
  auto const start = std::chrono::steady_clock::now();
  std::uint64_t flips = 0, whole = 0, damaged = 0, silent = 0, bytes = 0;
  std::vector<fs::path> files;
  for (auto const& entry : fs::recursive_directory_iterator(left))
    if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), left));
  for (auto const& file : files) {
    auto const good = read(left / file);
    bytes += good.size();
    for (std::size_t at = seed % every; at < good.size(); at += every) {
      copy(left, image);
      auto flipped = good;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at / every + seed) % 8));
      write(image / file, flipped);
      ++flips;
      auto const got = look(image, scripts, why);
      whole += got == outcome::whole;
      damaged += got == outcome::damaged;
      if (got == outcome::silent) {
        ++silent;
        std::cerr << file << " byte " << at << ": " << why << '\n';
      }
    }
  }
  auto const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf(
      "store_bitflip%s: %zu files, %llu bytes, %llu flips: %llu whole, %llu told as damage, %llu silent, %.1f s\n",
      encrypted ? " --encrypted" : "", files.size(), static_cast<unsigned long long>(bytes),
      static_cast<unsigned long long>(flips), static_cast<unsigned long long>(whole),
      static_cast<unsigned long long>(damaged), static_cast<unsigned long long>(silent), seconds);
  fs::remove_all(root);
  return silent ? 1 : 0;
}
