#include "grammar/text_automaton.hpp"

#include <map>
#include <queue>
#include <utility>

namespace wherry::inline v0 {
namespace grammar {

text_automaton::state text_automaton::add(bool border) {
  next_.emplace_back().fill(refused);
  border_.push_back(border);
  return static_cast<state>(next_.size() - 1);
}

void text_automaton::edge(state from, unsigned first, unsigned last, state to) {
  for (unsigned byte = first; byte <= last; ++byte) next_[from][byte] = to;
}

bool text_automaton::keep_what_ends() {
  std::vector<std::vector<state>> before(size());
  for (std::size_t s = 0; s < size(); ++s) {
    state previous = refused;
    for (state const to : next_[s]) {
      if (to < size() && to != previous) before[to].push_back(static_cast<state>(s));
      previous = to;
    }
  }
  std::vector<bool> ends = border_;
  std::vector<state> open;
  for (std::size_t s = 0; s < size(); ++s) {
    if (ends[s]) open.push_back(static_cast<state>(s));
  }
  while (!open.empty()) {
    state const at = open.back();
    open.pop_back();
    for (state const from : before[at]) {
      if (ends[from]) continue;
      ends[from] = true;
      open.push_back(from);
    }
  }
  for (auto& row : next_) {
    for (state& to : row) {
      if (to < size() && !ends[to]) to = refused;
    }
  }
  return size() > 0 && ends[start];
}

// The well-formed sequences of two to four bytes: The Unicode Standard, table 3-7.
void text_automaton::add_utf8(state from, state to) {
  state const last = add(), last_two = add(), last_three = add();
  edge(last, 0x80, 0xbf, to);
  edge(last_two, 0x80, 0xbf, last);
  edge(last_three, 0x80, 0xbf, last_two);
  auto const restricted = [&](unsigned lead, unsigned first, unsigned second_last, state then) {
    state const second = add();
    edge(from, lead, lead, second);
    edge(second, first, second_last, then);
  };
  edge(from, 0xc2, 0xdf, last);
  edge(from, 0xe1, 0xef, last_two);
  edge(from, 0xf1, 0xf3, last_three);
  restricted(0xe0, 0xa0, 0xbf, last);
  restricted(0xed, 0x80, 0x9f, last);
  restricted(0xf0, 0x90, 0xbf, last_two);
  restricted(0xf4, 0x80, 0x8f, last_two);
}

text_automaton text_automaton::json(bool canonical) {
  text_automaton a;
  a.has_quote_ = a.counts_ = true;
  state const content = a.add(true), escape = a.add(), unicode = a.add();
  a.edge(content, 0x20, 0x7f, content);
  a.edge(content, '"', '"', ended);
  a.edge(content, '\\', '\\', escape);
  a.add_utf8(content, content);
  for (char const c : std::string("\"\\bfnrt"))
    a.edge(escape, static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c), content);
  a.edge(escape, 'u', 'u', unicode);
  auto const hex = [&a](state from, state to) {
    a.edge(from, '0', '9', to);
    a.edge(from, 'a', 'f', to);
    a.edge(from, 'A', 'F', to);
  };
  if (canonical) {
    // \u00XX for the control characters that have no short escape, in lower case
    state const zero = a.add(), high = a.add(), low_0 = a.add(), low_1 = a.add();
    a.edge(unicode, '0', '0', zero);
    a.edge(zero, '0', '0', high);
    a.edge(high, '0', '0', low_0);
    a.edge(high, '1', '1', low_1);
    a.edge(low_0, '0', '7', content);
    a.edge(low_0, 'b', 'b', content);
    a.edge(low_0, 'e', 'f', content);
    a.edge(low_1, '0', '9', content);
    a.edge(low_1, 'a', 'f', content);
    return a;
  }
  a.edge(escape, '/', '/', content);
  state const one = a.add(), two = a.add(), three = a.add(), after_d = a.add();
  hex(unicode, three);
  hex(three, two);
  hex(two, one);
  hex(one, content);
  // \uD8xx-\uDBxx must be followed by \uDCxx-\uDFxx, which is nothing on its own
  state const high_two = a.add(), high_one = a.add(), backslash = a.add(), second_u = a.add(), second_d = a.add(),
              low_high = a.add();
  for (unsigned const d : {'d', 'D'}) {
    a.edge(unicode, d, d, after_d);
    a.edge(second_d, d, d, low_high);
  }
  a.edge(after_d, '0', '7', two);
  a.edge(after_d, '8', '9', high_two);
  a.edge(after_d, 'a', 'b', high_two);
  a.edge(after_d, 'A', 'B', high_two);
  hex(high_two, high_one);
  hex(high_one, backslash);
  a.edge(backslash, '\\', '\\', second_u);
  a.edge(second_u, 'u', 'u', second_d);
  a.edge(low_high, 'c', 'f', two);
  a.edge(low_high, 'C', 'F', two);
  return a;
}

text_automaton const& text_automaton::json_string() {
  static text_automaton const automaton = json(false);
  return automaton;
}

text_automaton const& text_automaton::json_name() {
  static text_automaton const automaton = json(true);
  return automaton;
}

namespace {

// Aho and Corasick, "Efficient string matching", CACM 1975: the longest prefix of a forbidden string that ends here.
struct occurrence_automaton {
  explicit occurrence_automaton(std::vector<std::string> const& words) {
    add();
    for (auto const& word : words) insert(word);
    link();
  }
  void add() {
    next.emplace_back().fill(0);
    found.push_back(false);
  }
  void insert(std::string const& word) {
    std::size_t at = 0;
    for (char const c : word) {
      auto const byte = static_cast<std::uint8_t>(c);
      if (next[at][byte] == 0) {
        add();
        next[at][byte] = next.size() - 1;
      }
      at = next[at][byte];
    }
    found[at] = true;
  }
  void link() {
    std::vector<std::size_t> fallback(next.size(), 0);
    std::queue<std::size_t> open;
    for (std::size_t const child : next[0]) {
      if (child != 0) open.push(child);
    }
    for (; !open.empty(); open.pop()) {
      std::size_t const at = open.front();
      if (found[fallback[at]]) found[at] = true;
      for (std::size_t byte = 0; byte < 256; ++byte) {
        std::size_t& child = next[at][byte];
        std::size_t const other = next[fallback[at]][byte];
        if (child == 0) {
          child = other;
        } else {
          fallback[child] = other;
          open.push(child);
        }
      }
    }
  }
  std::vector<std::array<std::size_t, 256>> next;
  std::vector<bool> found;
};

}  // namespace

text_automaton text_automaton::free_text(std::vector<std::string> const& without) {
  text_automaton utf8;
  state const between = utf8.add(true);
  utf8.edge(between, 0x00, 0x7f, between);
  utf8.add_utf8(between, between);

  occurrence_automaton const words(without);
  text_automaton product;
  product.counts_ = true;
  std::map<std::pair<state, std::size_t>, state> known;
  std::vector<std::pair<state, std::size_t>> open;
  auto const reach = [&](state character, std::size_t word) {
    auto const [it, is_new] = known.try_emplace({character, word}, static_cast<state>(known.size()));
    if (is_new) {
      product.add(utf8.is_border(character));
      open.emplace_back(character, word);
    }
    return it->second;
  };
  reach(between, 0);
  for (std::size_t i = 0; i < open.size(); ++i) {
    auto const [character, word] = open[i];
    for (unsigned byte = 0; byte < 256; ++byte) {
      state const to = utf8.next(character, static_cast<std::uint8_t>(byte));
      if (to == refused || words.found[words.next[word][byte]]) continue;
      state const target = reach(to, words.next[word][byte]);
      product.next_[i][byte] = target;
    }
  }
  return product;
}

bool text_automaton::add_texts(std::vector<std::string>& out, std::size_t size_max) const {
  constexpr std::size_t begun_max = 4'096;
  std::vector<std::pair<state, std::string>> begun{{start, ""}};
  for (std::size_t i = 0; i < begun.size(); ++i) {
    auto const [at, text] = begun[i];
    if (border_[at] && !text.empty()) {
      if (out.size() >= size_max) return false;
      out.push_back(text);
    }
    for (unsigned byte = 0; byte < 256; ++byte) {
      state const to = next_[at][byte];
      if (to >= size()) continue;
      if (begun.size() >= begun_max) return false;
      begun.emplace_back(to, text + static_cast<char>(byte));
    }
  }
  return true;
}

}  // namespace grammar
}  // namespace wherry::inline v0
