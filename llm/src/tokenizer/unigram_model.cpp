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
      if (vocab.piece(id).find(space_mark, 1) != std::string_view::npos) words_stand_alone_ = false;
    }
    pieces_ = piece_trie(std::move(pieces));
    unknown_score_ = (std::isfinite(worst) ? worst : 0) - unknown_penalty;
    find_bytes();
  }

  bool adds_space() const noexcept override { return adds_space_; }

  void encode(std::string_view text, bool, std::vector<token_id>& ids) const override {
    auto const normal = normalised(text);
    lattice work;
    std::string_view rest = normal;
    bool after_unknown = false;
    while (!rest.empty()) {
      // Where no piece holds a mark inside, none crosses the border of a word.
      auto const word = rest.substr(0, words_stand_alone_ ? rest.find(space_mark, 1) : rest.npos);
      cut(word, work, after_unknown, ids);
      rest.remove_prefix(word.size());
    }
  }

  std::string bytes_of(token_id id) const override {
    if (vocab_.kind(id) == token_kind::byte) {
      auto const found = std::find(byte_ids_.begin(), byte_ids_.end(), id);
      return found == byte_ids_.end() ? std::string() : std::string(1, static_cast<char>(found - byte_ids_.begin()));
    }
    auto rest = vocab_.piece(id);
    std::string bytes;
    for (auto at = rest.find(space_mark); at != rest.npos; at = rest.find(space_mark)) {
      bytes.append(rest.substr(0, at)).push_back(' ');
      rest.remove_prefix(at + space_mark.size());
    }
    return bytes.append(rest);
  }

 private:
  struct arrival {  // the best way to a place in the text
    double score = -std::numeric_limits<double>::infinity();
    std::uint32_t from = 0;
    token_id id = no_token;  // none: a character that no piece spells
  };
  struct lattice {
    std::vector<arrival> places;
    std::vector<std::uint32_t> path;  // ends of the pieces, last first
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

  // Viterbi over one stretch of the text.
  void cut(std::string_view text, lattice& work, bool& after_unknown, std::vector<token_id>& ids) const {
    auto& places = work.places;
    places.assign(text.size() + 1, {});
    places[0].score = 0;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t const character = code_point_at(text, at).length;
      bool spelled = false;  // the character by itself
      auto const reach = [&](std::size_t length, token_id id, double gain) {
        auto& there = places[at + length];
        if (auto const total = places[at].score + gain; total > there.score)
          there = {total, static_cast<std::uint32_t>(at), id};
      };
      pieces_.each_prefix(text, at, [&](std::size_t length, token_id id) {
        spelled = spelled || length == character;
        reach(length, id, score(id));
      });
      if (!spelled) reach(character, no_token, unknown_score_);
      at += character;
    }
    auto& path = work.path;
    path.clear();
    for (auto end = static_cast<std::uint32_t>(text.size()); end > 0; end = places[end].from) path.push_back(end);
    for (auto end = path.rbegin(); end != path.rend(); ++end) {
      auto const& arrived = places[*end];
      if (arrived.id != no_token)
        ids.push_back(arrived.id);
      else
        add_unknown(text.substr(arrived.from, *end - arrived.from), after_unknown, ids);
      after_unknown = arrived.id == no_token;
    }
  }

  // Neighbouring unknown characters are one token.
  void add_unknown(std::string_view character, bool after_unknown, std::vector<token_id>& ids) const {
    if (has_bytes_)
      for (char const c : character) ids.push_back(byte_ids_[static_cast<std::uint8_t>(c)]);
    else if (vocab_.unknown && !after_unknown)
      ids.push_back(*vocab_.unknown);
  }

  vocabulary const& vocab_;
  std::vector<float> scores_;
  charsmap map_;
  bool adds_space_, removes_spaces_, marks_spaces_;
  bool words_stand_alone_ = true;
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
