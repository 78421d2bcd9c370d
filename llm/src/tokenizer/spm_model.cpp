#include "tokenizer/merge.hpp"
#include "tokenizer/text_model.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstdio>

namespace wherry::inline v0::detail {
namespace {

constexpr std::string_view space_mark = "\xE2\x96\x81";  // U+2581, a space inside pieces
constexpr token_id no_token = -1;

// Bytes of the character at `at`, as far as continuation bytes follow; 1 for anything else.
std::size_t character_bytes(std::string_view text, std::size_t at) {
  auto const lead = static_cast<std::uint8_t>(text[at]);
  std::size_t const wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  std::size_t length = 1;
  while (length < wanted && at + length < text.size() && (static_cast<std::uint8_t>(text[at + length]) & 0xC0) == 0x80)
    ++length;
  return length;
}

class spm_model final : public text_model {
 public:
  spm_model(vocabulary const& vocab, std::vector<float> scores)
      : vocab_(vocab),
        scores_(std::move(scores)),
        adds_space_(vocab.file.find_bool("tokenizer.ggml.add_space_prefix").value_or(true)) {
    byte_ids_.fill(no_token);
    for (unsigned byte = 0; byte < 256; ++byte) {
      char name[8];
      std::snprintf(name, sizeof name, "<0x%02X>", byte);
      if (auto const id = vocab.find(name)) byte_ids_[byte] = *id;
    }
    note_neighbours();
  }

  bool adds_space() const noexcept override { return adds_space_; }

  void encode(std::string_view text, bool at_start, std::vector<token_id>& ids) const override {
    if (text.empty()) return;
    std::string marked;
    marked.reserve(text.size() + text.size() / 4 + space_mark.size());
    if (at_start && adds_space_) marked += space_mark;
    for (char c : text) c == ' ' ? marked += space_mark : marked += c;
    assert(marked.size() < no_symbol);

    merger chunk;
    std::string_view const all = marked;
    std::string_view before;
    for (std::size_t at = 0; at < all.size(); at += before.size()) {
      auto const character = all.substr(at, character_bytes(all, at));
      if (!chunk.empty() && !neighbours_[pair_hash(before, character)]) encode_chunk(all, chunk, ids);
      auto const id = vocab_.find_text(character);
      chunk.add(at, character.size(), id ? static_cast<std::uint32_t>(*id) : no_symbol);
      before = character;
    }
    encode_chunk(all, chunk, ids);
  }

  void append_bytes(token_id id, std::string& text) const override {
    if (vocab_.kind(id) == token_kind::byte) {
      auto const found = std::find(byte_ids_.begin(), byte_ids_.end(), id);
      if (found != byte_ids_.end()) text += static_cast<char>(found - byte_ids_.begin());
      return;
    }
    auto rest = vocab_.piece(id);
    for (auto at = rest.find(space_mark); at != rest.npos; at = rest.find(space_mark)) {
      text.append(rest.substr(0, at)).push_back(' ');
      rest.remove_prefix(at + space_mark.size());
    }
    text += rest;
  }

 private:
  static std::size_t pair_hash(std::string_view left, std::string_view right) {
    std::uint64_t hash = 0;
    for (char c : left) hash = hash * 0x100 + static_cast<std::uint8_t>(c);
    for (char c : right) hash = hash * 0x100 + static_cast<std::uint8_t>(c);
    return static_cast<std::size_t>(hash * 0x9E3779B97F4A7C15u >> 44);
  }

  // Which characters stand side by side in some piece. Where two never do, no merge can cross, and what lies on either
  // side is merged by itself: words instead of one long text.
  void note_neighbours() {
    for (auto const piece : vocab_.pieces) {
      std::string_view before;
      for (std::size_t at = 0; at < piece.size(); at += before.size()) {
        auto const character = piece.substr(at, character_bytes(piece, at));
        if (at > 0) neighbours_[pair_hash(before, character)] = true;
        before = character;
      }
    }
  }

  void encode_chunk(std::string_view text, merger& chunk, std::vector<token_id>& ids) const {
    auto const find_rule = [&](symbol const& left, symbol const& right) -> std::optional<merge_rule> {
      auto const id = vocab_.find_text(text.substr(left.begin, left.length + right.length));
      if (!id) return std::nullopt;
      return merge_rule{-scores_[static_cast<std::size_t>(*id)], static_cast<std::uint32_t>(*id)};
    };
    chunk.merge(find_rule, [&](symbol const& s) {
      if (s.id != no_symbol)
        ids.push_back(static_cast<token_id>(s.id));
      else
        spell(text.substr(s.begin, s.length), ids);
    });
    chunk.clear();
  }

  // A character the vocabulary lacks: its bytes, or the unknown token when even those are lacking.
  void spell(std::string_view character, std::vector<token_id>& ids) const {
    auto const id_of = [&](char c) { return byte_ids_[static_cast<std::uint8_t>(c)]; };
    if (std::all_of(character.begin(), character.end(), [&](char c) { return id_of(c) != no_token; })) {
      for (char c : character) ids.push_back(id_of(c));
    } else if (vocab_.unknown) {
      ids.push_back(*vocab_.unknown);
    }
  }

  vocabulary const& vocab_;
  std::vector<float> scores_;
  bool adds_space_;
  std::array<token_id, 256> byte_ids_;
  std::vector<bool> neighbours_ = std::vector<bool>(1u << 20);  // by pair_hash
};

}  // namespace

result<std::unique_ptr<text_model>> make_spm_model(vocabulary const& vocab) {
  auto scores = vocab.file.find_floats("tokenizer.ggml.scores");
  if (!scores || scores->size() != vocab.size())
    return vocabulary_error(errc::corrupt_file, "tokenizer.ggml.scores is absent or not as long as the vocabulary",
                            vocab.file);
  if (std::any_of(scores->begin(), scores->end(), [](float score) { return std::isnan(score); }))
    return vocabulary_error(errc::corrupt_file, "tokenizer.ggml.scores holds a value that is no number", vocab.file);
  return std::unique_ptr<text_model>(std::make_unique<spm_model>(vocab, std::move(*scores)));
}

}  // namespace wherry::inline v0::detail
