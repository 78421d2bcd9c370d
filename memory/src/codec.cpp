#include "codec.hpp"

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

std::string format_value() {
  std::string out;
  put_be(out, format_major);
  put_be(out, format_minor);
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

std::string event_key(ulid const& scope, ulid const& session, std::uint64_t seq) {
  std::string key;
  key.reserve(40);
  key += scope.view();
  key += session.view();
  put_be(key, seq);
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

std::string encode_record(record const& r) {
  auto out = begin_value(64 + r.kind.size() + r.text.size() + r.source.session.size());
  put_be(out, r.created);
  put_text(out, r.kind);
  put_text(out, r.text);
  put_text(out, r.source.session);
  put_be(out, r.source.first_seq);
  put_be(out, r.source.last_seq);
  return sealed(std::move(out));
}

std::optional<record> decode_record(std::string_view value, ulid const& id) {
  auto in = open_value(value);
  record r;
  r.id = id;
  r.created = in.be<utc_ms>();
  r.kind = in.text();
  r.text = in.text();
  r.source.session = in.text();
  r.source.first_seq = in.be<std::uint64_t>();
  r.source.last_seq = in.be<std::uint64_t>();
  if (!in.complete()) return std::nullopt;
  return r;
}

}  // namespace wherry::inline v0::memory_detail
