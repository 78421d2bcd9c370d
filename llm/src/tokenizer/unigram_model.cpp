// SentencePiece Unigram: of all ways to cut the normalised text into pieces, the one whose scores sum up highest.
// Source: Kudo, "Subword regularization", ACL 2018; normalisation as SentencePiece does it (Kudo, Richardson, 2018).
#include "tokenizer/charsmap.hpp"
#include "tokenizer/code_points.hpp"
#include "tokenizer/piece_trie.hpp"
#include "tokenizer/text_model.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

namespace wherry::inline v0::detail {
namespace {

constexpr std::string_view space_mark = "\xE2\x96\x81";   // U+2581, a space inside pieces
constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr double unknown_penalty = 10;                    // SentencePiece's own: below the worst piece
constexpr token_id no_token = -1;

class unigram_model final : public text_model {
 public:
  unigram_model(vocabulary const& vocab, std::vector<float> scores, charsmap map)
      : vocab_(vocab),
        scores_(std::move(scores)),
        map_(std::move(map)),
        adds_space_(flag("add_space_prefix", true)),
        removes_spaces_(flag("remove_extra_whitespaces", true)),
        marks_spaces_(flag("escape_whitespaces", true)) {
    std::vector<piece_trie::entry> pieces;
    double worst = std::numeric_limits<double>::infinity();
    for (token_id id = 0; vocab.contains(id); ++id) {
      if (!vocab.is_text(id) || vocab.piece(id).empty()) continue;
      pieces.push_back({vocab.piece(id), id});
      worst = std::min(worst, double{score(id)});
    }
    pieces_ = piece_trie(std::move(pieces));
    unknown_score_ = (std::isfinite(worst) ? worst : 0) - unknown_penalty;
    find_bytes();
  }

  bool adds_space() const noexcept override { return adds_space_; }

  void encode(std::string_view text, bool, std::vector<token_id>& ids) const override {
    auto const normal = normalised(text);
    lattice(*this, normal, ids).cut();
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
  // Viterbi. Where no piece reaches over a place, every way goes through it: what lies before is decided, and the work
  // begins anew. So it rarely holds more than a word at a time.
  class lattice {
   public:
    lattice(unigram_model const& model, std::string_view text, std::vector<token_id>& ids)
        : model_(model), text_(text), ids_(ids) {}

    void cut() {
      places_.assign(1, {.score = 0});
      for (std::size_t at = 0; at < text_.size();) {
        if (at > begin_ && at + 1 == begin_ + places_.size()) decide();
        std::size_t const character = code_point_at(text_, at).length;
        bool spelled = false;  // the character by itself
        model_.pieces_.each_prefix(text_, at, [&](std::size_t length, token_id id) {
          spelled = spelled || length == character;
          reach(at, length, id, model_.score(id));
        });
        if (!spelled) reach(at, character, no_token, model_.unknown_score_);
        at += character;
      }
      decide();
    }

   private:
    struct arrival {  // the best way to a place
      double score = -std::numeric_limits<double>::infinity();
      std::uint32_t length = 0;  // of the piece that leads here
      token_id id = no_token;    // none: a character that no piece spells
    };

    void reach(std::size_t at, std::size_t length, token_id id, double gain) {
      auto const from = at - begin_;
      if (from + length >= places_.size()) places_.resize(from + length + 1);
      auto& there = places_[from + length];
      if (auto const total = places_[from].score + gain; total > there.score)
        there = {total, static_cast<std::uint32_t>(length), id};
    }

    // Gives out the best way to the last place, and begins there.
    void decide() {
      path_.clear();
      for (auto end = places_.size() - 1; end > 0; end -= places_[end].length) path_.push_back(end);
      for (auto end = path_.rbegin(); end != path_.rend(); ++end) {
        auto const& arrived = places_[*end];
        if (arrived.id != no_token)
          ids_.push_back(arrived.id);
        else
          model_.spell(text_.substr(begin_ + *end - arrived.length, arrived.length), after_unknown_, ids_);
        after_unknown_ = arrived.id == no_token;
      }
      begin_ += places_.size() - 1;
      places_.assign(1, {.score = 0});
    }

    unigram_model const& model_;
    std::string_view text_;
    std::vector<token_id>& ids_;
    std::vector<arrival> places_;    // from begin_ to the furthest that a piece reaches
    std::vector<std::size_t> path_;  // ends of the pieces, last first
    std::size_t begin_ = 0;
    bool after_unknown_ = false;
  };

  bool flag(char const* name, bool absent) const {
    return vocab_.file.find_bool("tokenizer.ggml." + std::string(name)).value_or(absent);
  }

  float score(token_id id) const { return scores_[static_cast<std::size_t>(id)]; }

  // A vocabulary with a token for each byte spells unknown characters by them.
  void find_bytes() {
    has_bytes_ = true;
    for (unsigned byte = 0; byte < 256; ++byte) {
      char name[8];
      std::snprintf(name, sizeof name, "<0x%02X>", byte);
      auto const id = vocab_.find(name);
      bool const found = id && vocab_.kind(*id) == token_kind::byte;
      byte_ids_[byte] = found ? *id : no_token;
      has_bytes_ = has_bytes_ && found;
    }
  }

  // The text as the model sees it: by the table of the file, spaces marked, with one in front, and (where the file says
  // so) none at the ends and no two in a row.
  std::string normalised(std::string_view text) const {
    std::string out;
    out.reserve(text.size() + text.size() / 4 + space_mark.size());
    std::string_view const space = marks_spaces_ ? space_mark : " ";
    bool begun = false, after_space = removes_spaces_;
    for (std::size_t at = 0; at < text.size();) {
      auto const found = map_.find(text, at);
      auto const c = code_point_at(text, at);
      std::string_view part = found.consumed > 0 ? found.text : text.substr(at, c.length);
      if (found.consumed == 0 && !c.valid && !has_bytes_) part = replacement;
      at += found.consumed > 0 ? found.consumed : c.length;
      while (after_space && part.starts_with(' ')) part.remove_prefix(1);
      if (part.empty()) continue;
      if (!begun && adds_space_) out += space;
      begun = true;
      for (char const b : part) b == ' ' ? out += space : out += b;
      after_space = removes_spaces_ && part.ends_with(' ');
    }
    if (removes_spaces_)
      while (out.ends_with(space)) out.resize(out.size() - space.size());
    return out;
  }

  // Neighbouring unknown characters are one token.
  void spell(std::string_view character, bool after_unknown, std::vector<token_id>& ids) const {
    if (has_bytes_)
      for (char const c : character) ids.push_back(byte_ids_[static_cast<std::uint8_t>(c)]);
    else if (vocab_.unknown && !after_unknown)
      ids.push_back(*vocab_.unknown);
  }

  vocabulary const& vocab_;
  std::vector<float> scores_;
  charsmap map_;
  bool adds_space_, removes_spaces_, marks_spaces_;
  piece_trie pieces_;
  double unknown_score_ = 0;
  std::array<token_id, 256> byte_ids_{};
  bool has_bytes_ = false;
};

}  // namespace

result<std::unique_ptr<text_model>> make_unigram_model(vocabulary const& vocab) {
  auto scores = vocab.file.find_floats("tokenizer.ggml.scores");
  if (!scores || scores->size() != vocab.size())
    return vocabulary_error(errc::corrupt_file, "tokenizer.ggml.scores is absent or not as long as the vocabulary",
                            vocab.file);
  if (std::any_of(scores->begin(), scores->end(), [](float score) { return !std::isfinite(score); }))
    return vocabulary_error(errc::corrupt_file, "tokenizer.ggml.scores holds a value that is no finite number",
                            vocab.file);
  auto map = charsmap::parse(
      vocab.file.find_ints("tokenizer.ggml.precompiled_charsmap").value_or(std::vector<std::int64_t>{}));
  if (!map) return vocabulary_error(errc::corrupt_file, "tokenizer.ggml.precompiled_charsmap is cut short", vocab.file);
  return std::unique_ptr<text_model>(std::make_unique<unigram_model>(vocab, std::move(*scores), std::move(*map)));
}

}  // namespace wherry::inline v0::detail
