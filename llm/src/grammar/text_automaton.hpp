#pragma once
// Deterministic automata for the insides of text: characters follow each other in any number, and an automaton knows
// where a character begins and ends. Counting characters and bytes is its user's business.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace wherry::inline v0 {
namespace grammar {

class text_automaton {
 public:
  using state = std::uint16_t;
  static constexpr state refused = 0xffff;
  static constexpr state ended = 0xfffe;  ///< After the closing quote.
  static constexpr state start = 0;

  /// The inside of a JSON string and its closing quote: every escape of RFC 8259, surrogate escapes in pairs only,
  /// well-formed UTF-8 (Unicode, table 3-7), no control characters.
  static text_automaton const& json_string();
  /// The same, but only the spelling to_text() gives: a name has one spelling, so names can be compared as bytes.
  static text_automaton const& json_name();
  /// UTF-8 in which none of `without` occurs; ends anywhere between characters.
  static text_automaton free_text(std::vector<std::string> const& without);

  state next(state from, std::uint8_t byte) const { return next_[from][byte]; }
  /// True between characters.
  bool is_border(state at) const { return border_[at]; }
  bool has_quote() const { return has_quote_; }
  /// Its characters are counted by its user.
  bool counts() const { return counts_; }
  std::size_t size() const { return next_.size(); }
  /// Appends its texts, the shortest first, while `out` has room. False when there are more than `size_max` allows;
  /// some may stand in `out` then.
  bool add_texts(std::vector<std::string>& out, std::size_t size_max) const;

  // For those who build one of their own.
  state add(bool border = false);
  void edge(state from, unsigned first, unsigned last, state to);
  void set_border(state at) { border_[at] = true; }
  /// Cuts the edges after which no border can be reached. False when none can be reached from the start.
  bool keep_what_ends();

 private:
  static text_automaton json(bool canonical);
  void add_utf8(state from, state to);

  std::vector<std::array<state, 256>> next_;
  std::vector<bool> border_;
  bool has_quote_ = false;
  bool counts_ = false;
};

}  // namespace grammar
}  // namespace wherry::inline v0
