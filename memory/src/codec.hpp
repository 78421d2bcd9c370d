#pragma once
// Keys and values as they stand on disk; docs/formats.md is the same in prose. Decoding returns nullopt for a value
// that fails its checksum, has an unknown version or is cut.

#include "bytes.hpp"
#include "vector_math.hpp"

#include <wherry/memory/event.hpp>
#include <wherry/memory/items.hpp>
#include <wherry/memory/record.hpp>
#include <wherry/memory/scope.hpp>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0::memory_detail {

/// The format of the whole directory. Minor 1 is that of encrypted stores, the others are written as minor 0.
inline constexpr std::uint16_t format_major = 1;
inline constexpr std::uint16_t format_minor_plain = 0;
inline constexpr std::uint16_t format_minor_encrypted = 1;

/// The first 16 bytes of the SHA-256 of an event's value: what the next event of the chain points back to.
using chain_hash = std::array<std::uint8_t, 16>;
chain_hash chain_hash_of(std::string_view event_value);

// meta
std::string format_key();
std::string format_value(bool encrypted);
std::string keys_key();
std::string language_key();
std::string scope_key(scope_name const& name);
std::optional<scope_name> decode_scope_key(std::string_view key);

// event: sid, session id, seq
std::string event_key(ulid const& scope, ulid const& session, std::uint64_t seq);
void event_key(std::string& key, ulid const& scope, ulid const& session, std::uint64_t seq);
std::uint64_t seq_of_event_key(std::string_view key);
void encode_event(std::string& out, session_event const& e, utc_ms time, chain_hash const& previous);
struct decoded_event {
  session_event event;
  chain_hash previous;
};
std::optional<decoded_event> decode_event(std::string_view value, std::uint64_t seq);

// state: sid, one letter, the rest
std::string session_key(ulid const& scope, std::string_view name);
std::string effect_key(ulid const& scope, std::string_view key);
std::string unfinished_key(ulid const& scope, std::string_view key);
std::string job_key(ulid const& scope, ulid const& id);
std::string job_dedup_key(ulid const& scope, std::string_view idempotency_key);
/// The common beginning of the keys of one letter, and the first key past them.
std::string prefix(ulid const& scope, char letter);
std::string prefix_end(ulid const& scope, char letter);
/// What follows scope id and letter in a key.
inline std::string_view rest_of_key(std::string_view key) { return key.substr(17); }
inline ulid id_in_key(std::string_view key) { return byte_reader(rest_of_key(key)).id(); }

/// A stretch of another session's events that a fork begins with: those up to and including last_seq.
struct inherited_part {
  ulid session;
  std::uint64_t last_seq = 0;
};
struct session_row {
  ulid id;
  utc_ms created = 0;
  std::vector<inherited_part> inherited;  ///< Oldest first.
};
std::string encode_session(session_row const& row);
std::optional<session_row> decode_session(std::string_view value);

std::string encode_effect(effect_record const& e);
std::optional<effect_record> decode_effect(std::string_view value, std::string_view key);

std::string encode_job(outbox_job const& j);
std::optional<outbox_job> decode_job(std::string_view value, ulid const& id);

// mem: sid, one letter, the rest
std::string record_key(ulid const& scope, ulid const& id);
/// A record as it is kept: its number in the scope's index and how long it is there.
struct stored_record {
  record what;
  std::uint32_t number = 0;
  std::uint32_t text_length = 0;
  std::uint32_t title_length = 0;
};
std::string encode_record(stored_record const& r);
std::optional<stored_record> decode_record(std::string_view value, ulid const& id);
/// The live record of a text: kind, subject, attribute and the normalised text say which.
std::string same_text_key(ulid const& scope, record const& r);
/// The live record of an attribute.
std::string attribute_key(ulid const& scope, record const& r);
std::string expiry_key(ulid const& scope, utc_ms expires, ulid const& id);
/// The value of the two above: the record's id, sealed.
std::string encode_id(ulid const& id);
std::optional<ulid> decode_id(std::string_view value);

// post: sid 'P' term NUL number; sid 'D'
struct posting {
  std::uint32_t number = 0;
  std::uint32_t length = 0;  ///< Of the record's text and title.
  std::uint32_t in_text = 0;
  std::uint32_t in_title = 0;
  std::vector<std::uint32_t> positions = {};
};
std::string posting_prefix(ulid const& scope, std::string_view term);
std::string posting_prefix_end(ulid const& scope, std::string_view term);
std::string posting_key(ulid const& scope, std::string_view term, std::uint32_t number);
std::uint32_t number_of_posting_key(std::string_view key);
std::string encode_posting(posting const& p);
std::optional<posting> decode_posting(std::string_view value, std::uint32_t number);

/// What a scope's index amounts to.
struct index_totals {
  static constexpr std::size_t profiles = 2;  ///< Short and long texts.
  std::uint32_t next_number = 0;
  std::array<std::uint64_t, profiles> records{};
  std::array<std::uint64_t, profiles> length{};
  friend bool operator==(index_totals const&, index_totals const&) = default;
};
std::string totals_key(ulid const& scope);
std::string encode_totals(index_totals const& totals);
std::optional<index_totals> decode_totals(std::string_view value);

// vec: sid 'G'; sid 'V' generation number; sid 'S' generation
/// Vectors of one embedder.
struct vector_generation {
  std::uint32_t number = 0;
  std::uint32_t dimensions = 0;
  vector_form form = vector_form::f32;
  std::string fingerprint = {};
};
std::string generations_key(ulid const& scope);
std::string encode_generations(std::vector<vector_generation> const& all);
std::optional<std::vector<vector_generation>> decode_generations(std::string_view value);
std::string vector_prefix(ulid const& scope, std::uint32_t generation);
std::string vector_prefix_end(ulid const& scope, std::uint32_t generation);
std::string vector_key(ulid const& scope, std::uint32_t generation, std::uint32_t number);
inline std::uint32_t number_of_vector_key(std::string_view key) { return number_of_posting_key(key); }
std::string encode_vector(std::string_view packed);
std::optional<std::string> decode_vector(std::string_view value);
/// The vector in a value, whether its checksum holds or not; for comparing with one that is known to be right.
std::string_view vector_in(std::string_view value);
/// The checksum of the file that holds a graph of a generation.
std::string image_key(ulid const& scope, std::uint32_t generation);
/// What a graph's file is called inside its scope.
std::string image_name(std::uint32_t generation);
std::string encode_image(std::uint32_t checksum);
std::optional<std::uint32_t> decode_image(std::string_view value);

// item: sid 'I', text namespace, key
std::string item_prefix(ulid const& scope, std::string_view space);
std::string item_prefix_end(ulid const& scope, std::string_view space);
std::string item_key(ulid const& scope, std::string_view space, std::string_view name);
std::string encode_item(item const& i);
std::optional<item> decode_item(std::string_view value, std::string_view name);

}  // namespace wherry::inline v0::memory_detail
