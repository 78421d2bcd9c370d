#pragma once
// What a JSON Schema allows, in a normal form: for every place in a document a shape, which is a list of alternatives,
// each of one JSON type. allOf, $ref, not, if and oneOf are gone; shapes refer to each other by number. States are made
// from shapes when a generation first gets there.

#include <wherry/llm/grammar.hpp>

#include "grammar/token_trie.hpp"

#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <variant>

namespace wherry::inline v0 {
namespace grammar {

using shape_id = std::uint32_t;
inline constexpr std::size_t no_limit = static_cast<std::size_t>(-1);

/// What is written, element by element: a byte, or 256 plus the id of a control token.
using spelling = std::vector<std::uint32_t>;
inline constexpr std::uint32_t control_element = 256;

/// A regular language inside text, with what its states know about a vocabulary. Made once, shared by equal patterns.
struct lazy_text {
  explicit lazy_text(std::shared_ptr<regex::arena> in, regex::node language) : automaton(std::move(in), language) {}
  regex::automaton automaton;
  using summaries_by_state = std::unordered_map<regex::automaton::state, std::unique_ptr<text_summary const>>;
  summaries_by_state summaries;
  summaries_by_state counted_summaries;  ///< Where characters are counted.
  std::unordered_map<regex::automaton::state, std::string> completions;
  /// The shortest rest of a text from a state on.
  std::string const& completion(regex::automaton::state at, std::array<bool, 256> const& has_byte);
  /// Rests of a text from a state on, the shortest first, until one is wanted or too many were looked at.
  template <class F>
  bool find(regex::automaton::state from, std::array<bool, 256> const& has_byte, F const& is_wanted) {
    struct word {
      std::size_t length;  // with what it still needs
      regex::automaton::state at;
      std::string text;
      bool operator<(word const& other) const {
        // among equals the longer text: it is nearer to its end
        return length != other.length ? length > other.length : text.size() < other.text.size();
      }
    };
    constexpr std::size_t looked_at_max = 20'000;
    std::priority_queue<word> open;
    open.push({completion(from, has_byte).size(), from, {}});
    for (std::size_t looked_at = 0; !open.empty() && looked_at < looked_at_max; ++looked_at) {
      word const next = open.top();
      open.pop();
      if (automaton.accepts(next.at) && is_wanted(next.text)) return true;
      for (unsigned n = 0; n < 256; ++n) {
        auto const byte = static_cast<std::uint8_t>('a' + n);  // letters first
        auto const to = automaton.next(next.at, byte);
        if (to == regex::automaton::dead || open.size() > looked_at_max) continue;
        std::string text = next.text + static_cast<char>(byte);
        std::size_t const length = text.size() + completion(to, has_byte).size();
        open.push({length, to, std::move(text)});
      }
    }
    return false;
  }
};

/// Texts that are given: constants, as JSON.
struct literal_shape {
  std::vector<std::string> texts;
  std::vector<spelling> written;  ///< Instead of texts, in another notation.
};
/// A string of min to max code points, or one whose inside (as JSON writes it) is in a language and has at most `max`.
struct string_shape {
  std::size_t min = 0;
  std::size_t max = 0;
  std::size_t bytes_max = 0;
  std::shared_ptr<lazy_text> language;
  std::shared_ptr<lazy_text> raw_language;  ///< The same as it is; only where a notation has raw texts.
};
/// Raw text between marks, within the limits of a string.
struct raw_shape {
  spelling before, behind;
  string_shape text;
  std::shared_ptr<free_text_unit const> unit;  ///< Used where the text has no language.
};
/// A value between marks.
struct framed_shape {
  spelling before, behind;
  shape_id value = 0;
};
struct number_shape {
  std::shared_ptr<text_automaton const> automaton;
  summary_cache const* summaries = nullptr;  ///< The vocabulary's, for the usual numbers; else the machine keeps them.
};
struct array_shape {
  std::vector<shape_id> prefix;
  std::optional<shape_id> rest;
  std::size_t min = 0;
  std::size_t max = 0;
  /// Items that must also be something: by position as above, with what counts and what does not.
  struct wanted {
    std::vector<shape_id> counted, other;  ///< By position; the last holds from there on.
    std::size_t min = 1;
    std::size_t max = no_limit;
  };
  std::optional<wanted> contains;
  /// The items are some of these, none of them twice; at most `distinct_max`, and nothing else is said of them.
  std::optional<literal_shape> distinct;
  static constexpr std::size_t distinct_max = 32;
};
struct object_shape {
  struct member {
    std::string name;  ///< A JSON string with its quotes.
    bool required = false;
    shape_id value = 0;
    spelling written = {};  ///< Instead of the name and its colon, in another notation.
  };
  std::vector<member> members;        ///< In the order in which they are written.
  std::vector<std::string> excluded;  ///< Names that may not appear, without quotes, as JSON writes them.
  bool is_open = false;               ///< Other members may follow.
  bool any_order = false;             ///< The members may stand in another order.
  bool is_list = false;               ///< No object: a list of texts, none of them twice. They stand as names without
                                      ///< colon and value.
  std::shared_ptr<lazy_text> names;   ///< Which names they may have; any where null.
  std::vector<std::shared_ptr<lazy_text>> patterns;
  std::map<std::vector<bool>, shape_id> values;  ///< The value of another member, by the patterns its name matches.
  std::size_t min = 0;
  std::size_t max = no_limit;
  std::size_t others_min = 0;
  std::size_t others_max = 0;
  std::size_t name_bytes_max = 0;
  spelling open = {'{'}, between = {','}, close = {'}'};

  static spelling key(member const& m) {
    if (!m.written.empty()) return m.written;
    spelling out;
    for (char const c : m.name) out.push_back(static_cast<std::uint8_t>(c));
    out.push_back(':');
    return out;
  }
};
using alternative =
    std::variant<literal_shape, string_shape, number_shape, array_shape, object_shape, raw_shape, framed_shape>;

struct shape {
  std::vector<alternative> alternatives;
  bool is_recursive = false;
  std::uint32_t component = 0;
};

struct shape_table {
  std::vector<shape> shapes;
  shape_id root = 0;
};

/// The normal form of a schema. `raw_without`: raw languages of strings are wanted, without these byte strings.
/// Fails like grammar::compile.
result<std::shared_ptr<shape_table>> normalise_schema(raw_json const& schema, bounds const& limits,
                                                      vocabulary::impl const& tokens,
                                                      std::vector<std::string> const* raw_without = nullptr);

/// A notation's marks as they are spelled.
struct spelled_notation {
  struct marks {
    spelling before, behind;
  };
  struct arguments {
    spelling between, before_name;
    std::string names;
    marks value;
    std::optional<marks> text;
  };
  std::string true_text, false_text, null_text;
  std::optional<marks> texts;
  std::optional<arguments> outermost;

  /// What raw texts cannot hold.
  std::vector<std::string> raw_without() const;
};
/// Rewrites shapes so that their values are written in a notation.
/// Fails with: errc::schema_unsupported where no value of the schema can be.
result<void> write_shapes(shape_table& table, spelled_notation const& how, vocabulary::impl const& tokens);

/// Calls `visit` for every shape an alternative refers to.
template <class F>
void each_reference(alternative const& a, F const& visit) {
  if (auto const* array = std::get_if<array_shape>(&a)) {
    for (shape_id const id : array->prefix) visit(id);
    if (array->rest) visit(*array->rest);
    if (array->contains) {
      for (shape_id const id : array->contains->counted) visit(id);
      for (shape_id const id : array->contains->other) visit(id);
    }
  } else if (auto const* object = std::get_if<object_shape>(&a)) {
    for (auto const& member : object->members) visit(member.value);
    for (auto const& [unused, id] : object->values) visit(id);
  } else if (auto const* framed = std::get_if<framed_shape>(&a)) {
    visit(framed->value);
  }
}

}  // namespace grammar
}  // namespace wherry::inline v0
