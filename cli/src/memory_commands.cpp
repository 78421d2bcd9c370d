#include "commands.hpp"
#include "model_finder.hpp"
#include "outcome.hpp"
#include "record_json.hpp"
#include "store_place.hpp"
#include "terminal.hpp"

#include <wherry/core/text.hpp>
#include <wherry/llm/local_encoder.hpp>
#include <wherry/memory/transaction.hpp>

#include <iostream>
#include <map>

namespace wherry::cli {
namespace {

/// Records are read in pages of so many.
constexpr std::size_t page = 500;

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

void put_record(record const& r) {
  put_raw(styled_output(style::bold, r.id.text()) + "  " + one_line(r.kind, 20) + "  " +
          (r.superseded_at ? "(ended) " : "") + one_line(r.text, 100) + '\n');
}

result<recall_options> models_for(memory_settings const& given) {
  recall_options out;
  if (given.reranker.empty()) return out;
  auto const file = resolve_model(given.reranker, model_folders::of_this_user());
  if (!file) return file.error();
  auto const model = local_encoder::open(*file);
  if (!model) return model.error();
  auto reranker = model->as_reranker();
  if (!reranker) return reranker.error();
  out.reranker = std::move(*reranker);
  out.model_time = std::chrono::minutes(1);  // a person waits, and may interrupt
  return out;
}

}  // namespace

int memory_search_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto const models = models_for(given.memory);
  if (!models) return report(models.error(), as_json);
  auto scope = open_scope(given.store, access::read);
  if (!scope) return report(scope.error(), as_json);
  recall_query const q{.text = given.text.value_or(""), .limit = given.memory.limit, .kinds = given.memory.kinds};
  auto const found = scope->recall(q, *models);
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
  auto const walked = each_record(*scope, [&](record const& r) {
    ++records;
    ended += r.superseded_at != 0;
    bytes += r.text.size();
    ++kinds[r.kind];
  });
  if (!walked) return report(walked.error(), as_json);
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
  put(counted(records, "record") + " (" + std::to_string(ended) + " ended by newer ones), " + counted(bytes, "byte") +
      " of text, " + counted(sessions->size(), "session") + '\n');
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
    put(counted(found->scopes, "scope") + ", " + counted(found->sessions, "session") + ", " +
        counted(found->events, "event") + ", " + counted(found->records, "record") + ", " +
        counted(found->postings, "posting") + ", " + counted(found->vectors, "vector") + '\n');
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
    put("erased " + counted(receipt->records, "record") + ", " + counted(receipt->sessions, "session") + ", " +
        counted(receipt->items, "item") + "; receipt " + receipt->id.text() + '\n');
  }
  return exit_ok;
}

}  // namespace wherry::cli
