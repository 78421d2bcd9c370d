#include "commands.hpp"
#include "outcome.hpp"
#include "store_place.hpp"
#include "terminal.hpp"

#include <wherry/core/json.hpp>
#include <wherry/core/text.hpp>
#include <wherry/memory/document.hpp>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>

namespace wherry::cli {
namespace {

/// Records are written and read in pages and commits of so many.
constexpr std::size_t page = 500;

json to_json(record const& r) {
  json out;
  out["id"] = r.id.text();
  out["kind"] = r.kind;
  out["text"] = r.text;
  auto const put = [&](char const* name, std::string const& value) {
    if (!value.empty()) out[name] = value;
  };
  auto const put_time = [&](char const* name, utc_ms value) {
    if (value) out[name] = value;
  };
  put("title", r.title);
  put("subject", r.subject);
  put("attribute", r.attribute);
  json source;
  if (!r.source.session.empty()) source["session"] = r.source.session;
  if (!r.source.document.empty()) source["document"] = r.source.document;
  if (r.source.first_seq) source["first_seq"] = r.source.first_seq;
  if (r.source.last_seq) source["last_seq"] = r.source.last_seq;
  if (r.source.end) source["begin"] = r.source.begin, source["end"] = r.source.end;
  if (!source.empty()) out["source"] = std::move(source);
  out["origin"] = to_string(r.origin);
  out["importance"] = r.importance;
  out["proofs"] = r.proofs;
  out["created"] = r.created;
  put_time("valid_from", r.valid_from);
  put_time("valid_to", r.valid_to);
  put_time("expires", r.expires);
  if (r.superseded_at) out["superseded_by"] = r.superseded_by.text(), out["superseded_at"] = r.superseded_at;
  for (auto const& tag : r.tags) out["tags"][tag.name] = tag.value;
  return out;
}

result<record> from_json(json const& in) {
  auto const wrong = [](std::string what) { return error{errc::parse_error, std::move(what), "cli.memory"}; };
  if (!in.is_object() || !in.contains("text")) return wrong("a record is an object with a member \"text\"");
  record r;
  try {
    if (in.contains("id")) {
      auto const id = ulid::parse(in["id"].get<std::string>());
      if (!id) return wrong("\"" + in["id"].get<std::string>() + "\" is no id");
      r.id = *id;
    }
    r.text = in["text"].get<std::string>();
    r.kind = in.value("kind", "fact");
    r.title = in.value("title", "");
    r.subject = in.value("subject", "");
    r.attribute = in.value("attribute", "");
    auto const source = in.value("source", json::object());
    r.source = {.session = source.value("session", ""),
                .first_seq = source.value("first_seq", std::uint64_t{0}),
                .last_seq = source.value("last_seq", std::uint64_t{0}),
                .document = source.value("document", ""),
                .begin = source.value("begin", std::uint64_t{0}),
                .end = source.value("end", std::uint64_t{0})};
    auto const origin = in.value("origin", "user");
    bool known = false;
    for (auto const o : {record_origin::user, record_origin::tool, record_origin::agent, record_origin::document,
                         record_origin::recalled})
      if (origin == to_string(o)) r.origin = o, known = true;
    if (!known) return wrong("\"" + origin + "\" is no origin");
    r.importance = in.value("importance", 0.5F);
    r.proofs = in.value("proofs", 1U);
    r.created = in.value("created", utc_ms{0});
    r.valid_from = in.value("valid_from", utc_ms{0});
    r.valid_to = in.value("valid_to", utc_ms{0});
    r.expires = in.value("expires", utc_ms{0});
    r.superseded_at = in.value("superseded_at", utc_ms{0});
    if (auto const by = ulid::parse(in.value("superseded_by", ""))) r.superseded_by = *by;
    json const tags = in.value("tags", json::object());
    for (auto const& [name, value] : tags.items()) r.tags.push_back({name, value.get<std::string>()});
  } catch (nlohmann::json::exception const& e) {
    return wrong(std::string("a member of a record has the wrong type: ") + e.what());
  }
  return r;
}

/// Calls see for every record of a scope.
template <class See>
result<void> each_record(scope_handle const& scope, See see) {
  for (ulid after{};;) {
    auto const some = scope.records(after, page);
    if (!some) return some.error();
    for (auto const& r : *some) see(r);
    if (some->size() < page) return {};
    after = some->back().id;
  }
}

result<std::string> read_text(std::string const& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in && !in.eof()) return error{errc::io_failed, "the file could not be read", "cli.memory", path};
  if (!std::ifstream(path)) return error{errc::not_found, "there is no such file", "cli.memory", path};
  return text;
}

void put_record(record const& r) {
  put_raw(styled_output(style::bold, r.id.text()) + "  " + one_line(r.kind, 20) + "  " +
          (r.superseded_at ? "(ended) " : "") + one_line(r.text, 100) + '\n');
}

}  // namespace

int memory_search_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto scope = open_scope(given.store, access::read);
  if (!scope) return report(scope.error(), as_json);
  recall_query const q{.text = given.text.value_or(""), .limit = given.memory.limit, .kinds = given.memory.kinds};
  auto const found = scope->recall(q);
  if (!found) return report(found.error(), as_json);
  if (as_json) {
    json hits = json::array();
    for (auto const& hit : found->hits) {
      auto j = to_json(hit.record);
      j["score"] = hit.score;
      j["why"] = explain(hit);
      hits.push_back(std::move(j));
    }
    put_raw(to_text(hits) + '\n');
    return exit_ok;
  }
  for (auto const& hit : found->hits) {
    put_record(hit.record);
    if (given.output.verbose) say("  " + explain(hit));
  }
  for (auto const& what : found->degraded) say_notice(what);
  if (found->hits.empty()) say("Nothing in the memory of " + given.store.scope + " has these words.");
  return exit_ok;
}

int memory_show_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto scope = open_scope(given.store, access::read);
  if (!scope) return report(scope.error(), as_json);
  auto const id = ulid::parse(given.text.value_or(""));
  if (!id)
    return report(
        {errc::invalid_argument, "a record's id has 26 characters; wherry memory search shows them", "cli.memory"},
        as_json);
  auto const found = scope->record(*id);
  if (!found) return report(found.error(), as_json);
  if (!*found) return report({errc::not_found, "there is no record " + id->text(), "cli.memory"}, as_json);
  put((as_json ? to_text(to_json(**found)) : to_json(**found).dump(2)) + '\n');
  return exit_ok;
}

int memory_stats_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto scope = open_scope(given.store, access::read);
  if (!scope) return report(scope.error(), as_json);
  std::map<std::string, std::size_t> kinds;
  std::size_t records = 0, ended = 0, bytes = 0;
  auto const counted = each_record(*scope, [&](record const& r) {
    ++records;
    ended += r.superseded_at != 0;
    bytes += r.text.size();
    ++kinds[r.kind];
  });
  if (!counted) return report(counted.error(), as_json);
  auto const sessions = scope->sessions();
  if (!sessions) return report(sessions.error(), as_json);
  json j;
  j["records"] = records;
  j["ended"] = ended;
  j["text_bytes"] = bytes;
  j["sessions"] = sessions->size();
  j["kinds"] = json::object();
  for (auto const& [kind, count] : kinds) j["kinds"][kind] = count;
  if (as_json) {
    put_raw(to_text(j) + '\n');
    return exit_ok;
  }
  put(std::to_string(records) + " records (" + std::to_string(ended) + " ended by newer ones), " +
      std::to_string(bytes) + " bytes of text, " + std::to_string(sessions->size()) + " sessions\n");
  for (auto const& [kind, count] : kinds) put("  " + std::to_string(count) + "  " + kind + '\n');
  return exit_ok;
}

int memory_verify_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto const db = store::open(store_path(given.store), {.read_only = !given.memory.repair, .create_if_missing = false});
  if (!db) return report(db.error(), as_json);
  slow_work const waiting("looking at everything");
  auto const found = db->verify(given.memory.repair);
  if (!found) return report(found.error(), as_json);
  if (as_json) {
    json j;
    j["scopes"] = found->scopes;
    j["sessions"] = found->sessions;
    j["events"] = found->events;
    j["records"] = found->records;
    j["items"] = found->items;
    j["postings"] = found->postings;
    j["vectors"] = found->vectors;
    j["problems"] = found->problems;
    j["repaired"] = found->repaired;
    put_raw(to_text(j) + '\n');
  } else {
    put(std::to_string(found->scopes) + " scopes, " + std::to_string(found->sessions) + " sessions, " +
        std::to_string(found->events) + " events, " + std::to_string(found->records) + " records, " +
        std::to_string(found->postings) + " postings, " + std::to_string(found->vectors) + " vectors\n");
    for (auto const& problem : found->problems) put("problem: " + problem + '\n');
    put(found->problems.empty() ? "all is well\n" : std::to_string(found->repaired) + " mended\n");
  }
  return found->problems.size() > found->repaired ? exit_failed : exit_ok;
}

int memory_erase_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto const& m = given.memory;
  erase_request what{
      .everything = m.everything, .sessions = m.sessions, .documents = m.documents, .subjects = m.subjects};
  for (auto const& text : m.records) {
    auto const id = ulid::parse(text);
    if (!id) return report({errc::invalid_argument, "\"" + text + "\" is no record's id", "cli.memory"}, as_json);
    what.records.push_back(*id);
  }
  bool const named =
      what.everything || what.records.size() + what.sessions.size() + what.documents.size() + what.subjects.size() > 0;
  if (!named)
    return report({errc::invalid_argument,
                   "say what to erase: --record, --session, --document, --subject or --everything", "cli.memory"},
                  as_json);
  auto scope = open_scope(given.store, access::write);
  if (!scope) return report(scope.error(), as_json);
  auto const receipt = scope->erase(what);
  if (!receipt) return report(receipt.error(), as_json);
  if (as_json) {
    json j;
    j["receipt"] = receipt->id.text();
    j["records"] = receipt->records;
    j["sessions"] = receipt->sessions;
    j["items"] = receipt->items;
    j["places"] = receipt->places;
    put_raw(to_text(j) + '\n');
  } else {
    put("erased " + std::to_string(receipt->records) + " records, " + std::to_string(receipt->sessions) +
        " sessions, " + std::to_string(receipt->items) + " items; receipt " + receipt->id.text() + '\n');
  }
  return exit_ok;
}

int memory_export_command(settings const& given) {
  auto scope = open_scope(given.store, access::read);
  if (!scope) return report(scope.error(), given.output.as_json);
  std::ofstream file;
  if (!given.file.empty()) file.open(given.file, std::ios::binary);
  auto const done = each_record(*scope, [&](record const& r) {
    auto const line = to_text(to_json(r)) + '\n';
    given.file.empty() ? put_raw(line) : void(file << line);
  });
  if (!done) return report(done.error(), given.output.as_json);
  if (!given.file.empty() && !file.flush())
    return report({errc::io_failed, "the records could not be written; name another file", "cli.export", given.file},
                  given.output.as_json);
  return exit_ok;
}

int memory_import_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto const text = read_text(given.file);
  if (!text) return report(text.error(), as_json);
  auto scope = open_scope(given.store, access::write);
  if (!scope) return report(scope.error(), as_json);
  transaction tx{*scope};
  std::size_t line_number = 0, count = 0;
  std::string_view rest = *text;
  while (!rest.empty()) {
    auto const line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    ++line_number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto const parsed = parse_json(line);
    auto r = parsed ? from_json(*parsed) : result<record>(parsed.error());
    if (!r) {
      auto why = r.error();
      why.message = "line " + std::to_string(line_number) + ": " + why.message;
      return report(why, as_json);
    }
    tx.put(std::move(*r));
    if (++count % page == 0)
      if (auto const done = tx.commit(); !done) return report(done.error(), as_json);
  }
  if (auto const done = tx.commit(); !done) return report(done.error(), as_json);
  put(as_json ? "{\"records\":" + std::to_string(count) + "}\n" : std::to_string(count) + " records\n");
  return exit_ok;
}

int memory_ingest_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto scope = open_scope(given.store, access::write);
  if (!scope) return report(scope.error(), as_json);
  json all = json::array();
  for (auto const& path : given.texts) {
    auto const text = read_text(path);
    if (!text) return report(text.error(), as_json);
    auto const done = ingest_document(*scope, path, *text);
    if (!done) return report(done.error(), as_json);
    json j;
    j["document"] = path;
    j["chunks"] = done->chunks;
    j["replaced"] = done->replaced;
    all.push_back(std::move(j));
    if (!as_json) put(path + ": " + std::to_string(done->chunks) + " chunks\n");
  }
  if (as_json) put_raw(to_text(all) + '\n');
  return exit_ok;
}

}  // namespace wherry::cli
