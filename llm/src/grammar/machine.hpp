#pragma once
// An expression as a machine: states with edges over bytes, calls that push, and for each state the weight of the
// shortest way out. Nothing here depends on a position in a text; threads.hpp runs it.

#include "grammar/text_automaton.hpp"
#include "grammar/token_trie.hpp"

#include <algorithm>
#include <array>
#include <bitset>
#include <deque>

namespace wherry::inline v0 {
namespace grammar {

/// Length of a completion. Bytes that are no token of their own weigh so much that they are used only where nothing
/// else leads on; such a completion must be checked against the longer tokens.
using weight = std::uint64_t;
inline constexpr weight missing_byte = weight{1} << 40;
inline constexpr weight impossible = weight{1} << 62;
inline weight plus(weight a, weight b) { return std::min(a + b, impossible); }
inline weight times(std::size_t n, weight w) {
  if (n == 0) return 0;
  return w >= impossible / n ? impossible : n * w;
}

using state_id = std::uint32_t;

enum class edge_kind : std::uint8_t { bytes, token, jump, call };

struct edge {
  edge_kind kind = edge_kind::jump;
  std::uint8_t first = 0;  ///< bytes: the range.
  std::uint8_t last = 0;
  bool counted = false;       ///< Needs room in the frame's counter, and takes it.
  bool deepens = false;       ///< call: one step deeper into a recursion.
  state_id target = 0;        ///< Where it leads; for a call, where it comes back.
  std::uint32_t operand = 0;  ///< call: the state entered; token: the id.
};

/// A stretch of states that is entered by a call and left at its accepting states. Its frame has one counter.
struct unit {
  std::size_t min = 0;  ///< Counted rounds before it may be left.
  std::size_t max = 0;
  state_id round = 0;              ///< What one round calls; meaningful when min > 0.
  bool named = false;              ///< A rule: recursion goes through it.
  std::vector<std::string> names;  ///< For a unit that collects names: those taken from the start. Sorted.
};

struct state {
  std::uint32_t first_edge = 0;
  std::uint32_t edge_count = 0;
  std::uint32_t unit = 0;
  bool accepts = false;
  bool consumes = false;  ///< Has edges over bytes or tokens.
};

/// Text with counters, entered by a call to first_state + automaton state and left at its end.
struct text_unit {
  text_automaton const* automaton = nullptr;
  summary_cache const* summaries = nullptr;
  state_id first_state = 0;
  std::size_t min = 0;  ///< Characters.
  std::size_t max = 0;
  std::size_t bytes_max = 0;
  bool is_name = false;                  ///< A member's name: must differ from those its caller has collected.
  std::vector<std::string> finish = {};  ///< By automaton state: the bytes that end the character begun.
  std::vector<weight> finish_weight = {};
  std::vector<std::bitset<256>> possible = {};  ///< By automaton state: the bytes that lead on.
  std::uint8_t filler = 'a';                    ///< A character of one byte.
  weight filler_weight = 1;
  weight quote_weight = 0;
};

struct machine {
  static constexpr state_id text_states = 0x8000'0000;  ///< Ids from here on are places in text units.
  static constexpr state_id finished = 0x7fff'ffff;     ///< Everything was left: the text is complete.

  std::vector<state> states;
  std::vector<edge> edges;
  std::vector<unit> units;
  std::vector<text_unit> texts;
  std::vector<std::uint16_t> text_of_state;  ///< By id - text_states.
  std::deque<text_automaton> own_automata;
  std::deque<summary_cache> own_summaries;
  state_id start = 0;
  std::size_t depth_max = 0;
  bool collects_names = false;
  std::array<weight, 256> byte_weight{};
  /// way_out[r][s]: from s to the end of its unit, no counter below its minimum, with r levels of recursion left. The
  /// last table holds for all larger r.
  std::vector<std::vector<weight>> way_out;

  static bool is_text(state_id id) { return id >= text_states; }
  text_unit const& text_at(state_id id) const { return texts[text_of_state[id - text_states]]; }
  text_automaton::state text_state(state_id id) const {
    return static_cast<text_automaton::state>(id - text_at(id).first_state);
  }
  std::span<edge const> edges_of(state_id id) const {
    return std::span(edges).subspan(states[id].first_edge, states[id].edge_count);
  }
  std::size_t level(std::size_t depth) const { return std::min(depth_max - depth, way_out.size() - 1); }
  /// Weight of what a fresh call of the state needs; `level` is the callee's.
  weight entry_weight(state_id id, std::size_t level) const;
  /// Weight of one round of a counted unit whose frame stands at `level`.
  weight round_weight(unit const& u, std::size_t level) const;
  /// Where the byte that a completion takes from an edge is chosen.
  std::uint8_t best_byte(edge const& e) const;
};

/// Builds states for an expression (schema nodes already compiled away are built here too) and weighs them.
result<machine> build_machine(expr const& expression, vocabulary::impl const& tokens);

/// Fills way_out.
void weigh(machine& m);

/// Compiles a JSON Schema to an expression without schema nodes.
result<expr> compile_schema(raw_json const& schema, bounds const& limits);

}  // namespace grammar
}  // namespace wherry::inline v0
