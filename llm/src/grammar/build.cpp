// From the syntax tree to states. Parts that stand once are built in place, between two states of their unit; rules and
// repetitions become units of their own that are called.

#include "grammar/connected_components.hpp"
#include "grammar/expr_node.hpp"
#include "grammar/machine.hpp"
#include "grammar/substring_automaton.hpp"
#include "schema/pattern.hpp"

#include <wherry/core/json.hpp>
#include <wherry/core/text.hpp>

#include <algorithm>
#include <map>
#include <queue>
#include <tuple>

namespace wherry::inline v0 {
namespace grammar {
namespace {

constexpr std::size_t expression_depth_max = 2'000;  // nesting of expressions in expressions
constexpr std::size_t span_context_bytes_max = 64 * 1'024;
constexpr std::size_t unrolled_max = 64;  // repetitions of one byte up to this are built in place

error mistake(std::string message) {
  return {errc::invalid_argument, "cannot compile the grammar: " + std::move(message), "grammar.compile"};
}

class builder {
 public:
  explicit builder(vocabulary::impl const& tokens) : tokens_(tokens) {
    for (std::size_t byte = 0; byte < 256; ++byte)
      machine_.byte_weight[byte] = tokens.has_byte[byte] ? 1 : missing_byte;
    machine_.depth_max = no_depth;
    machine_.has_byte = tokens.has_byte;
    machine_.has_all_bytes = std::find(tokens.has_byte.begin(), tokens.has_byte.end(), false) == tokens.has_byte.end();
    machine_.tokens = &tokens;
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
    std::uint32_t stub = 0;
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
  bool check_token(token_id id) {
    if (id < 0 || static_cast<std::size_t>(id) >= tokens_.bytes.size())
      fail(mistake("token id " + std::to_string(id) + " is not in the vocabulary"));
    else if (!tokens_.is_control[static_cast<std::size_t>(id)])
      fail(mistake("token id " + std::to_string(id) + " is not a control token; spell text with literal()"));
    return ok();
  }
  void emit_node(token_node const& n, state_id from, state_id to) {
    if (!check_token(n.id)) return;
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
    std::optional<spelled_notation> how;
    std::vector<std::string> raw_without;
    if (n.written) {
      how = spelled(*n.written);
      raw_without = how->raw_without();
    }
    auto shapes = normalise_schema(n.schema, n.limits, tokens_, how ? &raw_without : nullptr);
    if (!shapes) return fail(shapes.error());
    if (how) {
      if (auto written = write_shapes(**shapes, *how, tokens_); !written) return fail(std::move(written).error());
    }
    mark_recursive_shapes(**shapes);
    machine_.depth_max = std::min(machine_.depth_max, n.limits.depth);
    schema_part part{*shapes, std::vector<state_id>((*shapes)->shapes.size(), schema_part::no_entry), {}};
    state_id const entry = part.entries[(*shapes)->root] = add_state(add_unit());
    if (!ok()) return;
    machine_.stubs.push_back({.part = static_cast<std::uint32_t>(machine_.parts.size()), .of = (*shapes)->root});
    draft_[entry].stub = static_cast<std::uint32_t>(machine_.stubs.size());
    machine_.parts.push_back(std::move(part));
    call(from, entry, to);
  }
  // The marks of a notation.
  void spell(expr const& e, spelling& out) {
    auto const& node = e.get().value;
    if (auto const* literal = std::get_if<literal_node>(&node)) {
      for (char const c : literal->bytes) out.push_back(static_cast<std::uint8_t>(c));
    } else if (auto const* token = std::get_if<token_node>(&node)) {
      if (check_token(token->id)) out.push_back(control_element + static_cast<std::uint32_t>(token->id));
    } else if (auto const* parts = std::get_if<sequence_node>(&node)) {
      for (auto const& part : parts->parts) spell(part, out);
    } else {
      fail(mistake("a mark of a notation is a sequence of literals and tokens"));
    }
  }
  spelling spelled(expr const& e) {
    spelling out;
    spell(e, out);
    return out;
  }
  spelled_notation spelled(notation const& n) {
    auto const marks = [&](notation::marks const& m) {
      return spelled_notation::marks{spelled(m.before), spelled(m.behind)};
    };
    spelled_notation out{n.true_text, n.false_text, n.null_text, {}, {}};
    if (n.texts) out.texts = marks(*n.texts);
    if (n.outermost) {
      auto const& a = *n.outermost;
      out.outermost = {spelled(a.between), spelled(a.before_name), a.names, marks(a.value), {}};
      if (a.text) out.outermost->text = marks(*a.text);
    }
    return out;
  }
  void emit_node(regex_node const& n, state_id from, state_id to) {
    auto in = std::make_shared<regex::arena>();
    auto const language = regex::parse_pattern(*in, n.pattern, regex::spelling::utf8);
    if (!language)
      return fail(
          error(language.error().code,
                "cannot compile the grammar: the pattern " + to_text(json(n.pattern)) + " " + language.error().message,
                "grammar.compile"));
    call_language(std::move(in), *language, from, to);
  }
  void call_language(std::shared_ptr<regex::arena> in, regex::node language, state_id from, state_id to) {
    machine_.own_languages.push_back(std::make_unique<lazy_text>(std::move(in), language));
    auto* const text = machine_.own_languages.back().get();
    if (text->automaton.is_exhausted())
      return fail(
          {errc::limit_reached, "cannot compile the grammar: a pattern needs too many states", "grammar.compile"});
    if (text->automaton.start() == regex::automaton::dead) return;  // leads nowhere
    call(from, machine_.add_text({.language = text}), to);
  }
  // One unit: its states are those of the automaton and what lies inside characters; its counter counts characters.
  void emit_node(span_node const& n, state_id from, state_id to) {
    if (n.context.empty() || n.context.size() > span_context_bytes_max)
      return fail(mistake("the context of a span is empty or larger than 64 KiB"));
    if (utf8_error_at(n.context) < n.context.size()) return fail(mistake("the context of a span is not UTF-8"));
    if (n.options.characters_max == 0) return fail(mistake("a span has at least one character"));
    std::vector<std::string> characters;
    std::u32string ids;  // equal characters have equal ids
    std::map<std::string, char32_t> known;
    for (std::size_t at = 0; at < n.context.size();) {
      std::size_t end = at + 1;
      while (end < n.context.size() && (static_cast<std::uint8_t>(n.context[end]) & 0xc0) == 0x80) ++end;
      std::string character = n.context.substr(at, end - at);
      at = end;
      auto const [it, is_new] = known.try_emplace(character, static_cast<char32_t>(characters.size()));
      ids += it->second;
      if (!is_new) continue;
      if (n.options.as_json) {
        character = to_text(json(character));
        character = character.substr(1, character.size() - 2);
      }
      characters.push_back(std::move(character));
    }
    substring_automaton const pieces(ids);
    std::uint32_t const u = add_unit();
    machine_.units[u].max = n.options.characters_max;
    std::vector<state_id> states(pieces.size());
    for (auto& s : states) s = add_state(u);
    for (std::size_t i = 1; i < states.size() && ok(); ++i) draft_[states[i]].accepts = true;
    for (std::uint32_t i = 0; i < states.size() && ok(); ++i) {
      std::map<std::pair<state_id, char>, state_id> shared;
      for (auto const& [id, target] : pieces.edges(i))
        emit_character(characters[id], states[i], states[target], shared);
    }
    if (!ok()) return;
    if (!n.options.as_json) return call(from, states[0], to);
    state_id const inside = sibling(from), behind = sibling(from);
    on_bytes(from, '"', '"', inside);
    call(inside, states[0], behind);
    on_bytes(behind, '"', '"', to);
  }
  void emit_character(std::string const& bytes, state_id from, state_id to,
                      std::map<std::pair<state_id, char>, state_id>& shared) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      auto const byte = static_cast<std::uint8_t>(bytes[i]);
      edge e{.kind = edge_kind::bytes, .first = byte, .last = byte, .counted = i == 0, .target = to};
      if (i + 1 < bytes.size()) {
        auto const [it, is_new] = shared.try_emplace({from, bytes[i]}, 0);
        if (is_new) it->second = e.target = sibling(from);
        if (is_new) connect(from, e);
        from = it->second;
      } else {
        connect(from, e);
      }
      if (!ok()) return;
    }
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
    auto const& unit = *machine_.free_texts.emplace_back(tokens_.free_text_without(n.options.without));
    call(from,
         machine_.add_text({.automaton = &unit.automaton,
                            .summaries = &unit.summaries,
                            .max = n.options.bytes_max,
                            .bytes_max = n.options.bytes_max}),
         to);
  }

  void flatten() {
    machine_.states.reserve(draft_.size());
    for (auto const& d : draft_) {
      bool const consumes = std::any_of(d.edges.begin(), d.edges.end(), [](edge const& e) {
        return e.kind == edge_kind::bytes || e.kind == edge_kind::token;
      });
      machine_.states.push_back({static_cast<std::uint32_t>(machine_.edges.size()),
                                 static_cast<std::uint32_t>(d.edges.size()), d.unit, d.stub, d.accepts, consumes});
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
  std::queue<pending> pending_;
  scope* scope_ = nullptr;
  std::optional<error> failure_;
  std::size_t nesting_ = 0;
};

}  // namespace

// The shortest way from inside a character to its end, for each state, by relaxation backwards.
static void weigh_text(text_unit& text, machine const& m) {
  auto const& automaton = *text.automaton;
  auto const& byte_weight = m.byte_weight;
  auto const state_at = [](std::size_t s) { return static_cast<text_automaton::state>(s); };
  text.finish.resize(automaton.size());
  text.finish_weight.assign(automaton.size(), impossible);
  for (std::size_t s = 0; s < automaton.size(); ++s) {
    if (automaton.is_border(state_at(s))) text.finish_weight[s] = 0;
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t s = automaton.size(); s-- > 0;) {
      if (automaton.is_border(state_at(s))) continue;
      for (unsigned byte = 0; byte < 256; ++byte) {
        auto const to = automaton.next(state_at(s), static_cast<std::uint8_t>(byte));
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
    for (unsigned byte = 0; byte < 256; ++byte)
      text.possible[s][byte] = automaton.next(state_at(s), static_cast<std::uint8_t>(byte)) != text_automaton::refused;
  }
  for (unsigned i = 0; i < 256; ++i) {
    auto const byte = static_cast<std::uint8_t>('a' + i);  // letters first
    if (automaton.next(text_automaton::start, byte) != text_automaton::start) continue;
    if (byte_weight[byte] < byte_weight[text.filler]) text.filler = byte;
  }
  text.filler_weight = byte_weight[text.filler];
}

state_id machine::add_text(text_unit text) {
  for (auto const& t : texts) {
    bool const same = t.automaton == text.automaton && t.language == text.language && t.min == text.min &&
                      t.max == text.max && t.bytes_max == text.bytes_max && t.is_name == text.is_name &&
                      t.choice == text.choice && t.has_quote == text.has_quote;
    if (same) return t.first_state;
  }
  std::size_t ids = 1;
  if (text.automaton) {
    if (text.summaries == nullptr) text.summaries = &own_summaries.emplace_back();
    weigh_text(text, *this);
    ids = text.automaton->size();
  }
  text.quote_weight = text.has_quote ? byte_weight['"'] : 0;
  text.first_state = text_states + static_cast<state_id>(text_of_state.size());
  text_of_state.insert(text_of_state.end(), ids, static_cast<std::uint32_t>(texts.size()));
  texts.push_back(std::move(text));
  return texts.back().first_state;
}

result<machine> build_machine(expr const& expression, vocabulary::impl const& tokens) {
  return builder(tokens).build(expression);
}

}  // namespace grammar
}  // namespace wherry::inline v0
