#include "row_cipher.hpp"

namespace wherry::inline v0::memory_detail {
namespace {

constexpr std::size_t letter_at = 16;          // a key begins with the scope's id, then a letter
constexpr std::size_t rest_at = 17;            // then what the letter is about
constexpr std::size_t number_bytes = 4;        // of a posting's key, at its end
constexpr std::size_t hash_bytes = 16;         // of a keyed hash, in keys
constexpr std::size_t space_length_bytes = 4;  // before the namespace of an item's key

bool is_hashed(family f, char letter) {
  switch (f) {
    case family::state: return letter == 'S' || letter == 'J' || letter == 'U' || letter == 'K';
    case family::mem: return letter == 'H' || letter == 'A';
    case family::post: return letter == 'P';
    case family::item: return letter == 'I';
    default: return false;
  }
}

bool is_hashed(family f, std::string_view key) {
  return f != family::event && key.size() > letter_at && is_hashed(f, key[letter_at]);
}

std::string bound_to(family f, std::string_view key) {
  return std::to_string(static_cast<std::size_t>(f)) + '/' + std::string(key);
}

/// Where the namespace of an item's key ends in what follows the letter.
std::size_t space_end(std::string_view rest) { return space_length_bytes + byte_reader(rest).be<std::uint32_t>(); }

}  // namespace

row_cipher::row_cipher(secret_key const& scope_key)
    : rows_(keyed_hash(scope_key, "rows")), names_(keyed_hash(scope_key, "names")) {}

row_cipher::~row_cipher() {
  forget(rows_);
  forget(names_);
}

std::string row_cipher::hashed(std::string_view what) const {
  auto const full = keyed_hash(names_, what);
  return {reinterpret_cast<char const*>(full.data()), hash_bytes};
}

std::string row_cipher::key(family f, std::string_view plain) const {
  if (!is_hashed(f, plain)) return std::string(plain);
  std::string out(plain.substr(0, rest_at));
  auto const rest = plain.substr(rest_at);
  if (f == family::post) {
    auto const term = rest.substr(0, rest.size() - number_bytes - 1);
    return out + hashed(term) + std::string(rest.substr(term.size()));
  }
  if (f == family::item) {
    auto const space = rest.substr(0, space_end(rest));
    return out + hashed(space) + hashed(rest);
  }
  return out + hashed(plain.substr(letter_at));
}

std::string row_cipher::value(family f, std::string_view plain_key, std::string_view disk_key,
                              std::string_view plain) const {
  auto const bound = bound_to(f, disk_key);
  if (!is_hashed(f, plain_key)) return sealed_with(rows_, plain, bound);
  std::string both;
  put_text(both, plain_key);
  both += plain;
  return sealed_with(rows_, both, bound);
}

std::optional<row_cipher::row> row_cipher::open(family f, std::string_view disk_key,
                                                std::string_view disk_value) const {
  auto opened = opened_with(rows_, disk_value, bound_to(f, disk_key));
  if (!opened) return std::nullopt;
  if (!is_hashed(f, disk_key)) return row{std::string(disk_key), std::move(*opened)};
  byte_reader in(*opened);
  row out{.key = in.text(), .value = {}};
  out.value = in.rest();
  if (!in.ok()) return std::nullopt;
  return out;
}

row_cipher::range row_cipher::range_of(family f, std::string_view first, std::string_view end) const {
  if (!is_hashed(f, first)) return {std::string(first), std::string(end), true};
  auto const letter = std::string(first.substr(0, rest_at));
  auto const rest = first.substr(rest_at);
  if (f == family::post && !rest.empty()) {  // one term: its rows follow each other by number
    auto const all = letter + hashed(rest.substr(0, rest.size() - 1));
    return {all + '\0', all + '\1', true};
  }
  if (f == family::item && !rest.empty()) {
    auto const all = letter + hashed(rest.substr(0, space_end(rest)));
    return {all, all + std::string(hash_bytes + 1, '\xFF'), false};
  }
  auto past = letter;
  ++past.back();
  return {letter, past, false};
}

std::string row_cipher::seal_file(std::string_view bytes, std::string_view name) const {
  return sealed_with(rows_, bytes, "file/" + std::string(name));
}
std::optional<std::string> row_cipher::open_file(std::string_view sealed, std::string_view name) const {
  return opened_with(rows_, sealed, "file/" + std::string(name));
}

}  // namespace wherry::inline v0::memory_detail
