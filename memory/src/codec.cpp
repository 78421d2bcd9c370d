#include "codec.hpp"

#include "text_analyser.hpp"

#include <bit>

namespace wherry::inline v0::memory_detail {
namespace {

constexpr std::uint8_t value_version = 1;
constexpr std::size_t event_overhead = 1 + 1 + 8 + 16 + 16 + 4;

std::string begin_value(std::size_t size_hint) {
  std::string out;
  out.reserve(size_hint);
  put_be(out, value_version);
  return out;
}

/// The reader of a value's body past its version; not ok() for another version.
byte_reader open_value(std::string_view value) {
  auto body = byte_reader::unseal(value);
  return body.be<std::uint8_t>() == value_version ? body : byte_reader::unseal({});
}

std::string sealed(std::string value) {
  seal(value);
  return value;
}

std::string state_key(ulid const& scope, char letter, std::string_view rest) {
  std::string key;
  key.reserve(17 + rest.size());
  key += scope.view();
  key += letter;
  key += rest;
  return key;
}

}  // namespace

chain_hash chain_hash_of(std::string_view event_value) {
  auto const full = sha256(event_value);
  chain_hash out;
  std::copy_n(full.begin(), out.size(), out.begin());
  return out;
}

std::string format_key() { return "fmt"; }

std::string language_key() { return "language"; }

std::string keys_key() { return "keys"; }

std::string format_value(bool encrypted) {
  std::string out;
  put_be(out, format_major);
  put_be(out, encrypted ? format_minor_encrypted : format_minor_plain);
  return out;
}

std::string scope_key(scope_name const& name) {
  std::string out = "scope/";
  put_text(out, name.tenant);
  put_text(out, name.user);
  put_text(out, name.agent);
  for (auto const& part : name.space) put_text(out, part);
  return out;
}

void event_key(std::string& key, ulid const& scope, ulid const& session, std::uint64_t seq) {
  key.clear();
  key.reserve(40);
  key += scope.view();
  key += session.view();
  put_be(key, seq);
}

std::optional<scope_name> decode_scope_key(std::string_view key) {
  byte_reader in(key.substr(6));
  scope_name name;
  name.tenant = in.text();
  name.user = in.text();
  name.agent = in.text();
  while (in.ok() && !in.complete()) name.space.push_back(in.text());
  if (!in.complete()) return std::nullopt;
  return name;
}

std::string event_key(ulid const& scope, ulid const& session, std::uint64_t seq) {
  std::string key;
  event_key(key, scope, session, seq);
  return key;
}

std::uint64_t seq_of_event_key(std::string_view key) { return byte_reader(key.substr(32)).be<std::uint64_t>(); }

void encode_event(std::string& out, session_event const& e, utc_ms time, chain_hash const& previous) {
  out.clear();
  out.reserve(event_overhead + e.payload.size());
  put_be(out, value_version);
  put_be(out, static_cast<std::uint8_t>(e.type));
  put_be(out, time);
  out += e.run.view();
  out.append(reinterpret_cast<char const*>(previous.data()), previous.size());
  out += e.payload;
  seal(out);
}

std::optional<decoded_event> decode_event(std::string_view value, std::uint64_t seq) {
  auto in = open_value(value);
  decoded_event out;
  out.event.type = static_cast<event_type>(in.be<std::uint8_t>());
  out.event.time = in.be<utc_ms>();
  out.event.run = in.id();
  out.previous = in.id().bytes;
  out.event.payload = in.rest();
  out.event.seq = seq;
  if (!in.complete()) return std::nullopt;
  return out;
}

std::string session_key(ulid const& scope, std::string_view name) { return state_key(scope, 'S', name); }
std::string effect_key(ulid const& scope, std::string_view key) { return state_key(scope, 'J', key); }
std::string unfinished_key(ulid const& scope, std::string_view key) { return state_key(scope, 'U', key); }
std::string job_key(ulid const& scope, ulid const& id) { return state_key(scope, 'O', id.view()); }
std::string job_dedup_key(ulid const& scope, std::string_view key) { return state_key(scope, 'K', key); }
std::string record_key(ulid const& scope, ulid const& id) { return state_key(scope, 'M', id.view()); }
std::string prefix(ulid const& scope, char letter) { return state_key(scope, letter, {}); }

std::string prefix_end(ulid const& scope, char letter) { return prefix(scope, static_cast<char>(letter + 1)); }

std::string encode_session(session_row const& row) {
  auto out = begin_value(64);
  out += row.id.view();
  put_be(out, row.created);
  put_be(out, static_cast<std::uint8_t>(row.inherited.size()));
  for (auto const& part : row.inherited) {
    out += part.session.view();
    put_be(out, part.last_seq);
  }
  return sealed(std::move(out));
}

std::optional<session_row> decode_session(std::string_view value) {
  auto in = open_value(value);
  session_row row;
  row.id = in.id();
  row.created = in.be<utc_ms>();
  row.inherited.resize(in.be<std::uint8_t>());
  for (auto& part : row.inherited) {
    part.session = in.id();
    part.last_seq = in.be<std::uint64_t>();
  }
  if (!in.complete()) return std::nullopt;
  return row;
}

std::string encode_effect(effect_record const& e) {
  auto out = begin_value(64 + e.call.size());
  put_be(out, static_cast<std::uint8_t>(e.state));
  put_be(out, e.time);
  out += e.run.view();
  put_text(out, e.call);
  return sealed(std::move(out));
}

std::optional<effect_record> decode_effect(std::string_view value, std::string_view key) {
  auto in = open_value(value);
  effect_record e;
  e.key = key;
  e.state = static_cast<effect_state>(in.be<std::uint8_t>());
  e.time = in.be<utc_ms>();
  e.run = in.id();
  e.call = in.text();
  if (!in.complete()) return std::nullopt;
  return e;
}

std::string encode_job(outbox_job const& j) {
  auto out = begin_value(64 + j.kind.size() + j.payload.size() + j.idempotency_key.size());
  put_be(out, j.created);
  put_be(out, j.claimed_until);
  put_be(out, j.attempts);
  put_text(out, j.kind);
  put_text(out, j.payload);
  put_text(out, j.idempotency_key);
  return sealed(std::move(out));
}

std::optional<outbox_job> decode_job(std::string_view value, ulid const& id) {
  auto in = open_value(value);
  outbox_job j;
  j.id = id;
  j.created = in.be<utc_ms>();
  j.claimed_until = in.be<utc_ms>();
  j.attempts = in.be<std::uint32_t>();
  j.kind = in.text();
  j.payload = in.text();
  j.idempotency_key = in.text();
  if (!in.complete()) return std::nullopt;
  return j;
}

std::string encode_record(stored_record const& stored) {
  auto const& r = stored.what;
  auto out = begin_value(192 + r.kind.size() + r.text.size() + r.title.size() + r.source.session.size());
  put_be(out, stored.number);
  put_be(out, stored.text_length);
  put_be(out, stored.title_length);
  put_be(out, r.created);
  put_be(out, r.valid_from);
  put_be(out, r.valid_to);
  put_be(out, r.expires);
  out += r.superseded_by.view();
  put_be(out, r.superseded_at);
  put_be(out, static_cast<std::uint8_t>(r.origin));
  put_be(out, std::bit_cast<std::uint32_t>(r.importance));
  put_be(out, r.proofs);
  put_text(out, r.kind);
  put_text(out, r.text);
  put_text(out, r.title);
  put_text(out, r.subject);
  put_text(out, r.attribute);
  put_text(out, r.source.session);
  put_text(out, r.source.document);
  put_be(out, r.source.first_seq);
  put_be(out, r.source.last_seq);
  put_be(out, r.source.begin);
  put_be(out, r.source.end);
  put_be(out, static_cast<std::uint8_t>(r.tags.size()));
  for (auto const& tag : r.tags) {
    put_text(out, tag.name);
    put_text(out, tag.value);
  }
  return sealed(std::move(out));
}

std::optional<stored_record> decode_record(std::string_view value, ulid const& id) {
  auto in = open_value(value);
  stored_record stored;
  auto& r = stored.what;
  r.id = id;
  stored.number = in.be<std::uint32_t>();
  stored.text_length = in.be<std::uint32_t>();
  stored.title_length = in.be<std::uint32_t>();
  r.created = in.be<utc_ms>();
  r.valid_from = in.be<utc_ms>();
  r.valid_to = in.be<utc_ms>();
  r.expires = in.be<utc_ms>();
  r.superseded_by = in.id();
  r.superseded_at = in.be<utc_ms>();
  r.origin = static_cast<record_origin>(in.be<std::uint8_t>());
  r.importance = std::bit_cast<float>(in.be<std::uint32_t>());
  r.proofs = in.be<std::uint32_t>();
  r.kind = in.text();
  r.text = in.text();
  r.title = in.text();
  r.subject = in.text();
  r.attribute = in.text();
  r.source.session = in.text();
  r.source.document = in.text();
  r.source.first_seq = in.be<std::uint64_t>();
  r.source.last_seq = in.be<std::uint64_t>();
  r.source.begin = in.be<std::uint64_t>();
  r.source.end = in.be<std::uint64_t>();
  r.tags.resize(in.be<std::uint8_t>());
  for (auto& tag : r.tags) {
    tag.name = in.text();
    tag.value = in.text();
  }
  if (!in.complete()) return std::nullopt;
  return stored;
}

namespace {

/// The first 16 bytes of the SHA-256 of texts, each with its length before it.
std::string texts_hash(std::initializer_list<std::string_view> texts) {
  std::string all;
  for (auto const text : texts) put_text(all, text);
  auto const full = sha256(all);
  return {reinterpret_cast<char const*>(full.data()), 16};
}

void put_varint(std::string& out, std::uint32_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

std::optional<std::uint32_t> take_varint(std::string_view& in) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 35 && !in.empty(); shift += 7) {
    auto const byte = static_cast<std::uint8_t>(in.front());
    in.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value <= 0xFFFF'FFFF ? std::optional(static_cast<std::uint32_t>(value)) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::string same_text_key(ulid const& scope, record const& r) {
  return state_key(scope, 'H', texts_hash({r.kind, r.subject, r.attribute, normalised_text(r.text)}));
}
std::string attribute_key(ulid const& scope, record const& r) {
  return state_key(scope, 'A', texts_hash({r.kind, normalised_text(r.subject), normalised_text(r.attribute)}));
}
std::string expiry_key(ulid const& scope, utc_ms expires, ulid const& id) {
  std::string rest;
  put_be(rest, expires);
  rest += id.view();
  return state_key(scope, 'X', rest);
}

std::string encode_id(ulid const& id) { return sealed(std::string(id.view())); }
std::optional<ulid> decode_id(std::string_view value) {
  auto in = byte_reader::unseal(value);
  auto const id = in.id();
  if (!in.complete()) return std::nullopt;
  return id;
}

std::string posting_prefix(ulid const& scope, std::string_view term) {
  auto key = state_key(scope, 'P', term);
  key += '\0';
  return key;
}
std::string posting_prefix_end(ulid const& scope, std::string_view term) {
  auto key = state_key(scope, 'P', term);
  key += '\1';
  return key;
}
std::string posting_key(ulid const& scope, std::string_view term, std::uint32_t number) {
  auto key = posting_prefix(scope, term);
  put_be(key, number);
  return key;
}
std::uint32_t number_of_posting_key(std::string_view key) {
  return byte_reader(key.substr(key.size() - 4)).be<std::uint32_t>();
}

std::string encode_posting(posting const& p) {
  std::string out;
  put_varint(out, p.length);
  put_varint(out, p.in_text);
  put_varint(out, p.in_title);
  std::uint32_t last = 0;
  for (auto const position : p.positions) {
    put_varint(out, position - last);
    last = position;
  }
  return out;
}

std::optional<posting> decode_posting(std::string_view value, std::uint32_t number) {
  posting p{.number = number};
  auto const length = take_varint(value), in_text = take_varint(value), in_title = take_varint(value);
  if (!length || !in_text || !in_title) return std::nullopt;
  p.length = *length;
  p.in_text = *in_text;
  p.in_title = *in_title;
  std::uint32_t last = 0;
  while (!value.empty()) {
    auto const step = take_varint(value);
    if (!step) return std::nullopt;
    p.positions.push_back(last += *step);
  }
  return p;
}

std::string totals_key(ulid const& scope) { return state_key(scope, 'D', {}); }

std::string encode_totals(index_totals const& totals) {
  auto out = begin_value(48);
  put_be(out, analyser_version);
  put_be(out, totals.next_number);
  for (std::size_t i = 0; i < index_totals::profiles; ++i) {
    put_be(out, totals.records[i]);
    put_be(out, totals.length[i]);
  }
  return sealed(std::move(out));
}

std::optional<index_totals> decode_totals(std::string_view value) {
  auto in = open_value(value);
  index_totals totals;
  bool const ours = in.be<std::uint8_t>() == analyser_version;
  totals.next_number = in.be<std::uint32_t>();
  for (std::size_t i = 0; i < index_totals::profiles; ++i) {
    totals.records[i] = in.be<std::uint64_t>();
    totals.length[i] = in.be<std::uint64_t>();
  }
  if (!in.complete() || !ours) return std::nullopt;
  return totals;
}

std::string generations_key(ulid const& scope) { return state_key(scope, 'G', {}); }

std::string encode_generations(std::vector<vector_generation> const& all) {
  auto out = begin_value(64);
  put_be(out, static_cast<std::uint16_t>(all.size()));
  for (auto const& g : all) {
    put_be(out, g.number);
    put_be(out, g.dimensions);
    put_be(out, static_cast<std::uint8_t>(g.form));
    put_text(out, g.fingerprint);
  }
  return sealed(std::move(out));
}

std::optional<std::vector<vector_generation>> decode_generations(std::string_view value) {
  auto in = open_value(value);
  std::vector<vector_generation> all(in.be<std::uint16_t>());
  for (auto& g : all) {
    g.number = in.be<std::uint32_t>();
    g.dimensions = in.be<std::uint32_t>();
    g.form = static_cast<vector_form>(in.be<std::uint8_t>());
    g.fingerprint = in.text();
  }
  if (!in.complete()) return std::nullopt;
  return all;
}

std::string vector_prefix(ulid const& scope, std::uint32_t generation) {
  auto key = state_key(scope, 'V', {});
  put_be(key, generation);
  return key;
}
std::string vector_prefix_end(ulid const& scope, std::uint32_t generation) {
  return vector_prefix(scope, generation + 1);
}
std::string vector_key(ulid const& scope, std::uint32_t generation, std::uint32_t number) {
  auto key = vector_prefix(scope, generation);
  put_be(key, number);
  return key;
}

std::string encode_vector(std::string_view packed) {
  auto out = begin_value(packed.size() + 8);
  out += packed;
  return sealed(std::move(out));
}
std::optional<std::string> decode_vector(std::string_view value) {
  auto in = open_value(value);
  std::string packed(in.rest());
  if (!in.complete()) return std::nullopt;
  return packed;
}

std::string_view vector_in(std::string_view value) {
  constexpr std::size_t version_bytes = 1, checksum_bytes = 4;
  if (value.size() < version_bytes + checksum_bytes) return {};
  return value.substr(version_bytes, value.size() - version_bytes - checksum_bytes);
}

std::string image_key(ulid const& scope, std::uint32_t generation) {
  auto key = state_key(scope, 'S', {});
  put_be(key, generation);
  return key;
}
std::string image_name(std::uint32_t generation) { return "graph " + std::to_string(generation); }

std::string encode_image(std::uint32_t checksum) {
  auto out = begin_value(16);
  put_be(out, checksum);
  return sealed(std::move(out));
}
std::optional<std::uint32_t> decode_image(std::string_view value) {
  auto in = open_value(value);
  auto const checksum = in.be<std::uint32_t>();
  if (!in.complete()) return std::nullopt;
  return checksum;
}

std::string item_prefix(ulid const& scope, std::string_view space) {
  auto key = state_key(scope, 'I', {});
  put_text(key, space);
  return key;
}
/// Keys are UTF-8, which has no byte 0xFF.
std::string item_prefix_end(ulid const& scope, std::string_view space) { return item_prefix(scope, space) + '\xFF'; }
std::string item_key(ulid const& scope, std::string_view space, std::string_view name) {
  return item_prefix(scope, space).append(name);
}

std::string encode_item(item const& i) {
  auto out = begin_value(64 + i.value.size());
  put_be(out, i.version);
  put_be(out, i.created);
  put_be(out, i.updated);
  put_be(out, i.expires);
  out += i.value;
  return sealed(std::move(out));
}
std::optional<item> decode_item(std::string_view value, std::string_view name) {
  auto in = open_value(value);
  item i{.key = std::string(name)};
  i.version = in.be<std::uint64_t>();
  i.created = in.be<utc_ms>();
  i.updated = in.be<utc_ms>();
  i.expires = in.be<utc_ms>();
  i.value = in.rest();
  if (!in.complete()) return std::nullopt;
  return i;
}

}  // namespace wherry::inline v0::memory_detail
