#pragma once
// JSON Schema to shapes. A goal is a set of schemas that a value must all match; it becomes a disjunction of
// conjunctions of keywords, and each conjunction one alternative of the goal's shape. What cannot be said in a shape is
// refused by keyword and place. Where a part can only be said too narrowly it may be dropped: never the other way
// round.
//
// One class, by subject in normalise.cpp (goals), normalise_keywords.cpp, normalise_negation.cpp, normalise_proofs.cpp,
// normalise_values.cpp (constants, numbers), normalise_strings.cpp, normalise_arrays.cpp and normalise_objects.cpp.

#include "grammar/number_automaton.hpp"
#include "grammar/shape.hpp"
#include "schema/document.hpp"
#include "schema/evaluate.hpp"
#include "schema/format.hpp"
#include "schema/number.hpp"
#include "schema/pattern.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>
#include <deque>
#include <set>

namespace wherry::inline v0 {
namespace grammar {
namespace normal_form {

using schema::decimal;
using schema::draft;
using schema::place;
using schema::resource;

inline constexpr std::size_t shapes_max = 60'000;
inline constexpr std::size_t alternatives_max = 256;       // of one shape
inline constexpr std::size_t applied_max = 60'000;         // schemas looked at for one shape
inline constexpr std::size_t applied_all_max = 3'000'000;  // and for all of them
inline constexpr int in_place_max = 100;                   // schemas applied to one value inside each other
inline constexpr std::size_t name_patterns_max = 6;
inline constexpr std::size_t length_states_max = 3'000;
inline constexpr std::size_t object_rows_max = 200'000;

enum type_bit : unsigned {
  t_null = 1,
  t_boolean = 2,
  t_string = 4,
  t_number = 8,
  t_array = 16,
  t_object = 32,
  t_all = 63
};

struct atom {
  json const* schema = nullptr;
  resource const* in = nullptr;
  bool negated = false;
  friend auto operator<=>(atom const&, atom const&) = default;
};
using atoms = std::vector<atom>;
using position =
    std::vector<std::uint16_t>;  // where a schema stands among those applied to one value, in writing order

struct object_view {
  position at;
  std::vector<std::pair<std::string, atoms>> names;
  std::vector<std::pair<std::string, atom>> patterns;
  std::optional<atom> additional;
  bool is_silent = false;  ///< Comes from a negation: evaluates nothing.
};
struct array_view {
  position at;
  atoms prefix;
  std::optional<atom> rest;
  bool is_silent = false;
};
struct wanted_items {
  atom what;
  std::size_t min = 1, max = no_limit;
};
struct scope {
  position at;
  std::optional<atom> properties, items;
};
struct branch {
  atoms all;
  position at;
  bool is_silent = false;
};
struct choice_of {
  std::vector<branch> branches;
  bool exactly_one = false;
};

struct conjunction {
  unsigned types = t_all;
  bool is_integer = false;
  bool has_constants = false;
  std::vector<json const*> not_these;
  number_limits number;
  std::vector<decimal> steps, not_steps;
  std::size_t string_min = 0, string_max = no_limit;
  std::set<std::pair<std::string, bool>> patterns;  // negated: true
  std::vector<array_view> arrays;
  std::vector<wanted_items> contains;
  std::size_t items_min = 0, items_max = no_limit;
  bool is_unique = false;
  std::vector<object_view> objects;
  std::vector<std::pair<position, std::string>> required;
  std::size_t members_min = 0, members_max = no_limit;
  std::size_t others_min = 0;
  atoms member_names;
  std::vector<json const*> other_than;  ///< There must be a member with none of these names.
  std::vector<scope> scopes;
  std::vector<choice_of> choices;
};

struct pending_atom {
  atom what;
  position at;
  int depth = 0;
  bool is_silent = false;
};

class normaliser {
 public:
  normaliser(bounds const& limits, vocabulary::impl const& tokens, std::vector<std::string> const* raw_without)
      : bounds_(limits), tokens_(tokens), raw_without_(raw_without), table_(std::make_shared<shape_table>()) {}

  result<std::shared_ptr<shape_table>> run(raw_json const& text);

 private:
  // Failing. The first failure is the one that is told.
  bool refuse(std::string_view keyword, json const* where, std::string const& why,
              errc code = errc::schema_unsupported);
  // Only looked for when something is refused.
  std::string pointer_of(json const* where);
  static bool find_pointer(json const& at, json const* where, std::string const& path, std::string& found);
  // Where the goal that is being built comes from.
  json const* here() const { return current_.empty() ? root_.schema : current_.front().schema; }
  // A schema that no value matches is refused at the place that makes it so.
  void refuse_contradictions();
  bool no_value(std::string keyword, json const* where);
  // Schemas that stand in no document.
  atom made(json schema, resource const* in, json const* origin);
  shape_id goal(atoms const& wanted);
  // A schema that is nothing but a reference is what it refers to.
  atom through_references(atom a);
  static bool says_nothing(atom const& a) {
    return !a.negated && (*a.schema == json(true) || (a.schema->is_object() && a.schema->empty()));
  }
  void build(shape_id id);
  // Applies keywords until only choices are left, then follows each of their branches.
  void expand(conjunction c, std::vector<pending_atom> todo, std::vector<conjunction>& out);

  // Proofs that no value matches.
  // True only when no value matches both.
  bool are_disjoint(atoms a, atoms const& b);
  bool is_empty(atoms const& all, int depth);
  bool is_impossible(conjunction const& c, atoms const& all, int depth);
  static json const* part(json const& s, char const* keyword) {
    auto const it = s.find(keyword);
    return it == s.end() ? nullptr : &*it;
  }
  static position below(position at, std::uint16_t a, std::uint16_t b = 0) {
    at.push_back(a);
    at.push_back(b);
    return at;
  }
  enum : std::uint16_t { p_ref = 1, p_all, p_any, p_one, p_if, p_then, p_else, p_dependent, p_not };

  // Keywords of a schema become parts of a conjunction.
  bool apply(pending_atom const& p, conjunction& c, std::vector<pending_atom>& todo);
  bool dependents(pending_atom const& p, json const& s, resource const* in, conjunction& c);
  atom absent(std::string const& name, resource const* in, json const* origin);
  atom not_an_object(resource const* in, json const* origin);
  // A count; no_limit where it is absent, and a refusal where it is none.
  bool count(json const& s, char const* keyword, std::size_t& out, bool is_min);
  static std::optional<unsigned> bit_of(std::string_view type) {
    if (type == "null") return t_null;
    if (type == "boolean") return t_boolean;
    if (type == "string") return t_string;
    if (type == "number" || type == "integer") return t_number;
    if (type == "array") return t_array;
    if (type == "object") return t_object;
    return std::nullopt;
  }
  bool plain_keywords(json const& s, resource const* in, conjunction& c);
  // Patterns are looked at once, where their place is known.
  bool check_pattern(std::string const& pattern, char const* keyword, json const* where);
  bool number_keywords(json const& s, resource const* in, conjunction& c);
  bool object_keywords(pending_atom const& p, json const& s, resource const* in, conjunction& c);
  bool array_keywords(pending_atom const& p, json const& s, resource const* in, conjunction& c);

  // not. Each keyword can be violated; any violation will do.
  bool negate(pending_atom const& p, conjunction& c, std::vector<pending_atom>& todo);
  bool violations(json const& s, resource const* in, std::vector<atoms>& ways);

  // Conjunctions become alternatives of a shape.
  std::vector<json const*> constants_of(atoms const& all);
  // All constants in the schemas that apply to this value, whichever branch they stand in.
  void collect_constants(atoms const& all, std::vector<json const*>& out);
  // Of all branches at once: what a constant must match is the goal itself.
  void constants(shape& out);
  void finish(conjunction& c, shape& out);
  // The same alternative twice would be followed twice.
  void add(shape& out, literal_shape literals);
  void finish_number(conjunction& c, shape& out);
  void number(number_limits const& limits, shape& out);
  // Strings of all alternatives become one language.
  struct string_limits {
    std::set<std::pair<std::string, bool>> patterns;
    std::set<std::string> not_these;
    std::size_t min = 0, max = no_limit;
    bool is_plain() const { return patterns.empty() && not_these.empty(); }
    friend auto operator<=>(string_limits const&, string_limits const&) = default;
  };

  void finish_string(conjunction const& c);
  void finish_strings(shape& out);
  // A greatest length that all ways share is counted beside the language: in it there would be a state for each count.
  // Left where it is when there are finitely many texts, or when the shortest would not fit: it may not be the one with
  // the fewest characters.
  std::size_t take_out_greatest_length();
  std::shared_ptr<lazy_text> text_language(regex::spelling as);
  regex::node language_of(regex::arena& in, string_limits const& limits, regex::spelling as);
  template <class F>
  bool is_within(F const& base, std::size_t min, std::size_t max, regex::spelling as);

  void finish_array(conjunction& c, shape& out);
  static bool is_inside(position const& inner, position const& outer) {
    return inner.size() >= outer.size() && std::equal(outer.begin(), outer.end(), inner.begin());
  }
  void apply_item_scopes(conjunction& c);
  // uniqueItems.
  void distinct_items(atoms const& item, array_shape list, shape& out);
  bool distinct_values(std::vector<conjunction> const& ways, atoms const& item, std::vector<std::string>& texts);
  void distinct_texts(std::vector<conjunction> const& ways, atoms const& item, array_shape const& list, shape& out);
  // What is written with no bytes at all.
  shape_id nothing();

  atoms value_of(conjunction const& c, std::string const& name);
  bool pattern_matches(std::string const& pattern, std::string const& text);
  void apply_member_scopes(conjunction& c);
  void finish_object(conjunction& c, shape& out);
  // One of the members must have a name that is not among `known`.
  void with_another_member(json const& known, object_shape o, shape& out);
  static bool is_property(conjunction const& c, std::string const& name);
  // Members beyond the declared ones: which names they may have, and what values.
  bool others(conjunction const& c, object_shape& o);
  // The strings that schemas for names, or for texts of which none stands twice, allow together.
  std::optional<regex::node> name_language(atoms const& wanted, char const* keyword, regex::arena& in);

  bounds const bounds_;
  vocabulary::impl const& tokens_;
  std::vector<std::string> const* const raw_without_;
  schema::documents known_;
  place root_;
  std::shared_ptr<shape_table> table_;
  std::map<atoms, shape_id> goals_;
  std::vector<atoms> goal_of_;
  std::vector<shape_id> open_;
  atoms current_;
  std::size_t applied_ = 0, applied_all_ = 0;
  int probing_ = 0;
  std::size_t proof_steps_ = 0;
  bool probe_failed_ = false;
  std::map<atoms, bool> empty_;
  std::map<atom, std::vector<atoms>> negations_;
  std::map<shape_id, std::pair<std::string, json const*>> reasons_;
  shape_id building_ = 0;
  std::optional<shape_id> nothing_;
  std::deque<json> made_;
  std::map<json const*, json const*> origin_;
  std::set<std::string> good_patterns_;
  std::set<string_limits> strings_;  // of the shape that is being built
  std::map<std::pair<regex::spelling, std::set<string_limits>>, std::shared_ptr<lazy_text>> languages_;
  std::map<std::string, std::shared_ptr<text_automaton const>> numbers_;
  schema::pattern_cache matchers_;
  std::optional<error> failure_;
};

}  // namespace normal_form
}  // namespace grammar
}  // namespace wherry::inline v0
