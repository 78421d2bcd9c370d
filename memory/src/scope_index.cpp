#include "scope_index.hpp"

#include "store_state.hpp"
#include "vector_set.hpp"

#include <wherry/memory/recall.hpp>

#include <algorithm>
#include <cstring>

namespace wherry::inline v0 {

bool is_long_kind(std::string_view kind) noexcept {
  return kind == "document" || kind == "message" || kind == "summary";
}

namespace memory_detail {

std::uint32_t profile_of(std::string_view kind) { return is_long_kind(kind) ? 1 : 0; }

scope_index::scope_index(ulid const& scope) : scope_(scope) {}
scope_index::~scope_index() = default;

std::uint64_t tag_hash(record_tag const& tag) {
  std::string all;
  put_text(all, tag.name);
  put_text(all, tag.value);
  auto const full = sha256(all);
  std::uint64_t out = 0;
  std::memcpy(&out, full.data(), sizeof out);
  return out;
}

bool record_filter::admits(known_record const& r) const {
  if (!r.exists() || nothing) return false;
  if (!kinds.empty() && std::find(kinds.begin(), kinds.end(), r.kind) == kinds.end()) return false;
  for (auto const tag : tags)
    if (std::find(r.tags.begin(), r.tags.end(), tag) == r.tags.end()) return false;
  auto const at = as_of ? as_of : now;
  if (r.expires && r.expires <= at) return false;
  if (known_at && r.created > known_at) return false;
  if (as_of && r.since() > as_of) return false;
  // What ended a record counts from the time at which the store knew of it.
  bool const end_known = r.superseded_at == 0 || !known_at || r.superseded_at <= known_at;
  if (r.superseded_at && end_known && !as_of) return false;
  return !(r.valid_to && end_known && r.valid_to <= at);
}

std::uint32_t scope_index::intern(std::map<std::string, std::uint32_t, std::less<>>& names, std::string_view name) {
  auto const known = names.find(name);
  if (known != names.end()) return known->second;
  auto const next = static_cast<std::uint32_t>(names.size());
  names.emplace(name, next);
  return next;
}

void scope_index::fill(known_record& into, stored_record const& from) {
  auto const& r = from.what;
  into.id = r.id;
  into.kind = intern(kinds_, r.kind);
  into.first_seq = r.source.first_seq;
  into.begin = r.source.begin;
  into.length = from.text_length + from.title_length;
  into.profile = profile_of(r.kind);
  into.importance = r.importance;
  into.origin = r.origin;
  into.proofs = r.proofs;
  into.created = r.created;
  into.valid_from = r.valid_from;
  into.valid_to = r.valid_to;
  into.expires = r.expires;
  into.superseded_at = r.superseded_at;
  into.tags.clear();
  for (auto const& tag : r.tags) into.tags.push_back(tag_hash(tag));
}

namespace {

/// A thread's name; those of sessions begin otherwise.
std::string document_thread(std::string_view document) { return 'd' + std::string(document); }

}  // namespace

std::vector<std::uint32_t> scope_index::of_document(std::string_view document) const {
  std::vector<std::uint32_t> out;
  auto const thread = threads_.find(document_thread(document));
  if (thread == threads_.end()) return out;
  for (auto number = thread_ends_[thread->second]; number != no_number; number = records_[number].before)
    out.push_back(number);
  std::reverse(out.begin(), out.end());
  return out;
}

result<void> scope_index::load(store_state const& store, std::uint32_t numbers) {
  records_.reserve(numbers);
  return store.scan_all(family::mem, prefix(scope_, 'M'), prefix_end(scope_, 'M'),
                        [&](std::string_view key, std::string_view value) -> result<bool> {
                          auto const id = id_in_key(key);
                          auto const found = decode_record(value, id);
                          if (!found) return store.damaged("record " + id.text() + " fails its checksum");
                          add(*found);
                          return true;
                        });
}

void scope_index::add(stored_record const& r) {
  if (r.number >= records_.size()) records_.resize(r.number + 1);
  auto& known = records_[r.number];
  fill(known, r);
  ++live_;
  auto const& source = r.what.source;
  if (source.session.empty() && source.document.empty()) return;
  known.thread = intern(threads_, source.document.empty() ? 's' + source.session : document_thread(source.document));
  if (known.thread >= thread_ends_.size()) thread_ends_.resize(known.thread + 1, no_number);
  link(r.number);
}

void scope_index::change(stored_record const& r) {
  if (r.number < records_.size() && records_[r.number].exists()) fill(records_[r.number], r);
}

void scope_index::remove(std::uint32_t number) {
  if (number >= records_.size() || !records_[number].exists()) return;
  unlink(number);
  records_[number] = {};
  --live_;
  for (auto& [generation, set] : vectors_) set->remove(number);
}

vector_set* scope_index::vectors(std::uint32_t generation) {
  auto const known = vectors_.find(generation);
  return known == vectors_.end() ? nullptr : known->second.get();
}

namespace {

/// Nullopt where the image is not there, not the one that was written, or damaged: the vectors are kept plain then.
std::optional<vector_graph> graph_in_image(store_state const& store, ulid const& scope,
                                           vector_generation const& generation, std::uint32_t checksum) {
  auto const path = store.image_path(scope, generation.number);
  auto const made_of = [&](image_source& image) -> std::optional<vector_graph> {
    auto made = vector_graph::from_image(generation.form, generation.dimensions, image);
    return made ? std::optional(std::move(*made)) : std::nullopt;
  };
  if (!store.keys) {
    auto file = image_file::open(path);
    auto made = file ? made_of(*file) : std::nullopt;
    return made && file->checksum() == checksum ? std::move(made) : std::nullopt;
  }
  auto sealed = read_image_file(path, checksum);
  if (!sealed) return std::nullopt;
  auto const opened = store.opened_file(scope, std::move(*sealed), image_name(generation.number));
  if (!opened) return std::nullopt;
  image_bytes image(*opened);
  return made_of(image);
}

}  // namespace

result<vector_set*> scope_index::load_vectors(store_state const& store, vector_generation const& generation) {
  if (auto* const known = vectors(generation.number)) return known;
  auto set = std::make_unique<vector_set>(generation);
  auto const row = store.get(family::vec, image_key(scope_, generation.number));
  if (!row) return row.error();
  std::optional<vector_graph> graph;
  if (*row)
    if (auto const checksum = decode_image(**row)) graph = graph_in_image(store, scope_, generation, *checksum);
  // What the image lacks is added to it below; what it has too much is taken out. Without one all are kept plain.
  std::vector<std::uint32_t> there;
  there.reserve(live_);
  if (!graph) set->reserve(live_);
  auto read = store.scan_all(
      family::vec, vector_prefix(scope_, generation.number), vector_prefix_end(scope_, generation.number),
      [&](std::string_view key, std::string_view value) -> result<bool> {
        auto const number = number_of_vector_key(key);
        there.push_back(number);
        if (graph && graph->holds(number, vector_in(value))) return true;  // the image's own checksums spoke for it
        auto const packed = decode_vector(value);
        if (!packed || packed->size() != packed_bytes(generation.form, generation.dimensions))
          return store.damaged("vector " + std::to_string(number) + " of a scope fails its checksum");
        if (!graph)
          set->add(number, *packed);
        else
          graph->add(number, packed->data());
        return true;
      });
  if (!read) return read.error();
  if (graph) {
    if (graph->size() - graph->removed() != there.size())
      for (auto const number : graph->numbers())
        if (!std::binary_search(there.begin(), there.end(), number)) graph->remove(number);
    set->adopt(std::move(*graph));
  }
  set->mark_written();
  return (vectors_[generation.number] = std::move(set)).get();
}

/// Puts a record where it belongs in its thread; nearly always at the end.
void scope_index::link(std::uint32_t number) {
  auto& r = records_[number];
  auto const place = [&](std::uint32_t n) { return std::tuple(records_[n].first_seq, records_[n].begin, n); };
  auto& end = thread_ends_[r.thread];
  std::uint32_t before = end, after = no_number;
  while (before != no_number && place(number) < place(before)) {
    after = before;
    before = records_[before].before;
  }
  r.before = before;
  r.after = after;
  if (before != no_number) records_[before].after = number;
  if (after != no_number)
    records_[after].before = number;
  else
    end = number;
}

void scope_index::unlink(std::uint32_t number) {
  auto const& r = records_[number];
  if (r.thread == no_number) return;
  if (r.before != no_number) records_[r.before].after = r.after;
  if (r.after != no_number)
    records_[r.after].before = r.before;
  else
    thread_ends_[r.thread] = r.before;
}

record_filter scope_index::filter(std::vector<std::string> const& kinds, std::vector<record_tag> const& tags) const {
  record_filter out;
  for (auto const& kind : kinds)
    if (auto const known = kinds_.find(kind); known != kinds_.end()) out.kinds.push_back(known->second);
  out.nothing = !kinds.empty() && out.kinds.empty();
  for (auto const& tag : tags) out.tags.push_back(tag_hash(tag));
  return out;
}

void posting_list::add(posting const& p) {
  constexpr std::uint32_t most = std::numeric_limits<std::uint16_t>::max();
  entries_.push_back({p.number, p.length, static_cast<std::uint16_t>(std::min(p.in_text, most)),
                      static_cast<std::uint16_t>(std::min(p.in_title, most)),
                      static_cast<std::uint32_t>(positions_.size())});
  positions_.insert(positions_.end(), p.positions.begin(), p.positions.end());
}

void posting_list::shrink() {
  entries_.shrink_to_fit();
  positions_.shrink_to_fit();
}

std::span<std::uint32_t const> posting_list::positions(entry const& e) const {
  bool const last = &e == &entries_.back();
  auto const end = last ? positions_.size() : (&e + 1)->positions_begin;
  return std::span(positions_).subspan(e.positions_begin, end - e.positions_begin);
}

bool posting_list::contains(std::uint32_t number) const {
  auto const at = std::lower_bound(entries_.begin(), entries_.end(), number,
                                   [](entry const& e, std::uint32_t n) { return e.number < n; });
  return at != entries_.end() && at->number == number;
}

result<std::shared_ptr<posting_list const>> scope_index::postings(store_state const& store, std::string const& term) {
  {
    std::lock_guard const lock(cache_mutex_);
    if (auto const kept = cache_.find(term); kept != cache_.end())
      return std::shared_ptr<posting_list const>(kept->second);
  }
  auto list = std::make_shared<posting_list>();
  auto read = store.scan(family::post, posting_prefix(scope_, term), posting_prefix_end(scope_, term),
                         [&](std::string_view key, std::string_view value) -> result<bool> {
                           auto p = decode_posting(value, number_of_posting_key(key));
                           if (!p) return store.damaged("a posting of \"" + term + "\" cannot be read");
                           list->add(*p);
                           return true;
                         });
  if (!read) return read.error();
  list->shrink();
  auto const bytes = list->bytes() + term.size() + 64;
  std::lock_guard const lock(cache_mutex_);
  if (cache_bytes_ + bytes > posting_cache_bytes_max) {
    cache_.clear();
    cache_bytes_ = 0;
  }
  if (bytes <= posting_cache_bytes_max && cache_.emplace(term, list).second) cache_bytes_ += bytes;
  return std::shared_ptr<posting_list const>(list);
}

void scope_index::add_posting(std::string const& term, posting const& p) {
  std::lock_guard const lock(cache_mutex_);
  auto const kept = cache_.find(term);
  if (kept == cache_.end()) return;
  auto& list = *kept->second;
  if (list.size() && list.entries().back().number >= p.number) return;  // it was read after the commit was written
  auto const before = list.bytes();
  list.add(p);
  cache_bytes_ += list.bytes() - before;
}

void scope_index::forget_postings(std::string const& term) {
  std::lock_guard const lock(cache_mutex_);
  cache_.erase(term);  // its bytes stay counted until the cache is emptied, which errs on the small side
}

}  // namespace memory_detail
}  // namespace wherry::inline v0
