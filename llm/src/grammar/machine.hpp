#pragma once
// An expression as a machine: states with edges over bytes, calls that push, and for each state the weight of the
// shortest way out. States that come from JSON Schemas are made when a generation first gets there; until then a state
// knows only its weight. Nothing here depends on a position in a text; configuration.hpp runs it.

#include "grammar/shape.hpp"
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
inline constexpr std::size_t states_max = 2'000'000;

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

/// What the names of members decide: the state that follows depends on the patterns the name matches.
struct name_choice {
  object_shape const* object = nullptr;
  std::uint32_t part = 0;
  shape_id of = 0;  ///< The object's shape.
  std::map<std::vector<bool>, state_id> after;
};

/// A stretch of states that is entered by a call and left at its accepting states. Its frame has one counter.
struct unit {
  std::size_t min = 0;  ///< Counted rounds before it may be left.
  std::size_t max = 0;
  state_id round = 0;                ///< What one round calls; meaningful when min > 0.
  bool named = false;                ///< A rule: recursion goes through it.
  std::vector<std::string> names;    ///< For a unit that collects names: those taken from the start. Sorted.
  std::uint32_t choice = no_choice;  ///< For such a unit: index of what its names decide.
  state_id first = 0;                ///< For such a unit: the state before its first name.
  state_id name = 0;                 ///< For such a unit: the state in which a name is due.
  bool is_due(state_id at) const { return choice != no_choice && (at == first || at == name); }
  /// Members that an object still needs, from a state in which so many were begun.
  std::size_t needed(state_id at, std::size_t begun) const {
    std::size_t const more = min > begun ? min - begun : 0;
    return at == first ? std::max<std::size_t>(more, 1) : at == name ? more + 1 : more;
  }
  static constexpr std::uint32_t no_choice = static_cast<std::uint32_t>(-1);
};

struct state {
  std::uint32_t first_edge = 0;
  std::uint32_t edge_count = 0;
  std::uint32_t unit = 0;
  std::uint32_t stub = 0;  ///< Not made yet: index of what it will be, plus one.
  bool accepts = false;
  bool consumes = false;  ///< Has edges over bytes or tokens.
};

/// Text, entered by a call to first_state + automaton state and left at its end. Either an automaton with counters of
/// characters and bytes, or a language whose state is kept in the frame; beside one an automaton tells characters apart
/// where they are counted.
struct text_unit {
  text_automaton const* automaton = nullptr;
  summary_cache const* summaries = nullptr;
  lazy_text* language = nullptr;
  bool has_quote = false;  ///< Ends with a closing quote; else wherever the automaton is at a border.
  state_id first_state = 0;
  std::size_t min = 0;  ///< Characters.
  std::size_t max = 0;
  std::size_t bytes_max = 0;
  bool is_name = false;                    ///< A member's name: must differ from those its caller has collected.
  std::uint32_t choice = unit::no_choice;  ///< For a name: index of a name_choice.
  std::vector<std::string> finish = {};    ///< By automaton state: the bytes that end the character begun.
  std::vector<weight> finish_weight = {};
  std::vector<std::bitset<256>> possible = {};  ///< By automaton state: the bytes that lead on.
  std::uint8_t filler = 'a';                    ///< A character of one byte.
  weight filler_weight = 1;
  weight quote_weight = 0;
  bool counts_language() const { return language != nullptr && automaton != nullptr; }
};

/// A compiled schema within a machine.
struct schema_part {
  std::shared_ptr<shape_table const> table;
  std::vector<state_id> entries;             ///< By shape; no_entry until asked for.
  std::vector<std::vector<weight>> weights;  ///< [level][shape]
  static constexpr state_id no_entry = static_cast<state_id>(-1);
};

/// A member that an object could have beyond those declared, with the weight of name, colon and value.
struct other_member {
  std::string name;  ///< As JSON writes it, without quotes.
  shape_id value = 0;
  weight total = 0;
};

/// What a state will be.
struct stub {
  enum class kind : std::uint8_t { shape, row, any_row, array } what = kind::shape;
  std::uint32_t part = 0;
  shape_id of = 0;
  std::uint32_t alternative = 0;
  std::uint32_t index = 0;  ///< Members or items passed.
  std::uint32_t count = 0;  ///< Members present, or items that counted; as far as it matters. In any order a bit for
                            ///< each of the next members, set where it is present.
  state_id end = 0;         ///< Where the shape's unit is left.
};

struct machine {
  static constexpr state_id text_states = 0x8000'0000;  ///< Ids from here on are places in text units.
  static constexpr state_id finished = 0x7fff'ffff;     ///< Everything was left: the text is complete.

  std::vector<state> states;
  std::vector<edge> edges;
  std::vector<unit> units;
  std::deque<text_unit> texts;
  std::vector<std::uint32_t> text_of_state;  ///< By id - text_states.
  std::vector<std::shared_ptr<free_text_unit const>> free_texts;
  std::deque<summary_cache> own_summaries;
  std::deque<std::unique_ptr<lazy_text>> own_languages;
  std::deque<name_choice> choices;
  std::deque<schema_part> parts;
  std::vector<stub> stubs;
  std::map<std::tuple<std::uint32_t, shape_id, std::uint32_t, std::uint32_t, std::uint32_t, int>, state_id> known_stubs;
  vocabulary::impl const* tokens = nullptr;
  state_id start = 0;
  std::size_t depth_max = 0;
  bool collects_names = false;
  std::array<weight, 256> byte_weight{};
  std::array<bool, 256> has_byte{};
  bool has_all_bytes = false;
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
  weight spelled_weight(std::string_view bytes) const;
  weight spelled_weight(spelling const& elements) const;
  /// What members of a unit that collects names are still needed, beyond those in `taken` (sorted); fewer when there
  /// are not so many.
  std::vector<other_member> members_needed(unit const& u, std::vector<std::string> const& taken, std::size_t level,
                                           std::size_t count) const;

  /// Makes a state what it is to be.
  void expand(state_id id) {
    if (states[id].stub != 0) expand_stub(id);
  }
  /// The state that a value of a shape begins with.
  state_id entry(std::uint32_t part, shape_id of);
  /// States made after the machine was weighed weigh impossible until told otherwise.
  state_id add_state(std::uint32_t of_unit, bool accepts = false);
  std::uint32_t add_unit() {
    units.emplace_back();
    return static_cast<std::uint32_t>(units.size() - 1);
  }
  state_id add_text(text_unit text);

 private:
  void expand_stub(state_id id);
};

/// Builds states for an expression and weighs them.
result<machine> build_machine(expr const& expression, vocabulary::impl const& tokens);

/// Fills way_out.
void weigh(machine& m);
/// Weighs states made later; `fresh` in the order they were made.
void weigh_fresh(machine& m, std::vector<state_id> const& fresh);

/// The weights of all shapes with so many levels of recursion left, given those with one less.
std::vector<weight> weigh_shapes(machine const& m, schema_part const& part, std::vector<weight> const* one_less);
/// Marks what is recursive.
void mark_recursive_shapes(shape_table& table);

/// Members that an object could have beyond those declared, in an order of their own; `count` of them or fewer. `taken`
/// is sorted, `values` the weights by shape.
std::vector<other_member> other_members(machine const& m, object_shape const& o, std::vector<std::string> const& taken,
                                        std::vector<weight> const& values, std::size_t count);
/// Which patterns a name matches.
std::vector<bool> label_of(object_shape const& o, std::string_view name);

}  // namespace grammar
}  // namespace wherry::inline v0
