#pragma once
// The tokens a model file lists, checked, with what the file says about each of them.

#include "tokenizer/piece_index.hpp"

#include <wherry/llm/tokenizer.hpp>

#include <optional>
#include <string_view>
#include <vector>

namespace wherry::inline v0::detail {

inline constexpr std::size_t vocabulary_tokens_max = 1u << 22;

struct vocabulary {
  gguf_file file;  // keeps the pieces alive
  std::vector<std::string_view> pieces;
  std::vector<token_kind> kinds;
  piece_index ids;  // the lowest id of each spelling
  std::size_t longest_piece_bytes = 0;

  std::optional<token_id> bos, eos, unknown, cls, sep, pad, mask;
  bool adds_bos = false, adds_eos = false;
  std::vector<token_id> ends_of_generation;    // ascending
  std::vector<token_id> swallows_space_after;  // ascending; these tokens remove white space that follows them in a text

  // What a model says in the absence of metadata.
  struct defaults {
    std::optional<token_id> bos, eos, unknown, pad;
    bool adds_bos = false, adds_eos = false;
    bool is_bert = false;  // [CLS], [SEP], [UNK] and [PAD] serve by their spelling, also as BOS and EOS
  };

  static result<vocabulary> load(gguf_file const& file, defaults const& absent);

  std::size_t size() const noexcept { return pieces.size(); }
  bool contains(token_id id) const noexcept { return id >= 0 && static_cast<std::size_t>(id) < pieces.size(); }
  token_kind kind(token_id id) const noexcept { return kinds[static_cast<std::size_t>(id)]; }
  std::string_view piece(token_id id) const noexcept { return pieces[static_cast<std::size_t>(id)]; }
  std::optional<token_id> find(std::string_view piece) const;
  // As find, but only what plain text may become: never a control, unknown or byte token.
  std::optional<token_id> find_text(std::string_view piece) const;
  // What find_text gives.
  bool may_be_text(token_id id) const noexcept { return !is_special(id) && kind(id) != token_kind::byte; }
  // What plain text may become by itself: neither special nor user-defined, nor a byte, nor unused.
  bool is_text(token_id id) const noexcept { return kind(id) == token_kind::normal; }
  // As find_text, for many; -1 for what there is not.
  void find_texts(std::span<std::string_view const> wanted, std::span<token_id> found) const;
  // Control and unknown tokens: text spells them with permission only, and they decode to nothing unless shown.
  bool is_special(token_id id) const noexcept {
    return kind(id) == token_kind::control || kind(id) == token_kind::unknown;
  }

 private:
  explicit vocabulary(gguf_file const& source) : file(source) {}
  result<void> read_tokens();
  result<void> read_kinds();
  result<void> read_special_ids(defaults const& absent);
  std::optional<token_id> find_control(std::string_view spelling) const;
  void collect_ends_of_generation();
  void collect_space_swallowers();
};

// An error about the vocabulary of `file`.
error vocabulary_error(errc code, std::string what, gguf_file const& file);

}  // namespace wherry::inline v0::detail
