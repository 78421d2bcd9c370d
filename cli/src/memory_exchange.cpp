// wherry memory export and import: all that a scope holds as JSON lines, and back.
//
//   {"id", "kind", "text", ...}                                     a record
//   {"vector": {"record", "fingerprint", "f32"}}                    a record's vector of one embedder; f32 is base64
//   {"item": {"space", "key", "value", "expires"}}                  an item; the value is JSON as text
//   {"event": {"session", "seq", "time", "type", "run", "payload"}} an event; the payload is JSON as text
//
// Texts are kept byte for byte, so that citations of records hold in the scope they are brought to. The values of a
// vector are little-endian IEEE 754; it counts there for whoever asks with the same embedder, for another one the
// records are as if they had none. The journal of effects and jobs stay behind.

#include "commands.hpp"
#include "outcome.hpp"
#include "record_json.hpp"
#include "store_place.hpp"
#include "terminal.hpp"

#include <wherry/core/base64.hpp>
#include <wherry/memory/transaction.hpp>

#include <bit>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>

namespace wherry::cli {
namespace {

/// Rows are written and read in pages and commits of so many.
constexpr std::size_t page = 500;
/// Of a commit, so that large events stay below the largest transaction.
constexpr std::size_t commit_bytes = transaction_bytes_max / 4;
/// Longest line of an import.
constexpr std::size_t line_bytes_max = std::size_t{128} << 20;

using line_writer = std::function<void(json const&)>;

result<void> export_vectors(scope_handle const& scope, ulid const& record, line_writer const& write) {
  static_assert(std::endian::native == std::endian::little);
  auto const vectors = scope.embeddings(record);
  if (!vectors) return vectors.error();
  for (auto const& v : *vectors) {
    std::string_view const bytes(reinterpret_cast<char const*>(v.values.data()), v.values.size() * sizeof(float));
    json line;
    line["vector"] = {{"record", record.text()}, {"fingerprint", v.fingerprint}, {"f32", to_base64(bytes)}};
    write(line);
  }
  return {};
}

result<void> export_records(scope_handle const& scope, bool vectors, line_writer const& write) {
  for (ulid after{};;) {
    auto const some = scope.records(after, page);
    if (!some) return some.error();
    for (auto const& r : *some) {
      write(to_json(r));
      if (!vectors) continue;
      if (auto done = export_vectors(scope, r.id, write); !done) return done;
    }
    if (some->size() < page) return {};
    after = some->back().id;
  }
}

result<void> export_items(scope_handle const& scope, line_writer const& write) {
  auto const spaces = scope.item_spaces();
  if (!spaces) return spaces.error();
  for (auto const& space : *spaces)
    for (std::string after;;) {
      auto const some = scope.items(space).list({}, after, page);
      if (!some) return some.error();
      for (auto const& i : *some) {
        json one{{"space", space}, {"key", i.key}, {"value", i.value}};
        if (i.expires) one["expires"] = i.expires;
        json line;
        line["item"] = std::move(one);
        write(line);
      }
      if (some->size() < page) break;
      after = some->back().key;
    }
  return {};
}

result<void> export_sessions(scope_handle const& scope, line_writer const& write) {
  auto const sessions = scope.sessions();
  if (!sessions) return sessions.error();
  for (auto const& info : *sessions) {
    auto const in = scope.session(info.name);
    for (std::uint64_t from = 1;; from += page) {
      auto const some = in.events(from, page);
      if (!some) return some.error();
      for (auto const& e : *some) {
        json line;
        line["event"] = {{"session", info.name},      {"seq", e.seq},        {"time", e.time},
                         {"type", to_string(e.type)}, {"run", e.run.text()}, {"payload", e.payload}};
        write(line);
      }
      if (some->size() < page) break;
    }
  }
  return {};
}

error wrong_line(std::string what) { return {errc::parse_error, std::move(what), "cli.import"}; }

/// Brings lines into a scope, a commit for every so many.
class importer {
 public:
  explicit importer(scope_handle scope) : scope_(std::move(scope)), tx_(scope_) {}

  result<void> take(std::string const& line) {
    auto const parsed = parse_json(line);
    if (!parsed) return parsed.error();
    if (!parsed->is_object()) return wrong_line("a line is an object: a record, a vector, an item or an event");
    try {
      if (parsed->contains("event")) return take_event(parsed->at("event"));
      if (auto done = end_session(); !done) return done;
      if (parsed->contains("item")) {
        take_item(parsed->at("item"));
      } else if (parsed->contains("vector")) {
        if (auto done = take_vector(parsed->at("vector")); !done) return done;
      } else {
        auto r = record_from_json(*parsed);
        if (!r) return std::move(r).error();
        tx_.put(std::move(*r)), ++records;
      }
    } catch (nlohmann::json::exception const& e) {
      return wrong_line(std::string("a member is missing or has the wrong type: ") + e.what());
    }
    return count(line.size());
  }
  result<void> finish() {
    if (auto done = end_session(); !done) return done;
    return commit();
  }

  std::size_t records = 0, vectors = 0, items = 0, events = 0, known_events = 0;

 private:
  void take_item(json const& in) {
    tx_.put_item(in.at("space").get<std::string>(), in.at("key").get<std::string>(), in.at("value").get<std::string>(),
                 {.expires = in.value("expires", utc_ms{0})});
    ++items;
  }

  result<void> take_vector(json const& in) {
    auto const record = ulid::parse(in.at("record").get<std::string>());
    auto const bytes = from_base64(in.at("f32").get_ref<std::string const&>());
    if (!record || !bytes || bytes->size() % sizeof(float) != 0)
      return wrong_line(record ? "a vector's values are not base64 of floats" : "a vector's record is not an id");
    embedding vector{.fingerprint = in.at("fingerprint").get<std::string>(),
                     .values = std::vector<float>(bytes->size() / sizeof(float))};
    std::memcpy(vector.values.data(), bytes->data(), bytes->size());
    tx_.embed(*record, std::move(vector));
    ++vectors;
    return {};
  }

  result<void> take_event(json const& in) {
    auto const name = in.at("session").get<std::string>();
    if (name != session_name_) {
      if (auto done = end_session(); !done) return done;
      auto const last = scope_.session(name).last_seq();
      if (!last) return last.error();
      session_name_ = name;
      known_ = seen_ = *last;
    }
    session_event e;
    auto const type = in.at("type").get<std::string>();
    auto const seq = in.at("seq").get<std::uint64_t>();
    auto const known_type = event_type_named(type);
    if (known_type) e.type = *known_type;
    auto const run = ulid::parse(in.at("run").get<std::string>());
    if (!known_type || !run) return wrong_line("an event has no such " + std::string(run ? "type" : "run"));
    e.run = *run;
    e.time = in.at("time").get<utc_ms>();
    e.payload = in.at("payload").get<std::string>();
    if (seq <= known_) return expect_known(seq, std::move(e));
    if (seq != seen_ + pending_.size() + 1)
      return wrong_line("event " + std::to_string(seq) + " of session \"" + name + "\" does not follow the one before");
    pending_bytes_ += e.payload.size();
    pending_.push_back(std::move(e));
    ++events;
    return pending_.size() >= page || pending_bytes_ >= commit_bytes ? append() : result<void>{};
  }

  /// An event that the session has already must be the very same.
  result<void> expect_known(std::uint64_t seq, session_event e) {
    auto const there = scope_.session(session_name_).events(seq, 1);
    if (!there) return there.error();
    e.seq = seq;
    if (there->empty() || !(there->front() == e))
      return error{errc::conflict,
                   "session \"" + session_name_ + "\" is there already and says something else at event " +
                       std::to_string(seq) + "; import into a scope without it",
                   "cli.import"};
    ++known_events;
    return {};
  }

  result<void> append() {
    auto const added = pending_.size();
    if (added == 0) return {};
    tx_.append(scope_.session(session_name_), seen_, std::move(pending_));
    pending_.clear();
    pending_bytes_ = 0;
    seen_ += added;
    return commit();
  }
  result<void> end_session() {
    auto done = append();
    session_name_.clear();
    known_ = seen_ = 0;
    return done;
  }
  result<void> count(std::size_t bytes) {
    bytes_ += bytes;
    return ++rows_ >= page || bytes_ >= commit_bytes ? commit() : result<void>{};
  }
  result<void> commit() {
    rows_ = bytes_ = 0;
    auto const done = tx_.commit();
    return done ? result<void>{} : done.error();
  }

  scope_handle scope_;
  transaction tx_;
  std::size_t rows_ = 0, bytes_ = 0;
  std::string session_name_;
  std::uint64_t known_ = 0;  ///< Events the session had before.
  std::uint64_t seen_ = 0;   ///< Those and what was appended.
  std::vector<session_event> pending_;
  std::size_t pending_bytes_ = 0;
};

}  // namespace

int memory_export_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto scope = open_scope(given.store, access::read);
  if (!scope) return report(scope.error(), as_json);
  std::ofstream file;
  if (!given.file.empty()) file.open(given.file, std::ios::binary);
  auto const write = [&](json const& line) {
    auto const text = to_text(line) + '\n';
    given.file.empty() ? put_raw(text) : void(file << text);
  };
  auto done = export_records(*scope, !given.memory.without_vectors, write);
  if (done) done = export_items(*scope, write);
  if (done) done = export_sessions(*scope, write);
  if (!done) return report(done.error(), as_json);
  if (!given.file.empty() && !file.flush())
    return report({errc::io_failed, "the records could not be written; name another file", "cli.export", given.file},
                  as_json);
  return exit_ok;
}

int memory_import_command(settings const& given) {
  bool const as_json = given.output.as_json;
  std::ifstream in(given.file, std::ios::binary);
  if (!in) return report({errc::not_found, "there is no such file", "cli.import", given.file}, as_json);
  auto scope = open_scope(given.store, access::write);
  if (!scope) return report(scope.error(), as_json);
  importer into(*scope);
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto const taken = line.size() <= line_bytes_max ? into.take(line) : wrong_line("the line is too long");
    if (!taken) {
      auto why = taken.error();
      why.message = "line " + std::to_string(number) + ": " + why.message;
      return report(why, as_json);
    }
  }
  if (in.bad()) return report({errc::io_failed, "the file could not be read", "cli.import", given.file}, as_json);
  if (auto const done = into.finish(); !done) return report(done.error(), as_json);
  json j;
  j["records"] = into.records;
  j["vectors"] = into.vectors;
  j["items"] = into.items;
  j["events"] = into.events;
  j["known_events"] = into.known_events;
  put(as_json ? to_text(j) + '\n'
              : counted(into.records, "record") + ", " + counted(into.items, "item") + ", " +
                    counted(into.events, "event") + " of sessions\n");
  return exit_ok;
}

}  // namespace wherry::cli
