#include "extraction_reading.hpp"

#include "fact_rules.hpp"

#include <wherry/core/json.hpp>
#include <wherry/core/text.hpp>
#include <wherry/memory/quote.hpp>

#include <algorithm>
#include <set>

namespace wherry::inline v0::detail {
namespace {

/// How many events before a run are looked at for what was recalled there.
constexpr std::uint64_t events_looked_back = 200;
/// A quote of so many words that stands in recalled text is recalled, however long that text is.
constexpr std::size_t recalled_words = 4;

struct job_place {
  std::string session;
  ulid run;
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;
};

std::optional<job_place> place_of(outbox_job const& job) {
  auto const j = parse_json(job.payload);
  if (!j || !j->is_object()) return std::nullopt;
  for (auto const* text : {"session", "run"})
    if (!j->contains(text) || !(*j)[text].is_string()) return std::nullopt;
  for (auto const* number : {"first_seq", "last_seq"})
    if (!j->contains(number) || !(*j)[number].is_number_unsigned()) return std::nullopt;
  auto const run = ulid::parse((*j)["run"].get<std::string>());
  if (!run) return std::nullopt;
  return job_place{(*j)["session"].get<std::string>(), *run, (*j)["first_seq"].get<std::uint64_t>(),
                   (*j)["last_seq"].get<std::uint64_t>()};
}

/// What the notes of a session tell of recall: ids of records, and of calls whose results were recalled.
struct recall_notes {
  std::set<std::string> records;
  std::set<std::string> calls;

  void read(session_event const& note) {
    auto const j = parse_json(note.payload);
    if (!j || !j->is_object()) return;
    if (j->contains("context") && (*j)["context"].is_array())
      for (auto const& block : (*j)["context"])
        if (block.is_object() && block.contains("id") && block["id"].is_string())
          records.insert(block["id"].get<std::string>());
    if (j->contains("recalled") && (*j)["recalled"].is_array())
      for (auto const& id : (*j)["recalled"])
        if (id.is_string()) calls.insert(id.get<std::string>());
  }
};

/// Cuts a text into pieces of whole sentences.
void add_pieces(std::vector<said_piece>& out, said_piece whole, std::size_t bytes_max) {
  auto const text = std::move(whole.text);
  auto const add = [&](std::size_t begin, std::size_t end) {
    auto piece = whole;
    piece.begin += begin;
    piece.text = text.substr(begin, end - begin);
    out.push_back(std::move(piece));
  };
  std::size_t begin = 0, end = 0;
  for (auto const& sentence : sentences_of(text)) {
    if (sentence.end - begin > bytes_max && end > begin) {
      add(begin, end);
      begin = sentence.begin;
    }
    if (end == 0) begin = sentence.begin;
    end = sentence.end;
    while (end - begin > bytes_max) {  // one sentence that is too long
      auto const cut = std::max<std::size_t>(1, utf8_complete_prefix(std::string_view(text).substr(begin, bytes_max)));
      add(begin, begin + cut);
      begin += cut;
    }
  }
  if (end > begin) add(begin, end);
}

std::size_t words_of(std::string_view text) {
  std::size_t words = 0;
  bool in_word = false;
  for (char const c : text) {
    bool const blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    words += !blank && !in_word;
    in_word = !blank;
  }
  return words;
}

std::vector<std::string> numbers_in(std::string_view text) {
  std::vector<std::string> out;
  bool in_number = false;
  for (char const c : text) {
    bool const digit = c >= '0' && c <= '9';
    if (digit && !in_number) out.emplace_back();
    if (digit) out.back() += c;
    in_number = digit;
  }
  return out;
}

}  // namespace

result<reading> read_job(scope_handle const& scope, outbox_job const& job, extraction_options const& options) {
  reading out;
  auto const place = place_of(job);
  if (!place) {
    out.degraded.push_back("job " + job.id.text() + " has a payload that cannot be read; nothing was done for it");
    return out;
  }
  out.session = place->session;
  out.run = place->run;
  auto const from = place->first_seq > events_looked_back ? place->first_seq - events_looked_back : 1;
  if (place->last_seq < from) return out;
  auto const events = scope.session(place->session).events(from, place->last_seq - from + 1);
  if (!events) return events.error();
  recall_notes notes;
  for (auto const& event : *events)
    if (event.type == event_type::note) notes.read(event);
  for (auto const& text : notes.records) {
    auto const id = ulid::parse(text);
    auto const found = id ? scope.record(*id) : result<std::optional<record>>(std::nullopt);
    if (!found) return found.error();
    if (*found) out.recalled.push_back((*found)->text);
  }
  for (auto const& event : *events) {
    bool const own = event.seq >= place->first_seq && event.run == place->run;
    if (event.type == event_type::user_message && own) {
      add_pieces(out.pieces, {event.seq, event.time, 0, said_text(event), record_origin::user}, options.text_bytes_max);
    } else if (event.type == event_type::tool_results) {
      auto const parsed = parse_json(event.payload);
      auto const m = parsed ? message_from_json(*parsed) : result<message>(parsed.error());
      if (!m) continue;
      std::size_t begin = 0;  // as in said_text
      for (auto const& part : m->parts) {
        auto const* r = std::get_if<tool_result>(&part);
        if (!r) continue;
        if (notes.calls.contains(r->call_id))
          out.recalled.push_back(r->content);
        else if (own && options.tools && !r->failed)
          add_pieces(out.pieces, {event.seq, event.time, begin, r->content, record_origin::tool},
                     options.text_bytes_max);
        begin += r->content.size() + 1;
      }
    }
  }
  if (out.pieces.size() > options.texts_max) {
    out.degraded.push_back(std::to_string(out.pieces.size() - options.texts_max) +
                           " pieces of what was said were not read: a job reads " + std::to_string(options.texts_max));
    out.pieces.resize(options.texts_max);
  }
  return out;
}

bool is_recalled(std::string_view quote, std::vector<std::string> const& recalled) {
  return std::any_of(recalled.begin(), recalled.end(), [&](std::string const& text) {
    if (contains_but_for_form(text, quote)) return words_of(quote) >= recalled_words || 2 * quote.size() >= text.size();
    return contains_but_for_form(quote, text) && 2 * text.size() >= quote.size();
  });
}

bool numbers_were_said(std::string_view fact, std::string_view said) {
  auto const known = numbers_in(said);
  auto const told = numbers_in(fact);
  return std::all_of(told.begin(), told.end(), [&](std::string const& number) {
    return std::find(known.begin(), known.end(), number) != known.end();
  });
}

}  // namespace wherry::inline v0::detail
