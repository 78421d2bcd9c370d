#include "engine/random_model_vocabulary.hpp"

#include <wherry/llm/tokenizer.hpp>

#include <array>
#include <set>
#include <sstream>
#include <string_view>

namespace wherry::inline v0::engine {
namespace {

constexpr std::string_view space_mark = "\xE2\x96\x81";  // U+2581 stands for a space

// Words; each also becomes a piece with a space before it.
constexpr std::string_view words =
    "the of and to in is you that it he was for on are as with his they I at be this have from or one had by but not "
    "what all were we when your can said there use an each which she do how their if will up other about out many then "
    "them these so some her would make like him into time has look two more write go see number no way could people my "
    "than first water been call who oil its now find long down day did get come made may part over new sound take only "
    "little work know place year live me back give most very after thing our just name good sentence man think say "
    "great where help through much before line right too mean old any same tell boy follow came want show also around "
    "form three small set put end does another well large must big even such because turn here why ask went men read "
    "need land different home us move try kind hand picture again change off play spell air away animal house point "
    "page letter mother answer found study still learn should world high every near add food between own below country "
    "plant last school father keep tree never start city earth eye light thought head under story saw left late run "
    "while press close night real life few north open seem together next white begin got walk example paper group "
    "always music those both mark often until mile river car feet care second book carry took science eat room friend "
    "began idea fish mountain stop once base hear horse cut sure watch color face wood main user tool model agent "
    "memory token query result value error true false null yes";

// Ends of words, and what JSON is made of.
constexpr std::string_view pieces =
    "ing ed er ly tion s es al ment ness able ful est ity ive ous ic ant ent ist ism ize ary ory ure age ance ence "
    "{\" \"} \": \", \",\" \":\" \":{\" \":[ [{ }] }, ]} [\" \"] {} [] .\" ,\" 's 't 're n't I'm 00 10 20 100 ... --";

class builder {
 public:
  void add(std::string token, token_kind kind) {
    if (!known_.insert(token).second) return;
    vocabulary_.scores.push_back(kind == token_kind::normal ? -static_cast<float>(vocabulary_.tokens.size()) : 0.0f);
    vocabulary_.tokens.push_back(std::move(token));
    vocabulary_.types.push_back(static_cast<std::int32_t>(kind));
  }

  /// A word and its beginnings from `least` bytes on: merging joins two pieces at a time, so a word needs a way up to
  /// it.
  void add_with_beginnings(std::string const& word, std::size_t least) {
    for (std::size_t length = least; length <= word.size(); ++length) add(word.substr(0, length), token_kind::normal);
  }

  spm_vocabulary take() { return std::move(vocabulary_); }

 private:
  spm_vocabulary vocabulary_;
  std::set<std::string> known_;
};

std::vector<std::string> split(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

std::string byte_name(unsigned byte) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  return {'<', '0', 'x', digits[byte / 16], digits[byte % 16], '>'};
}

}  // namespace

spm_vocabulary make_random_model_vocabulary() {
  builder b;
  b.add("<unk>", token_kind::unknown);
  b.add("<s>", token_kind::control);
  b.add("</s>", token_kind::control);
  for (unsigned byte = 0; byte < 256; ++byte) b.add(byte_name(byte), token_kind::byte);
  b.add(std::string(space_mark), token_kind::normal);
  for (char c = '!'; c <= '~'; ++c) b.add(std::string(1, c), token_kind::normal);
  for (auto const& word : split(words)) {
    b.add_with_beginnings(std::string(space_mark) + word, space_mark.size() + 1);
    b.add_with_beginnings(word, 2);
  }
  for (auto const& piece : split(pieces)) b.add_with_beginnings(piece, 2);
  return b.take();
}

}  // namespace wherry::inline v0::engine
