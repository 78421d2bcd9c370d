#include <wherry/core/hash.hpp>
#include <wherry/core/text.hpp>
#include <wherry/memory/document.hpp>

#include <algorithm>

namespace wherry::inline v0 {
namespace {

constexpr std::size_t heading_levels = 6;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// A stretch without an empty line, under headings.
struct block {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string headings = {};
};

/// The level of a Markdown heading and its text; 0: no heading.
std::pair<std::size_t, std::string> heading_of(std::string_view line) {
  std::size_t level = 0;
  while (level < line.size() && line[level] == '#') ++level;
  if (level == 0 || level > heading_levels || level == line.size() || line[level] != ' ') return {0, {}};
  auto text = line.substr(level);
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && (is_blank(text.back()) || text.back() == '#')) text.remove_suffix(1);
  return {level, std::string(text)};
}

std::string joined(std::vector<std::string> const& path) {
  std::string out;
  for (auto const& part : path)
    if (!part.empty()) out += (out.empty() ? "" : " > ") + part;
  if (out.size() > record_label_bytes_max) out.resize(utf8_complete_prefix(out.substr(0, record_label_bytes_max)));
  return out;
}

std::vector<block> blocks_of(std::string_view text) {
  std::vector<block> out;
  std::vector<std::string> path;
  block open;
  bool is_open = false;
  bool fenced = false;
  auto const close = [&] {
    if (is_open) out.push_back(std::move(open));
    is_open = false;
  };
  for (std::size_t at = 0; at < text.size();) {
    auto const line_end = std::min(text.find('\n', at), text.size());
    auto const line = text.substr(at, line_end - at);
    bool const empty = std::all_of(line.begin(), line.end(), is_blank);
    if (line.starts_with("```") || line.starts_with("~~~")) fenced = !fenced;
    auto const [level, title] = fenced ? std::pair<std::size_t, std::string>{} : heading_of(line);
    if (level > 0) {
      close();
      path.resize(level);
      path[level - 1] = title;
    }
    if (empty && !fenced) close();
    if (!empty) {
      if (!is_open) open = block{at, line_end, joined(path)};
      is_open = true;
      open.end = line_end;
    }
    at = line_end + 1;
  }
  close();
  return out;
}

/// Where a stretch that begins at `begin` may end so that it is not longer than the most: after a sentence, else after
/// a word, else on a code point.
std::size_t cut(std::string_view text, std::size_t begin, std::size_t end, std::size_t bytes_max) {
  if (end - begin <= bytes_max) return end;
  auto const window = text.substr(begin, bytes_max);
  for (std::size_t i = window.size(); i > bytes_max / 2; --i)
    if (is_blank(window[i - 1]) && i > 1 && (window[i - 2] == '.' || window[i - 2] == '!' || window[i - 2] == '?'))
      return begin + i - 1;
  for (std::size_t i = window.size(); i > bytes_max / 2; --i)
    if (is_blank(window[i - 1])) return begin + i - 1;
  return begin + std::max<std::size_t>(utf8_complete_prefix(window), 1);
}

/// Where the overlap that precedes `end` begins: at a word, not before `least`.
std::size_t overlap_begin(std::string_view text, std::size_t least, std::size_t end, std::size_t bytes) {
  auto at = end > least + bytes ? end - bytes : least;
  while (at < end && at > least && !is_blank(text[at - 1])) ++at;
  return at;
}

}  // namespace

std::vector<document_chunk> chunk_document(std::string_view text, chunk_options options) {
  constexpr std::size_t least = 16;  // a code point always fits
  auto const bytes_max = std::max(options.bytes_max, least);
  auto const overlap = std::min(options.overlap_bytes, bytes_max / 2);
  std::vector<document_chunk> out;
  for (auto const& b : blocks_of(text)) {
    bool const joins = !out.empty() && out.back().headings == b.headings && b.end - out.back().begin <= bytes_max;
    if (joins) {
      out.back().end = b.end;
      continue;
    }
    auto begin = b.begin;
    if (!out.empty() && out.back().headings == b.headings)
      if (auto const from = overlap_begin(text, out.back().begin + 1, out.back().end, overlap);
          from < out.back().end && b.end - from <= bytes_max)
        begin = from;
    for (;;) {
      auto const end = cut(text, begin, b.end, bytes_max);
      out.push_back({begin, end, b.headings});
      if (end >= b.end) break;
      auto next = overlap_begin(text, begin + 1, end, overlap);
      if (next <= begin || next >= end) next = end;
      while (next < b.end && is_blank(text[next])) ++next;
      if (next >= b.end) break;
      begin = next;
    }
  }
  return out;
}

result<ingest_report> ingest_document(scope_handle const& scope, std::string const& id, std::string_view text,
                                      chunk_options options) {
  auto const refuse = [&](errc code, std::string message) { return error{code, std::move(message), "ingest", id}; };
  if (id.empty()) return refuse(errc::invalid_argument, "a document needs an id");
  if (text.size() > document_bytes_max)
    return refuse(errc::limit_reached, "the document is " + std::to_string(text.size()) + " bytes long; the most is " +
                                           std::to_string(document_bytes_max));
  if (!is_valid_utf8(text)) return refuse(errc::invalid_argument, "the document is not UTF-8 text");
  ingest_report report;
  transaction tx{scope};
  auto const known = scope.document_records(id);
  if (!known) return known.error();
  for (auto const& r : *known) tx.forget(r.id);
  report.replaced = known->size();
  std::uint64_t number = 0;
  for (auto const& chunk : chunk_document(text, options)) {
    ++number;
    tx.put({.kind = "document",
            .text = std::string(text.substr(chunk.begin, chunk.end - chunk.begin)),
            .source = {.first_seq = number, .last_seq = number, .document = id, .begin = chunk.begin, .end = chunk.end},
            .title = chunk.headings,
            .origin = record_origin::document});
  }
  report.chunks = number;
  if (auto done = tx.commit(); !done) return done.error();
  return report;
}

citation cite(record const& chunk) {
  return {chunk.source.document, chunk.source.begin, chunk.source.end, content_hash(chunk.text)};
}

result<void> verify_citation(scope_handle const& scope, citation const& cited) {
  bool covered = false;
  auto const chunks = scope.document_records(cited.document);
  if (!chunks) return chunks.error();
  for (auto const& r : *chunks) {
    auto const& s = r.source;
    if (cited.begin < s.begin || cited.end > s.end || cited.begin > cited.end || s.end - s.begin != r.text.size())
      continue;
    covered = true;
    auto const bytes = std::string_view(r.text).substr(cited.begin - s.begin, cited.end - cited.begin);
    if (content_hash(bytes) == cited.hash) return {};
  }
  auto const where = "bytes " + std::to_string(cited.begin) + " to " + std::to_string(cited.end) + " of document \"" +
                     cited.document + '"';
  if (covered) return error{errc::conflict, where + " say something else than was cited", "verify_citation"};
  return error{errc::not_found, "the scope does not hold " + where, "verify_citation"};
}

}  // namespace wherry::inline v0
