#include "fact_rules.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace wherry::inline v0::detail {
namespace {

/// How a statement begins, in small letters.
struct opening {
  std::string_view words;
  std::string_view kind;
  std::string_view attribute = {};
};

constexpr std::array openings{
    opening{"my name is ", "fact", "name"},
    opening{"i am called ", "fact", "name"},
    opening{"i live in ", "fact", "home"},
    opening{"i live at ", "fact", "home"},
    opening{"i moved to ", "fact", "home"},
    opening{"i have moved to ", "fact", "home"},
    opening{"i've moved to ", "fact", "home"},
    opening{"i work at ", "fact", "employer"},
    opening{"i work for ", "fact", "employer"},
    opening{"i work as ", "fact", "occupation"},
    opening{"i was born ", "fact", "birth"},
    opening{"i am allergic to ", "fact"},
    opening{"i'm allergic to ", "fact"},
    opening{"i am from ", "fact", "origin"},
    opening{"i'm from ", "fact", "origin"},
    opening{"i am married", "fact", "marital status"},
    opening{"i'm married", "fact", "marital status"},
    opening{"i speak ", "fact"},
    opening{"i own ", "fact"},
    opening{"i prefer ", "preference"},
    opening{"i like ", "preference"},
    opening{"i love ", "preference"},
    opening{"i hate ", "preference"},
    opening{"i dislike ", "preference"},
    opening{"i don't like ", "preference"},
    opening{"i do not like ", "preference"},
    opening{"i don't eat ", "preference"},
    opening{"i do not eat ", "preference"},
    opening{"i don't drink ", "preference"},
    opening{"i do not drink ", "preference"},
    opening{"i always ", "preference"},
    opening{"i never ", "preference"},
    opening{"ich heiße ", "fact", "name"},
    opening{"mein name ist ", "fact", "name"},
    opening{"ich wohne in ", "fact", "home"},
    opening{"ich lebe in ", "fact", "home"},
    opening{"ich arbeite bei ", "fact", "employer"},
    opening{"ich arbeite als ", "fact", "occupation"},
    opening{"ich bin allergisch gegen ", "fact"},
    opening{"ich mag ", "preference"},
    opening{"ich liebe ", "preference"},
    opening{"ich hasse ", "preference"},
    opening{"ich bevorzuge ", "preference"},
};

/// What a user says who wants something kept; the fact is what follows.
constexpr std::array requests{std::string_view("remember that "),      std::string_view("please remember that "),
                              std::string_view("remember: "),          std::string_view("please remember: "),
                              std::string_view("don't forget that "),  std::string_view("please note that "),
                              std::string_view("merk dir, dass "),     std::string_view("bitte merk dir, dass "),
                              std::string_view("vergiss nicht, dass ")};

/// Words that make a sentence something else than a statement of how it is.
constexpr std::array hedges{std::string_view(" if "),    std::string_view(" would "),      std::string_view(" could "),
                            std::string_view(" maybe "), std::string_view(" perhaps "),    std::string_view(" might "),
                            std::string_view(" wenn "),  std::string_view(" vielleicht "), std::string_view(" würde ")};

/// "My point is that ..." says nothing of the user.
constexpr std::array<std::string_view, 16> no_attributes{"point", "question", "problem", "guess",  "idea",   "plan",
                                                         "bad",   "mistake",  "opinion", "answer", "advice", "goal",
                                                         "frage", "problem",  "idee",    "meinung"};
constexpr std::size_t attribute_words_max = 3;

/// Korean: the speaker stands first, and what is said ends as a statement.
constexpr std::array korean_speakers{std::string_view("저는 "), std::string_view("나는 "), std::string_view("전 "),
                                     std::string_view("난 "),   std::string_view("제 "),   std::string_view("내 ")};
constexpr std::array korean_likes{std::string_view("좋아"), std::string_view("싫어"), std::string_view("사랑")};
constexpr std::array korean_ends{std::string_view("다"), std::string_view("요"), std::string_view("야")};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// ASCII letters small, all else as it is: places in it are places in the text.
std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::optional<std::size_t> length_of_end(std::string_view rest) {
  for (std::string_view const end : {"。", "！", "？"})
    if (rest.starts_with(end)) return end.size();
  if (rest.front() != '.' && rest.front() != '!' && rest.front() != '?') return std::nullopt;
  if (rest.size() == 1 || is_blank(rest[1])) return 1;
  return std::nullopt;
}

/// "my favourite tea is oolong" has the attribute "favourite tea".
std::optional<std::string> attribute_of(std::string_view sentence) {
  std::string_view rest;
  std::string_view verb = " is ";
  if (sentence.starts_with("my ")) rest = sentence.substr(3);
  for (std::string_view const mine : {"mein ", "meine "})
    if (sentence.starts_with(mine)) rest = sentence.substr(mine.size()), verb = " ist ";
  auto const at = rest.find(verb);
  if (rest.empty() || at == std::string_view::npos || at == 0 || at + verb.size() >= rest.size()) return std::nullopt;
  auto const name = rest.substr(0, at);
  if (static_cast<std::size_t>(std::count(name.begin(), name.end(), ' ')) >= attribute_words_max) return std::nullopt;
  if (name.find_first_of(",;:\"") != std::string_view::npos) return std::nullopt;
  auto const last_word = name.substr(name.rfind(' ') == std::string_view::npos ? 0 : name.rfind(' ') + 1);
  if (std::find(no_attributes.begin(), no_attributes.end(), last_word) != no_attributes.end()) return std::nullopt;
  return std::string(name);
}

std::string_view without_end(std::string_view sentence) {
  while (!sentence.empty() && (sentence.back() == '.' || sentence.back() == '!')) sentence.remove_suffix(1);
  return sentence;
}

bool says_korean_fact(std::string_view sentence) {
  auto const body = without_end(sentence);
  return std::any_of(korean_speakers.begin(), korean_speakers.end(), [&](auto s) { return body.starts_with(s); }) &&
         std::any_of(korean_ends.begin(), korean_ends.end(), [&](auto e) { return body.ends_with(e); });
}

std::optional<stated_fact> fact_in(std::string_view text, text_span at) {
  auto const small = lowered(text.substr(at.begin, at.end - at.begin));
  std::string_view sentence = small;
  if (sentence.ends_with('?') || sentence.ends_with("？")) return std::nullopt;
  for (auto const request : requests)
    if (sentence.starts_with(request) && without_end(sentence).size() > request.size())
      return stated_fact{{at.begin + request.size(), at.end}, "fact", {}};
  auto const padded = ' ' + small + ' ';
  for (auto const hedge : hedges)
    if (padded.find(hedge) != std::string::npos) return std::nullopt;
  for (auto const& o : openings)
    if (sentence.starts_with(o.words)) return stated_fact{at, std::string(o.kind), std::string(o.attribute)};
  if (auto attribute = attribute_of(sentence)) return stated_fact{at, "fact", std::move(*attribute)};
  if (!says_korean_fact(sentence)) return std::nullopt;
  bool const likes =
      std::any_of(korean_likes.begin(), korean_likes.end(), [&](auto w) { return small.find(w) != std::string::npos; });
  return stated_fact{at, likes ? "preference" : "fact", {}};
}

}  // namespace

std::vector<text_span> sentences_of(std::string_view text) {
  std::vector<text_span> out;
  std::size_t begin = 0;
  auto const end_at = [&](std::size_t end) {
    auto first = begin;
    begin = end;
    while (first < end && is_blank(text[first])) ++first;
    while (end > first && is_blank(text[end - 1])) --end;
    if (first < end) out.push_back({first, end});
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') {
      end_at(i);
    } else if (auto const length = length_of_end(text.substr(i))) {
      i += *length - 1;
      end_at(i + 1);
    }
  }
  end_at(text.size());
  return out;
}

std::vector<stated_fact> facts_by_rules(std::string_view text) {
  std::vector<stated_fact> out;
  for (auto const& at : sentences_of(text))
    if (auto found = fact_in(text, at)) out.push_back(std::move(*found));
  return out;
}

}  // namespace wherry::inline v0::detail
