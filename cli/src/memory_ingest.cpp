// wherry memory ingest: documents become chunks that recall finds and answers can cite.

#include "commands.hpp"
#include "document_reader.hpp"
#include "outcome.hpp"
#include "store_place.hpp"
#include "terminal.hpp"

#include <wherry/core/json.hpp>
#include <wherry/memory/document.hpp>

namespace wherry::cli {

/// Every file that can be read is read in; the first that cannot decides how the command ends.
int memory_ingest_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto scope = open_scope(given.store, access::write);
  if (!scope) return report(scope.error(), as_json);
  json all = json::array();
  int ends_with = exit_ok;
  std::size_t number = 0;
  for (auto const& path : given.texts) {
    ++number;
    auto const place = given.texts.size() > 1
                           ? '[' + std::to_string(number) + '/' + std::to_string(given.texts.size()) + "] "
                           : std::string();
    slow_work const waiting(place + "reading " + path);
    auto const text = read_document(path);
    auto done = text ? ingest_document(*scope, path, *text) : result<ingest_report>(text.error());
    if (!done) {
      auto why = done.error();
      if (why.path.empty()) why.path = path;
      ends_with = report(why, false);
      continue;
    }
    json j;
    j["document"] = path;
    j["bytes"] = text->size();
    j["chunks"] = done->chunks;
    j["replaced"] = done->replaced;
    all.push_back(std::move(j));
    if (!as_json)
      put(place + path + ": " + counted(done->chunks, "chunk") +
          (done->replaced ? ", in place of " + std::to_string(done->replaced) : "") + '\n');
  }
  if (as_json) put_raw(to_text(all) + '\n');
  return ends_with;
}

}  // namespace wherry::cli
