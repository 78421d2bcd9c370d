// From the syntax tree to states. Parts that stand once are built in place, between two states of their unit; rules and
// repetitions become units of their own that are called.

#include "grammar/connected_components.hpp"
#include "grammar/expr_node.hpp"
#include "grammar/machine.hpp"

#include <algorithm>
#include <map>
#include <queue>
#include <tuple>

namespace wherry::inline v0 {
namespace grammar {
namespace {

constexpr std::size_t states_max = 2'000'000;
constexpr std::size_t expression_depth_max = 2'000;  // nesting of expressions in expressions
constexpr std::size_t unrolled_max = 64;             // repetitions of one byte up to this are built in place

error mistake(std::string message) {
  return {errc::invalid_argument, "cannot compile the grammar: " + std::move(message), "grammar.compile"};
}

class builder {
 public:
  explicit builder(vocabulary::impl const& tokens) : tokens_(tokens) {
    for (std::size_t byte = 0; byte < 256; ++byte)
      machine_.byte_weight[byte] = tokens.has_byte[byte] ? 1 : missing_byte;
    machine_.depth_max = no_depth;
  }

  result<machine> build(expr const& expression) {
    std::uint32_t const whole = add_unit();
    state_id const from = add_state(whole), to = add_state(whole);
    draft_[to].accepts = true;
    machine_.start = from;
    emit(expression, from, to);
    while (!pending_.empty() && ok()) {
      auto const next = pending_.front();
      pending_.pop();
      scope_ = next.within;
      emit(next.body, next.from, next.to);
    }
    if (!ok()) return *failure_;
    if (machine_.depth_max == no_depth) machine_.depth_max = 0;
    flatten();
    mark_recursion();
    weigh(machine_);
    if (consumes_nothing_somewhere()) {
      return mistake(
          "a repetition or a recursion would consume nothing; a repeated part must not match the empty text "
          "and a rule must not begin with itself");
    }
    return std::move(machine_);
  }

 private:
  static constexpr std::size_t no_depth = static_cast<std::size_t>(-1);

  struct scope {
    define_node const* definition;
    scope* outer;
    std::map<std::string, state_id, std::less<>> entered;
  };
  struct draft_state {
    std::vector<edge> edges;
    std::uint32_t unit;
    bool accepts = false;
  };
  struct pending {
    expr body;
    state_id from, to;
    scope* within;
  };

  bool ok() const { return !failure_; }
  void fail(error e) {
    if (ok()) failure_ = std::move(e);
  }

  std::uint32_t add_unit() {
    machine_.units.emplace_back();
    return static_cast<std::uint32_t>(machine_.units.size() - 1);
  }
  state_id add_state(std::uint32_t unit) {
    if (draft_.size() == states_max) {
      fail({errc::limit_reached,
            "cannot compile the grammar: it needs more than " + std::to_string(states_max) +
                " states; use a smaller schema or smaller bounds",
            "grammar.compile"});
    }
    if (!ok() && !draft_.empty()) return 0;
    draft_.push_back({{}, unit});
    return static_cast<state_id>(draft_.size() - 1);
  }
  void connect(state_id from, edge e) { draft_[from].edges.push_back(e); }
  void on_bytes(state_id from, std::uint8_t first, std::uint8_t last, state_id to) {
    connect(from, {.kind = edge_kind::bytes, .first = first, .last = last, .target = to});
  }
  void jump(state_id from, state_id to) { connect(from, {.kind = edge_kind::jump, .target = to}); }
  void call(state_id from, state_id callee, state_id to, bool counted = false) {
    connect(from, {.kind = edge_kind::call, .counted = counted, .target = to, .operand = callee});
  }
  state_id sibling(state_id of) { return add_state(draft_[of].unit); }

  void emit(expr const& e, state_id from, state_id to) {
    if (!ok()) return;
    if (++nesting_ > expression_depth_max) fail(mistake("expressions are nested deeper than 2,000"));
    if (ok()) std::visit([&](auto const& node) { emit_node(node, from, to); }, e.get().value);
    --nesting_;
  }

  void emit_node(literal_node const& n, state_id from, state_id to) { emit_literal(n.bytes, from, to); }
  void emit_literal(std::string_view bytes, state_id from, state_id to) {
    if (bytes.empty()) return jump(from, to);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      state_id const next = i + 1 == bytes.size() ? to : sibling(from);
      auto const byte = static_cast<std::uint8_t>(bytes[i]);
      on_bytes(from, byte, byte, next);
      from = next;
    }
  }
  void emit_node(token_node const& n, state_id from, state_id to) {
    if (n.id < 0 || static_cast<std::size_t>(n.id) >= tokens_.bytes.size()) {
      return fail(mistake("token id " + std::to_string(n.id) + " is not in the vocabulary"));
    }
    if (!tokens_.is_control[static_cast<std::size_t>(n.id)]) {
      return fail(mistake("token id " + std::to_string(n.id) + " is not a control token; spell text with literal()"));
    }
    connect(from, {.kind = edge_kind::token, .target = to, .operand = static_cast<std::uint32_t>(n.id)});
  }
  void emit_node(bytes_node const& n, state_id from, state_id to) {
    for (auto const& range : n.ranges) {
      if (range.first > range.last) return fail(mistake("a byte range ends before it begins"));
      on_bytes(from, range.first, range.last, to);
    }
  }
  void emit_node(sequence_node const& n, state_id from, state_id to) {
    if (n.parts.empty()) return jump(from, to);
    for (std::size_t i = 0; i < n.parts.size(); ++i) {
      state_id const next = i + 1 == n.parts.size() ? to : sibling(from);
      emit(n.parts[i], from, next);
      from = next;
    }
  }
  // Literals share their common beginnings, so that a long enum is one path at a time and not one thread for each
  // value.
  void emit_node(choice_node const& n, state_id from, state_id to) {
    if (n.alternatives.empty()) return fail(mistake("a choice has no alternatives"));
    std::map<std::pair<state_id, std::uint8_t>, state_id> shared;
    for (auto const& alternative : n.alternatives) {
      auto const* literal = std::get_if<literal_node>(&alternative.get().value);
      if (literal == nullptr || literal->bytes.empty()) {
        emit(alternative, from, to);
        continue;
      }
      state_id at = from;
      for (std::size_t i = 0; i + 1 < literal->bytes.size(); ++i) {
        auto const byte = static_cast<std::uint8_t>(literal->bytes[i]);
        auto const [it, is_new] = shared.try_emplace({at, byte}, 0);
        if (is_new) {
          it->second = sibling(from);
          on_bytes(at, byte, byte, it->second);
        }
        at = it->second;
      }
      auto const last = static_cast<std::uint8_t>(literal->bytes.back());
      on_bytes(at, last, last, to);
    }
  }
  void emit_node(repeat_node const& n, state_id from, state_id to) {
    if (n.min > n.max) return fail(mistake("a repetition's minimum is above its maximum"));
    if (n.max == 0) return jump(from, to);
    if (n.min == 0 && n.max == 1) {
      jump(from, to);
      return emit(n.part, from, to);
    }
    if (n.min == 1 && n.max == 1) return emit(n.part, from, to);
    if (n.max <= unrolled_max && std::holds_alternative<bytes_node>(n.part.get().value)) return unroll(n, from, to);
    std::uint32_t const body = add_unit();
    state_id const body_from = add_state(body), body_to = add_state(body);
    std::uint32_t const rounds = add_unit();
    state_id const hub = add_state(rounds);
    if (!ok()) return;
    draft_[body_to].accepts = draft_[hub].accepts = true;
    machine_.units[rounds].min = n.min;
    machine_.units[rounds].max = n.max;
    machine_.units[rounds].round = body_from;
    call(hub, body_from, hub, true);
    call(from, hub, to);
    emit(n.part, body_from, body_to);
  }
  void unroll(repeat_node const& n, state_id from, state_id to) {
    for (std::size_t i = 0; i < n.max; ++i) {
      if (i >= n.min) jump(from, to);
      state_id const next = i + 1 == n.max ? to : sibling(from);
      emit(n.part, from, next);
      from = next;
    }
  }

  void emit_node(rule_node const& n, state_id from, state_id to) {
    for (scope* in = scope_; in != nullptr; in = in->outer) {
      auto const& rules = in->definition->rules;
      auto const found = std::find_if(rules.begin(), rules.end(), [&](auto const& r) { return r.first == n.name; });
      if (found == rules.end()) continue;
      return call(from, entry_of(*in, *found), to);
    }
    fail(mistake("there is no rule named \"" + n.name + "\" here"));
  }
  state_id entry_of(scope& in, std::pair<std::string, expr> const& definition) {
    auto const [it, is_new] = in.entered.try_emplace(definition.first, 0);
    if (is_new) {
      std::uint32_t const u = add_unit();
      machine_.units[u].named = true;
      it->second = add_state(u);
      state_id const end = add_state(u);
      if (!ok()) return 0;
      draft_[end].accepts = true;
      pending_.push({definition.second, it->second, end, &in});
    }
    return it->second;
  }
  void emit_node(define_node const& n, state_id from, state_id to) {
    scopes_.push_back({&n, scope_, {}});
    auto* const outer = std::exchange(scope_, &scopes_.back());
    machine_.depth_max = std::min(machine_.depth_max, n.depth);
    emit(n.body, from, to);
    scope_ = outer;
  }
  void emit_node(schema_node const& n, state_id from, state_id to) {
    auto compiled = compile_schema(n.schema, n.limits);
    if (!compiled) return fail(compiled.error());
    kept_.push_back(*compiled);  // scopes point into it
    emit(kept_.back(), from, to);
  }

  void emit_node(shared_node const& n, state_id from, state_id to) {
    auto const [it, is_new] = shared_.try_emplace({&n.part.get(), scope_}, 0);
    if (is_new) {
      std::uint32_t const u = add_unit();
      state_id const entry = it->second = add_state(u), end = add_state(u);
      if (!ok()) return;
      draft_[end].accepts = true;
      emit(n.part, entry, end);
    }
    call(from, shared_[{&n.part.get(), scope_}], to);
  }

  // Text.
  state_id add_text(text_unit text) {
    auto const known = std::find_if(machine_.texts.begin(), machine_.texts.end(), [&](text_unit const& t) {
      return t.automaton == text.automaton && t.min == text.min && t.max == text.max && t.bytes_max == text.bytes_max &&
             t.is_name == text.is_name;
    });
    if (known != machine_.texts.end()) return known->first_state;
    weigh_text(text);
    text.first_state = machine::text_states + static_cast<state_id>(machine_.text_of_state.size());
    machine_.text_of_state.insert(machine_.text_of_state.end(), text.automaton->size(),
                                  static_cast<std::uint16_t>(machine_.texts.size()));
    machine_.texts.push_back(std::move(text));
    return machine_.texts.back().first_state;
  }
  // The shortest way from inside a character to its end, for each state, by relaxation backwards.
  void weigh_text(text_unit& text) const {
    auto const& automaton = *text.automaton;
    auto const& byte_weight = machine_.byte_weight;
    text.finish.resize(automaton.size());
    text.finish_weight.assign(automaton.size(), impossible);
    for (std::size_t s = 0; s < automaton.size(); ++s) {
      if (automaton.is_border(static_cast<text_automaton::state>(s))) text.finish_weight[s] = 0;
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t s = 0; s < automaton.size(); ++s) {
        if (automaton.is_border(static_cast<text_automaton::state>(s))) continue;
        for (unsigned byte = 0; byte < 256; ++byte) {
          auto const to = automaton.next(static_cast<text_automaton::state>(s), static_cast<std::uint8_t>(byte));
          if (to >= automaton.size()) continue;
          weight const through = plus(text.finish_weight[to], byte_weight[byte]);
          if (through >= text.finish_weight[s]) continue;
          text.finish_weight[s] = through;
          text.finish[s] = static_cast<char>(byte) + text.finish[to];
          changed = true;
        }
      }
    }
    text.possible.resize(automaton.size());
    for (std::size_t s = 0; s < automaton.size(); ++s) {
      for (unsigned byte = 0; byte < 256; ++byte) {
        text.possible[s][byte] = automaton.next(static_cast<text_automaton::state>(s),
                                                static_cast<std::uint8_t>(byte)) != text_automaton::refused;
      }
    }
    text.quote_weight = automaton.has_quote() ? byte_weight['"'] : 0;
    for (unsigned i = 0; i < 256; ++i) {
      auto const byte = static_cast<std::uint8_t>('a' + i);  // letters first
      if (automaton.next(text_automaton::start, byte) != text_automaton::start) continue;
      if (byte_weight[byte] < byte_weight[text.filler]) text.filler = byte;
    }
    text.filler_weight = byte_weight[text.filler];
  }
  void emit_node(string_node const& n, state_id from, state_id to) {
    state_id const inside = sibling(from);
    on_bytes(from, '"', '"', inside);
    call(inside,
         add_text({.automaton = &text_automaton::json_string(),
                   .summaries = &tokens_.json_string_summaries,
                   .min = n.min,
                   .max = n.max,
                   .bytes_max = n.bytes_max}),
         to);
  }
  void emit_node(text_node const& n, state_id from, state_id to) {
    constexpr std::size_t forbidden_bytes_max = 4'096;
    std::size_t forbidden_bytes = 0;
    for (auto const& word : n.options.without) {
      if (word.empty()) return fail(mistake("free text cannot be without the empty string"));
      forbidden_bytes += word.size();
    }
    if (forbidden_bytes > forbidden_bytes_max)
      return fail(mistake("free text forbids more than 4,096 bytes of strings"));
    machine_.own_automata.push_back(text_automaton::free_text(n.options.without));
    machine_.own_summaries.emplace_back();
    call(from,
         add_text({.automaton = &machine_.own_automata.back(),
                   .summaries = &machine_.own_summaries.back(),
                   .max = n.options.bytes_max,
                   .bytes_max = n.options.bytes_max}),
         to);
  }

  // A number between two decimal texts: first its sign, then its magnitude between two magnitudes.
  struct magnitude {
    std::string whole, fraction;
  };
  static magnitude magnitude_of(std::string_view number) {
    if (number.starts_with('-')) number.remove_prefix(1);
    std::size_t const point = std::min(number.find('.'), number.size());
    std::string fraction(number.substr(std::min(point + 1, number.size())));
    fraction.erase(fraction.find_last_not_of('0') + 1);
    return {std::string(number.substr(0, point)), fraction};
  }
  void emit_node(range_node const& n, state_id from, state_id to) {
    bool const first_negative = n.first.starts_with('-'), last_negative = n.last.starts_with('-');
    magnitude const first = magnitude_of(n.first), last = magnitude_of(n.last);
    if (!last_negative) emit_magnitudes(first_negative ? magnitude{"0", ""} : first, last, n.fraction_digits, from, to);
    if (first_negative) {
      state_id const minus = sibling(from);
      on_bytes(from, '-', '-', minus);
      magnitude const least{n.fraction_digits == 0 ? "1" : "0", ""};
      emit_magnitudes(last_negative ? last : least, first, n.fraction_digits, minus, to);
    }
  }
  // How digits so far compare with the beginning of a limit, after one more digit.
  static int compared(int so_far, std::string_view limit, std::size_t at, char digit) {
    if (so_far != 0) return so_far;
    char const other = at < limit.size() ? limit[at] : '0';
    return (digit > other) - (digit < other);
  }
  // A place is how many digits stand there and how they compare with the beginnings of the two limits; that decides
  // everything that may follow.
  void emit_magnitudes(magnitude const& low, magnitude const& high, std::size_t fraction_digits, state_id from,
                       state_id to) {
    using place = std::tuple<std::size_t, int, int>;
    auto const against = [](std::size_t digits, int prefix, std::string const& limit) {
      return digits == limit.size() ? prefix : digits < limit.size() ? -1 : 1;
    };
    std::map<place, state_id> known{{{0, 0, 0}, from}};
    std::vector<place> open{{0, 0, 0}};
    while (!open.empty() && ok()) {
      auto const [digits, to_low, to_high] = open.back();
      state_id const here = known[open.back()];
      open.pop_back();
      int const below = against(digits, to_low, low.whole), above = against(digits, to_high, high.whole);
      if (digits > 0 && below >= 0 && above <= 0) emit_fraction(low, high, below, above, fraction_digits, here, to);
      if (digits == high.whole.size()) continue;
      for (char digit = digits == 0 ? '1' : '0'; digit <= '9'; ++digit) {
        place const next{digits + 1, digits < low.whole.size() ? compared(to_low, low.whole, digits, digit) : to_low,
                         compared(to_high, high.whole, digits, digit)};
        auto const [it, is_new] = known.try_emplace(next, 0);
        if (is_new) {
          it->second = sibling(from);
          open.push_back(next);
        }
        on_bytes(here, static_cast<std::uint8_t>(digit), static_cast<std::uint8_t>(digit), it->second);
      }
    }
    if (low.whole != "0") return;
    state_id const zero = sibling(from);
    on_bytes(from, '0', '0', zero);
    emit_fraction(low, high, 0, high.whole == "0" ? 0 : -1, fraction_digits, zero, to);
  }
  // The end of a number whose whole part is at the low limit (to_low 0) or above it, and likewise for the high one.
  void emit_fraction(magnitude const& low, magnitude const& high, int to_low, int to_high, std::size_t digits_max,
                     state_id from, state_id to) {
    using place = std::pair<int, int>;
    std::map<place, state_id> row{{{to_low, to_high}, from}};
    for (std::size_t digits = 0; ok(); ++digits) {
      std::map<place, state_id> next_row;
      for (auto const& [at, here] : row) {
        bool const reaches_low = at.first > 0 || digits >= low.fraction.size();
        if (reaches_low) jump(here, to);
        if (digits == digits_max) continue;
        state_id before_digit = here;
        if (digits == 0) on_bytes(here, '.', '.', before_digit = sibling(from));
        for (char digit = '0'; digit <= '9'; ++digit) {
          place const next{compared(at.first, low.fraction, digits, digit),
                           compared(at.second, high.fraction, digits, digit)};
          if (next.first < 0 || next.second > 0) continue;
          auto const [it, is_new] = next_row.try_emplace(next, 0);
          if (is_new) it->second = sibling(from);
          on_bytes(before_digit, static_cast<std::uint8_t>(digit), static_cast<std::uint8_t>(digit), it->second);
        }
      }
      if (digits == digits_max) return;
      row = std::move(next_row);
    }
  }

  // Two rows of states: before and after the first member that is present, so that commas stand between members only.
  void emit_node(object_node const& n, state_id from, state_id to) {
    state_id none_yet = sibling(from), some = sibling(from);
    on_bytes(from, '{', '{', none_yet);
    for (auto const& member : n.members) {
      state_id const value = sibling(from), next_none = sibling(from), next_some = sibling(from);
      emit_literal(member.name + ":", none_yet, value);
      emit_literal("," + member.name + ":", some, value);
      emit(member.value, value, next_some);
      if (!ok()) return;
      if (!member.required) {
        jump(none_yet, next_none);
        jump(some, next_some);
      }
      none_yet = next_none;
      some = next_some;
    }
    // A name of n letters can always be made new by adding one for each name taken, if so many bytes are allowed.
    std::size_t const names = n.members.size() + n.excluded.size();
    std::size_t const others_max = std::min(n.others_max, n.name_bytes_max - std::min(n.name_bytes_max, names));
    if (n.others && others_max > 0) {
      auto const [others_none, others_some] = emit_others(n, others_max);
      state_id const end = sibling(from);
      call(none_yet, others_none, end);
      call(some, others_some, end);
      on_bytes(end, '}', '}', to);
    } else {
      on_bytes(none_yet, '}', '}', to);
      on_bytes(some, '}', '}', to);
    }
  }
  std::pair<state_id, state_id> emit_others(object_node const& n, std::size_t others_max) {
    std::uint32_t const u = add_unit();
    machine_.collects_names = true;
    machine_.units[u].max = others_max;
    auto const inner = [](std::string const& quoted) { return quoted.substr(1, quoted.size() - 2); };
    for (auto const& member : n.members) machine_.units[u].names.push_back(inner(member.name));
    for (auto const& name : n.excluded) machine_.units[u].names.push_back(inner(name));
    std::sort(machine_.units[u].names.begin(), machine_.units[u].names.end());
    state_id const none = add_state(u), some = add_state(u), name = add_state(u), inside = add_state(u),
                   colon = add_state(u), value = add_state(u);
    if (!ok()) return {none, some};
    draft_[none].accepts = draft_[some].accepts = true;
    connect(none, {.kind = edge_kind::jump, .counted = true, .target = name});
    connect(some, {.kind = edge_kind::bytes, .first = ',', .last = ',', .counted = true, .target = name});
    on_bytes(name, '"', '"', inside);
    call(inside,
         add_text({.automaton = &text_automaton::json_name(),
                   .summaries = &tokens_.json_name_summaries,
                   .max = n.name_bytes_max,
                   .bytes_max = n.name_bytes_max,
                   .is_name = true}),
         colon);
    on_bytes(colon, ':', ':', value);
    emit(*n.others, value, some);
    return {none, some};
  }

  void flatten() {
    machine_.states.reserve(draft_.size());
    for (auto const& d : draft_) {
      bool const consumes = std::any_of(d.edges.begin(), d.edges.end(), [](edge const& e) {
        return e.kind == edge_kind::bytes || e.kind == edge_kind::token;
      });
      machine_.states.push_back({static_cast<std::uint32_t>(machine_.edges.size()),
                                 static_cast<std::uint32_t>(d.edges.size()), d.unit, d.accepts, consumes});
      machine_.edges.insert(machine_.edges.end(), d.edges.begin(), d.edges.end());
    }
  }

  // A call deepens a recursion when the rule called can lead back to the caller.
  void mark_recursion() {
    std::size_t const count = machine_.units.size();
    std::vector<std::vector<std::uint32_t>> callees(count);
    for_each_unit_call(
        [&](std::uint32_t caller, edge& e) { callees[caller].push_back(machine_.states[e.operand].unit); });
    auto const component = connected_components(callees);
    for_each_unit_call([&](std::uint32_t caller, edge& e) {
      std::uint32_t const callee = machine_.states[e.operand].unit;
      e.deepens = machine_.units[callee].named && component[caller] == component[callee];
    });
  }
  template <class F>
  void for_each_unit_call(F const& f) {
    for (state const& s : machine_.states) {
      for (std::uint32_t i = 0; i < s.edge_count; ++i) {
        edge& e = machine_.edges[s.first_edge + i];
        if (e.kind == edge_kind::call && !machine::is_text(e.operand)) f(s.unit, e);
      }
    }
  }
  // True when some state can come back to itself without a byte: threads would multiply without end.
  bool consumes_nothing_somewhere() {
    std::vector<std::vector<std::uint32_t>> next(machine_.states.size());
    auto const can_be_empty = [&](state_id callee) {
      return machine_.entry_weight(callee, machine_.way_out.size() - 1) == 0;
    };
    for (std::uint32_t s = 0; s < next.size(); ++s) {
      for (edge const& e : machine_.edges_of(s)) {
        if (e.kind == edge_kind::jump) next[s].push_back(e.target);
        if (e.kind != edge_kind::call) continue;
        if (!machine::is_text(e.operand)) next[s].push_back(e.operand);
        if (can_be_empty(e.operand)) next[s].push_back(e.target);
      }
    }
    auto const component = connected_components(next);
    std::vector<std::uint32_t> members(next.size(), 0);
    for (std::uint32_t s = 0; s < next.size(); ++s) {
      if (++members[component[s]] > 1 || std::find(next[s].begin(), next[s].end(), s) != next[s].end()) return true;
    }
    return false;
  }

  vocabulary::impl const& tokens_;
  machine machine_;
  std::vector<draft_state> draft_;
  std::deque<scope> scopes_;
  std::deque<expr> kept_;
  std::map<std::pair<expr::node const*, scope*>, state_id> shared_;
  std::queue<pending> pending_;
  scope* scope_ = nullptr;
  std::optional<error> failure_;
  std::size_t nesting_ = 0;
};

}  // namespace

result<machine> build_machine(expr const& expression, vocabulary::impl const& tokens) {
  return builder(tokens).build(expression);
}

}  // namespace grammar
}  // namespace wherry::inline v0
