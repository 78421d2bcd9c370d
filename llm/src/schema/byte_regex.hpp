#pragma once
// Regular languages over bytes, determinised as they are used.
//
// A language is an expression; reading a byte makes it the expression of what may follow (Brzozowski, "Derivatives of
// regular expressions", JACM 1964). Expressions are hash-consed and kept in a normal form in which a language has few
// derivatives, so the states of the automaton are the expressions met. Intersection and complement cost nothing extra.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace wherry::inline v0 {
namespace regex {

class byte_set {
 public:
  constexpr void add(unsigned first, unsigned last) {
    for (unsigned byte = first; byte <= last; ++byte) words_[byte / 64] |= std::uint64_t{1} << (byte % 64);
  }
  constexpr bool has(std::uint8_t byte) const { return (words_[byte / 64] >> (byte % 64) & 1) != 0; }
  constexpr bool is_empty() const { return (words_[0] | words_[1] | words_[2] | words_[3]) == 0; }
  byte_set& operator|=(byte_set const& other) {
    for (std::size_t i = 0; i < 4; ++i) words_[i] |= other.words_[i];
    return *this;
  }
  std::array<std::uint64_t, 4> const& words() const { return words_; }
  friend bool operator==(byte_set const&, byte_set const&) = default;

 private:
  std::array<std::uint64_t, 4> words_{};
};

/// An expression of one arena.
using node = std::uint32_t;
inline constexpr std::size_t unbounded = static_cast<std::size_t>(-1);

class arena {
 public:
  static constexpr std::size_t nodes_max = 300'000;

  static constexpr node none = 0;   ///< No text.
  static constexpr node empty = 1;  ///< The empty text.
  static constexpr node all = 2;    ///< Every text.

  arena();

  node bytes(byte_set const& set);
  node literal(std::string_view text);
  node cat(node first, node second);
  node either(std::vector<node> parts);
  node both(std::vector<node> parts);
  node negate(node part);
  node repeat(node part, std::size_t min, std::size_t max = unbounded);

  bool is_nullable(node n) const { return nodes_[n].nullable; }
  node derive(node n, std::uint8_t byte);
  /// Bytes that no expression tells apart share a class. Fixed by the sets in use at the first call.
  std::array<std::uint8_t, 256> const& classes();
  std::size_t class_count() const { return class_count_; }
  std::size_t size() const { return nodes_.size(); }
  /// More nodes than nodes_max were asked for: what was made since means nothing.
  bool is_exhausted() const { return exhausted_; }

 private:
  enum class kind : std::uint8_t { none, empty, bytes, cat, either, both, negate, repeat };
  struct record {
    kind what = kind::none;
    bool nullable = false;
    bool counts = false;       // has a repetition with a maximum inside
    std::uint32_t first = 0;   // bytes: index of the set; cat, negate, repeat: the first part; lists: where they begin
    std::uint32_t second = 0;  // cat: the second part; repeat: index of the bounds; lists: how many
    std::uint64_t hash = 0;
  };
  node intern(record r, std::vector<node> const* list);
  bool is_same(record const& a, record const& b, std::vector<node> const* list) const;
  bool is_within(node small, node large, int& steps) const;
  void drop_parts_within_others(std::vector<node>& parts) const;
  std::vector<node> parts_of(node n) const;
  std::uint32_t intern_set(byte_set const& set);
  std::uint32_t intern_bounds(std::size_t min, std::size_t max);

  std::vector<record> nodes_;
  std::vector<node> lists_;
  std::vector<byte_set> sets_;
  std::vector<std::pair<std::size_t, std::size_t>> bounds_;
  std::unordered_multimap<std::uint64_t, node> known_;
  std::unordered_map<std::uint64_t, node> derived_;  // by node << 8 | byte
  std::array<std::uint8_t, 256> class_of_{};
  std::size_t class_count_ = 0;
  bool exhausted_ = false;
};

/// One language as an automaton whose states are made when they are reached. A state from which no text is accepted is
/// never given out. Not thread-safe: even looking makes states.
class automaton {
 public:
  using state = std::uint32_t;
  static constexpr state dead = 0xffff'ffff;
  static constexpr std::size_t states_max = 50'000;

  /// Takes over an arena and the expression that is the language.
  automaton(std::shared_ptr<arena> expressions, node language, std::size_t states_limit = states_max);

  state start() const { return start_; }  ///< dead when the language is empty.
  state next(state from, std::uint8_t byte) {
    state const known = rows_[from * classes_ + class_of_[byte]];
    return known != unknown ? known : step(from, byte);
  }
  bool accepts(state at) const { return states_[at].accepts; }
  /// The shortest text from a state to the end; bytes for which `prefer` is false only where there is no other way.
  std::string shortest(state at, std::array<bool, 256> const* prefer = nullptr);
  /// Not the shortest, but quickly told: some text of so many bytes leads from a state to the end.
  std::size_t shortest_at_most(state at) const { return states_[at].end_within; }
  /// A byte of each class, to look at every step of a state once.
  std::vector<std::uint8_t> const& representatives() const { return representatives_; }
  /// Whether infinitely many texts are accepted from here on.
  bool is_infinite(state at);
  /// More states than states_max were needed: the language counts as if those beyond were not in it.
  bool is_exhausted() const { return exhausted_ || arena_->is_exhausted(); }

  bool matches(std::string_view text);
  node expression(state at) const { return states_[at].expression; }
  arena& expressions() { return *arena_; }

 private:
  static constexpr state unknown = 0xffff'fffe;
  enum class life : std::uint8_t { unknown, alive, dead };
  struct record {
    node expression = 0;
    bool accepts = false;
    life is = life::unknown;
    std::uint8_t infinite = 2;
    std::uint32_t end_within = 0;  // when alive
  };
  state state_of(node expression);
  state raw_next(state from, std::size_t byte_class);
  state step(state from, std::uint8_t byte);
  bool is_alive(state at);
  bool reaches_end_by_known_text(state at);

  std::shared_ptr<arena> arena_;
  std::array<std::uint8_t, 256> class_of_{};
  std::size_t classes_ = 0;
  std::vector<std::uint8_t> representatives_;
  std::vector<record> states_;
  std::vector<state> rows_;      // live targets by state and class
  std::vector<state> raw_rows_;  // the same before the dead were sorted out
  std::unordered_map<node, state> known_;
  std::vector<std::string> known_texts_;  // that led to the end lately, the last one first
  std::size_t states_limit_;
  bool exhausted_ = false;
  state start_ = dead;
};

}  // namespace regex
}  // namespace wherry::inline v0
