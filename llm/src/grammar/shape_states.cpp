// Shapes become states when a generation gets there, and weights before that.

#include "grammar/connected_components.hpp"
#include "grammar/machine.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <set>

namespace wherry::inline v0 {
namespace grammar {

std::string const& lazy_text::completion(regex::automaton::state at, std::array<bool, 256> const& has_byte) {
  auto const [it, is_new] = completions.try_emplace(at);
  if (is_new) it->second = automaton.shortest(at, &has_byte);
  return it->second;
}

void mark_recursive_shapes(shape_table& table) {
  std::vector<std::vector<std::uint32_t>> next(table.shapes.size());
  for (std::size_t s = 0; s < next.size(); ++s) {
    for (auto const& a : table.shapes[s].alternatives) each_reference(a, [&](shape_id id) { next[s].push_back(id); });
    std::sort(next[s].begin(), next[s].end());
    next[s].erase(std::unique(next[s].begin(), next[s].end()), next[s].end());
  }
  auto const component = connected_components(next);
  std::vector<std::uint32_t> members(next.size(), 0);
  for (std::size_t s = 0; s < next.size(); ++s) ++members[component[s]];
  for (std::size_t s = 0; s < next.size(); ++s) {
    table.shapes[s].component = component[s];
    table.shapes[s].is_recursive = members[component[s]] > 1 || std::binary_search(next[s].begin(), next[s].end(), s);
  }
}

namespace {

bool deepens(shape_table const& table, shape_id from, shape_id to) {
  return table.shapes[to].is_recursive && table.shapes[from].component == table.shapes[to].component;
}

using values_of = std::function<weight(shape_id)>;

// Counts of members beyond this one make no difference.
std::size_t count_cap(object_shape const& o) {
  std::size_t const most = o.members.size() + o.others_max;
  if (o.max < most) return std::max<std::size_t>(o.max, 1);
  return std::max<std::size_t>(std::min(o.min, most), 1);
}
std::size_t others_needed(object_shape const& o, std::size_t count) {
  return std::max(o.min > count ? o.min - count : 0, o.others_min);
}
std::size_t others_room(object_shape const& o, std::size_t count) {
  if (!o.is_open) return 0;
  return o.max == no_limit ? o.others_max : std::min(o.others_max, o.max > count ? o.max - count : 0);
}
std::vector<std::string> taken_from_the_start(object_shape const& o) {
  std::vector<std::string> taken = o.excluded;
  for (auto const& member : o.members) taken.push_back(member.name.substr(1, member.name.size() - 2));
  std::sort(taken.begin(), taken.end());
  return taken;
}

weight literal_weight(machine const& m, literal_shape const& l) {
  weight least = impossible;
  for (auto const& text : l.texts) least = std::min(least, m.spelled_weight(text));
  for (auto const& written : l.written) least = std::min(least, m.spelled_weight(written));
  return least;
}

weight raw_weight(machine const& m, raw_shape const& r) {
  weight inside = times(r.text.min, m.byte_weight['a']);
  if (auto const& language = r.text.raw_language)
    inside = m.spelled_weight(language->completion(language->automaton.start(), m.has_byte));
  return plus(inside, plus(m.spelled_weight(r.before), m.spelled_weight(r.behind)));
}

weight automaton_weight(machine const& m, text_automaton const& a) {
  // breadth first: numbers are short
  std::vector<weight> best(a.size(), impossible);
  best[text_automaton::start] = 0;
  weight least = impossible;
  std::vector<text_automaton::state> open{text_automaton::start};
  for (std::size_t i = 0; i < open.size(); ++i) {
    auto const at = open[i];
    if (a.is_border(at)) least = std::min(least, best[at]);
    for (unsigned byte = 0; byte < 256; ++byte) {
      auto const to = a.next(at, static_cast<std::uint8_t>(byte));
      if (to >= a.size()) continue;
      weight const through = plus(best[at], m.byte_weight[byte]);
      if (through >= best[to]) continue;
      best[to] = through;
      open.push_back(to);
    }
    if (least < missing_byte && i > 64) break;
  }
  return least;
}

// [row * (cap + 1) + count]: from before the member (and its comma) to behind the closing brace.
std::vector<weight> object_rows(machine const& m, object_shape const& o, values_of const& value) {
  std::size_t const n = o.members.size(), cap = count_cap(o);
  std::vector<weight> rows((n + 1) * (cap + 1), impossible);
  weight const comma = m.spelled_weight(o.between), brace = m.spelled_weight(o.close);
  std::vector<weight> others;
  std::size_t const most = std::min(others_needed(o, 0), o.is_open ? o.others_max : 0);
  if (most > 0) {
    std::vector<weight> values;
    for (auto const& [unused, id] : o.values) {
      if (values.size() <= id) values.resize(id + 1, impossible);
      values[id] = value(id);
    }
    for (auto const& other : other_members(m, o, taken_from_the_start(o), values, most)) others.push_back(other.total);
  }
  for (std::size_t c = 0; c <= cap; ++c) {
    std::size_t const needed = others_needed(o, c);
    if (needed > others_room(o, c) || needed > others.size()) continue;
    weight sum = brace;
    for (std::size_t i = 0; i < needed; ++i) sum = plus(sum, plus(others[i], i > 0 || c > 0 ? comma : 0));
    rows[n * (cap + 1) + c] = sum;
  }
  for (std::size_t i = n; i-- > 0;) {
    auto const& member = o.members[i];
    weight const own = plus(m.spelled_weight(object_shape::key(member)), value(member.value));
    for (std::size_t c = 0; c <= cap; ++c) {
      weight best = member.required ? impossible : rows[(i + 1) * (cap + 1) + c];
      bool const room = o.max == no_limit || o.max > cap || c < o.max;
      if (room)
        best = std::min(best, plus(plus(own, c > 0 ? comma : 0), rows[(i + 1) * (cap + 1) + std::min(c + 1, cap)]));
      rows[i * (cap + 1) + c] = best;
    }
  }
  return rows;
}

std::size_t wanted_cap(array_shape::wanted const& w) { return w.max != no_limit ? w.max : w.min; }

// [item * (cap + 1) + counted]: from behind so many items to behind the closing bracket.
std::vector<weight> array_rows(machine const& m, array_shape const& a, values_of const& value) {
  auto const& w = *a.contains;
  std::size_t const cap = wanted_cap(w);
  std::vector<weight> rows((a.max + 1) * (cap + 1), impossible);
  auto const at = [](std::vector<shape_id> const& ids, std::size_t i) { return ids[std::min(i, ids.size() - 1)]; };
  for (std::size_t i = a.max + 1; i-- > 0;) {
    for (std::size_t f = cap + 1; f-- > 0;) {
      weight best = i >= a.min && f >= w.min ? m.byte_weight[']'] : impossible;
      weight const comma = i > 0 ? m.byte_weight[','] : 0;
      if (i < a.max) {
        if (f < cap || w.max == no_limit)
          best = std::min(best,
                          plus(plus(comma, value(at(w.counted, i))), rows[(i + 1) * (cap + 1) + std::min(f + 1, cap)]));
        best = std::min(best, plus(plus(comma, value(at(w.other, i))), rows[(i + 1) * (cap + 1) + f]));
      }
      rows[i * (cap + 1) + f] = best;
    }
  }
  return rows;
}

// The i-th of the values that may stand in a list once, as it is spelled.
std::size_t distinct_count(array_shape const& a) { return a.distinct->texts.size() + a.distinct->written.size(); }
spelling distinct_value(array_shape const& a, std::size_t i) {
  if (i >= a.distinct->texts.size()) return a.distinct->written[i - a.distinct->texts.size()];
  spelling out;
  for (char const c : a.distinct->texts[i]) out.push_back(static_cast<std::uint8_t>(c));
  return out;
}

// From behind the values in `used` to behind the closing bracket.
weight distinct_weight(machine const& m, array_shape const& a, std::uint32_t used) {
  auto const items = static_cast<std::size_t>(std::popcount(used));
  std::vector<weight> rest;
  for (std::size_t i = 0; i < distinct_count(a); ++i)
    if ((used >> i & 1) == 0) rest.push_back(m.spelled_weight(distinct_value(a, i)));
  std::sort(rest.begin(), rest.end());
  std::size_t const needed = a.min > items ? a.min - items : 0;
  if (needed > rest.size()) return impossible;
  weight total = m.byte_weight[']'];
  for (std::size_t i = 0; i < needed; ++i) total = plus(total, plus(rest[i], items + i > 0 ? m.byte_weight[','] : 0));
  return total;
}

weight array_weight(machine const& m, array_shape const& a, values_of const& value) {
  if (a.distinct) return plus(m.byte_weight['['], distinct_weight(m, a, 0));
  weight const brackets = plus(m.byte_weight['['], m.byte_weight[']']);
  if (a.contains) return plus(m.byte_weight['['], array_rows(m, a, value).front());
  weight total = brackets;
  for (std::size_t i = 0; i < a.min; ++i) {
    if (i > 0) total = plus(total, m.byte_weight[',']);
    if (i >= a.prefix.size()) {
      std::size_t const more = a.min - i;
      if (!a.rest) return impossible;
      return plus(total, plus(times(more, value(*a.rest)), times(more - 1, m.byte_weight[','])));
    }
    total = plus(total, value(a.prefix[i]));
  }
  return total;
}

}  // namespace

std::vector<bool> label_of(object_shape const& o, std::string_view name) {
  std::vector<bool> label;
  for (auto const& pattern : o.patterns) label.push_back(pattern->automaton.matches(name));
  return label;
}

std::vector<other_member> other_members(machine const& m, object_shape const& o, std::vector<std::string> const& taken,
                                        std::vector<weight> const& values, std::size_t count) {
  std::vector<other_member> found;
  auto const offer = [&](std::string const& name) {
    if (std::binary_search(taken.begin(), taken.end(), name)) return;
    auto const value = o.values.find(label_of(o, name));
    if (value == o.values.end() || value->second >= values.size() || values[value->second] >= impossible) return;
    weight const quotes = times(2, m.byte_weight['"']), colon = o.is_list ? 0 : m.byte_weight[':'];
    found.push_back(
        {name, value->second, plus(plus(plus(quotes, m.spelled_weight(name)), colon), values[value->second])});
  };
  constexpr std::size_t looked_at_max = 20'000;
  if (!o.names) {
    std::string letters;
    for (unsigned i = 0; i < 256; ++i) {
      auto const byte = static_cast<std::uint8_t>('a' + i);
      if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\' && m.has_byte[byte])
        letters += static_cast<char>(byte);
    }
    if (letters.empty()) letters = "a";
    std::vector<std::string> words{""};
    for (std::size_t i = 0; i < words.size() && found.size() < count && i < looked_at_max; ++i) {
      offer(words[i]);
      if (words.size() < looked_at_max) {
        for (char const c : letters) words.push_back(words[i] + c);
      }
    }
    return found;
  }
  auto& automaton = o.names->automaton;
  if (automaton.start() == regex::automaton::dead) return found;
  o.names->find(automaton.start(), m.has_byte, [&](std::string const& name) {
    offer(name);
    return found.size() == count;
  });
  return found;
}

std::vector<weight> weigh_shapes(machine const& m, schema_part const& part, std::vector<weight> const* one_less) {
  auto const& table = *part.table;
  std::vector<weight> weights(table.shapes.size(), impossible);
  std::vector<weight> own(weights.size(), impossible);  // of alternatives that refer to nothing
  for (std::size_t s = 0; s < weights.size(); ++s) {
    for (auto const& a : table.shapes[s].alternatives) {
      if (auto const* l = std::get_if<literal_shape>(&a)) own[s] = std::min(own[s], literal_weight(m, *l));
      if (auto const* n = std::get_if<number_shape>(&a)) own[s] = std::min(own[s], automaton_weight(m, *n->automaton));
      if (auto const* t = std::get_if<string_shape>(&a)) {
        weight inside = times(t->min, m.byte_weight['a']);
        if (t->language) inside = m.spelled_weight(t->language->completion(t->language->automaton.start(), m.has_byte));
        own[s] = std::min(own[s], plus(inside, times(2, m.byte_weight['"'])));
      }
      if (auto const* raw = std::get_if<raw_shape>(&a)) own[s] = std::min(own[s], raw_weight(m, *raw));
    }
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t s = weights.size(); s-- > 0;) {
      values_of const value = [&](shape_id id) {
        if (!deepens(table, static_cast<shape_id>(s), id)) return weights[id];
        return one_less ? (*one_less)[id] : impossible;
      };
      weight best = own[s];
      for (auto const& a : table.shapes[s].alternatives) {
        if (auto const* array = std::get_if<array_shape>(&a)) best = std::min(best, array_weight(m, *array, value));
        if (auto const* object = std::get_if<object_shape>(&a)) {
          weight const rows = object_rows(m, *object, value).front();
          best = std::min(best, plus(m.spelled_weight(object->open), rows));
        }
        if (auto const* framed = std::get_if<framed_shape>(&a)) {
          weight const marks = plus(m.spelled_weight(framed->before), m.spelled_weight(framed->behind));
          best = std::min(best, plus(marks, value(framed->value)));
        }
      }
      if (best < weights[s]) {
        weights[s] = best;
        changed = true;
      }
    }
  }
  return weights;
}

namespace {

// Makes the states behind one stub.
class unfolder {
 public:
  unfolder(machine& m, state_id at) : m_(m), at_(at), stub_(m.stubs[m.states[at].stub - 1]), unit_(m.states[at].unit) {
    m_.states[at].stub = 0;
  }

  void run() {
    auto const& alternatives = m_.parts[stub_.part].table->shapes[stub_.of].alternatives;
    if (stub_.what == stub::kind::shape) {
      stub_.end = add(true);
      for (stub_.alternative = 0; stub_.alternative < alternatives.size(); ++stub_.alternative)
        std::visit([&](auto const& a) { begin(a); }, alternatives[stub_.alternative]);
    } else if (stub_.what == stub::kind::array) {
      array_row(std::get<array_shape>(alternatives[stub_.alternative]));
    } else {
      auto const& object = std::get<object_shape>(alternatives[stub_.alternative]);
      stub_.what == stub::kind::row ? object_row(object) : any_object_row(object);
    }
    for (auto& [from, edges] : edges_) {
      state& s = m_.states[from];
      s.first_edge = static_cast<std::uint32_t>(m_.edges.size());
      s.edge_count = static_cast<std::uint32_t>(edges.size());
      s.consumes = std::any_of(edges.begin(), edges.end(),
                               [](edge const& e) { return e.kind == edge_kind::bytes || e.kind == edge_kind::token; });
      m_.edges.insert(m_.edges.end(), edges.begin(), edges.end());
    }
    weigh_fresh(m_, fresh_);
  }

 private:
  state_id add(bool accepts = false) { return add_in(unit_, accepts); }
  state_id add_in(std::uint32_t unit, bool accepts = false) {
    state_id const made = m_.add_state(unit, accepts);
    fresh_.push_back(made);
    return made;
  }
  void connect(state_id from, edge e) { edges_[from].push_back(e); }
  void on_byte(state_id from, char byte, state_id to) {
    auto const b = static_cast<std::uint8_t>(byte);
    connect(from, {.kind = edge_kind::bytes, .first = b, .last = b, .target = to});
  }
  void on_element(state_id from, std::uint32_t element, state_id to) {
    if (element < control_element) return on_byte(from, static_cast<char>(element), to);
    connect(from, {.kind = edge_kind::token, .target = to, .operand = element - control_element});
  }
  void on_spelling(state_id from, spelling const& elements, state_id to) {
    if (elements.empty()) return jump(from, to);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      state_id const next = i + 1 == elements.size() ? to : add();
      on_element(from, elements[i], next);
      from = next;
    }
  }
  void jump(state_id from, state_id to) { connect(from, {.kind = edge_kind::jump, .target = to}); }
  void call_text(state_id from, state_id text, state_id to) {
    connect(from, {.kind = edge_kind::call, .target = to, .operand = text});
  }
  void call_unit(state_id from, state_id callee, state_id to, bool counted = false) {
    connect(from, {.kind = edge_kind::call, .counted = counted, .target = to, .operand = callee});
  }
  void call(state_id from, shape_id value, state_id to) {
    state_id const callee = m_.entry(stub_.part, value);
    connect(from, {.kind = edge_kind::call,
                   .deepens = deepens(*m_.parts[stub_.part].table, stub_.of, value),
                   .target = to,
                   .operand = callee});
  }
  weight value_weight(shape_id id, std::size_t level) const {
    auto const& part = m_.parts[stub_.part];
    if (!deepens(*part.table, stub_.of, id)) return part.weights[level][id];
    return level == 0 ? impossible : part.weights[level - 1][id];
  }
  // A state that is made when somebody gets there.
  state_id later(stub::kind what, std::size_t index, std::size_t count,
                 std::function<weight(std::size_t)> const& weight_at) {
    std::tuple const key{stub_.part,
                         stub_.of,
                         stub_.alternative,
                         static_cast<std::uint32_t>(index),
                         static_cast<std::uint32_t>(count),
                         static_cast<int>(what)};
    auto const [it, is_new] = m_.known_stubs.try_emplace(key, 0);
    if (!is_new) return it->second;
    state_id const made = it->second = m_.add_state(unit_);
    stub next = stub_;
    next.what = what;
    next.index = static_cast<std::uint32_t>(index);
    next.count = static_cast<std::uint32_t>(count);
    m_.stubs.push_back(next);
    m_.states[made].stub = static_cast<std::uint32_t>(m_.stubs.size());
    for (std::size_t level = 0; level < m_.way_out.size(); ++level) m_.way_out[level][made] = weight_at(level);
    return made;
  }

  void begin(literal_shape const& l) {
    shared_paths shared;
    for (auto const& text : l.texts) {
      state_id from = at_;
      for (std::size_t i = 0; i + 1 < text.size(); ++i) from = along(shared, from, static_cast<std::uint8_t>(text[i]));
      on_byte(from, text.back(), stub_.end);
    }
    for (auto const& written : l.written) {
      if (written.empty()) {
        jump(at_, stub_.end);
        continue;
      }
      state_id from = at_;
      for (std::size_t i = 0; i + 1 < written.size(); ++i) from = along(shared, from, written[i]);
      on_element(from, written.back(), stub_.end);
    }
  }
  using shared_paths = std::map<std::pair<state_id, std::uint32_t>, state_id>;
  state_id along(shared_paths& shared, state_id from, std::uint32_t element) {
    auto const [it, is_new] = shared.try_emplace({from, element}, 0);
    if (is_new) {
      it->second = add();
      on_element(from, element, it->second);
    }
    return it->second;
  }

  void begin(raw_shape const& r) {
    state_id const inside = add(), close = add();
    on_spelling(at_, r.before, inside);
    text_unit text{.min = r.text.min, .max = r.text.max, .bytes_max = r.text.bytes_max};
    if (r.text.raw_language) {
      text.language = r.text.raw_language.get();
    } else {
      text.automaton = &r.unit->automaton;
      text.summaries = &r.unit->summaries;
    }
    call_text(inside, m_.add_text(std::move(text)), close);
    on_spelling(close, r.behind, stub_.end);
  }
  void begin(framed_shape const& f) {
    state_id const inside = add(), close = add();
    on_spelling(at_, f.before, inside);
    call(inside, f.value, close);
    on_spelling(close, f.behind, stub_.end);
  }

  void begin(string_shape const& s) {
    state_id const inside = add();
    on_byte(at_, '"', inside);
    text_unit text{.has_quote = true, .min = s.min, .max = s.max, .bytes_max = s.bytes_max};
    if (s.language) {
      text.language = s.language.get();
      if (s.max != no_limit) text.automaton = &text_automaton::json_name();  // languages have one spelling, as names
    } else {
      text.automaton = &text_automaton::json_string();
      text.summaries = &m_.tokens->json_string_summaries;
    }
    call_text(inside, m_.add_text(std::move(text)), stub_.end);
  }
  void begin(number_shape const& n) {
    text_unit text{.automaton = n.automaton.get(),
                   .summaries = n.summaries,
                   .has_quote = false,
                   .max = no_limit / 2,
                   .bytes_max = no_limit / 2};
    call_text(at_, m_.add_text(std::move(text)), stub_.end);
  }

  // Arrays.
  void begin(array_shape const& a) {
    state_id const open = add();
    on_byte(at_, '[', open);
    if (a.contains) return jump(open, contains_row(a, 0, 0));
    if (a.distinct) return jump(open, distinct_row(a, 0));
    if (a.min == 0) on_byte(open, ']', stub_.end);
    if (a.max == 0) return;
    state_id const first = add();
    call(open, a.prefix.empty() ? *a.rest : a.prefix[0], first);
    behind(a, first, 1);
  }
  // Behind so many items of an array without contains.
  void behind(array_shape const& a, state_id from, std::size_t count) {
    for (; count < a.prefix.size() && count < a.max; ++count) {
      if (count >= a.min) on_byte(from, ']', stub_.end);
      state_id const comma = add(), next = add();
      on_byte(from, ',', comma);
      call(comma, a.prefix[count], next);
      from = next;
    }
    if (!a.rest || count >= a.max) return on_byte(from, ']', stub_.end);
    std::uint32_t const body = m_.add_unit(), rounds = m_.add_unit();
    state_id const body_from = add_in(body), item = add_in(body), body_to = add_in(body, true),
                   hub = add_in(rounds, true);
    on_byte(body_from, ',', item);
    call(item, *a.rest, body_to);
    m_.units[rounds].min = a.min > count ? a.min - count : 0;
    m_.units[rounds].max = a.max - count;
    m_.units[rounds].round = body_from;
    call_unit(hub, body_from, hub, true);
    state_id const close = add();
    call_unit(from, hub, close);
    on_byte(close, ']', stub_.end);
  }
  state_id contains_row(array_shape const& a, std::size_t items, std::size_t counted) {
    std::size_t const cap = wanted_cap(*a.contains);
    return later(stub::kind::array, items, counted, [&](std::size_t level) {
      auto const rows = array_rows(m_, a, [&](shape_id id) { return value_weight(id, level); });
      return rows[items * (cap + 1) + counted];
    });
  }
  // Behind the values in a set.
  state_id distinct_row(array_shape const& a, std::uint32_t used) {
    return later(stub::kind::array, 0, used, [&](std::size_t) { return distinct_weight(m_, a, used); });
  }
  void distinct_items(array_shape const& a) {
    std::uint32_t const used = stub_.count;
    auto const items = static_cast<std::size_t>(std::popcount(used));
    if (items >= a.min) on_byte(at_, ']', stub_.end);
    if (items >= std::min(a.max, distinct_count(a))) return;
    state_id from = at_;
    if (items > 0) on_byte(at_, ',', from = add());
    shared_paths shared;
    for (std::size_t i = 0; i < distinct_count(a); ++i) {
      if ((used >> i & 1) != 0) continue;
      spelling const value = distinct_value(a, i);
      state_id at = from;
      for (std::size_t e = 0; e + 1 < value.size(); ++e) at = along(shared, at, value[e]);
      on_element(at, value.back(), distinct_row(a, used | std::uint32_t{1} << i));
    }
  }
  void array_row(array_shape const& a) {
    if (a.distinct) return distinct_items(a);
    auto const& w = *a.contains;
    std::size_t const i = stub_.index, f = stub_.count, cap = wanted_cap(w);
    if (i >= a.min && f >= w.min) on_byte(at_, ']', stub_.end);
    if (i >= a.max) return;
    state_id item = at_;
    if (i > 0) on_byte(at_, ',', item = add());
    auto const at = [i](std::vector<shape_id> const& ids) { return ids[std::min(i, ids.size() - 1)]; };
    if (f < cap || w.max == no_limit) call(item, at(w.counted), contains_row(a, i + 1, std::min(f + 1, cap)));
    call(item, at(w.other), contains_row(a, i + 1, f));
  }

  // Objects.
  void begin(object_shape const& o) { on_spelling(at_, o.open, o.any_order ? any_row(o, 0, 0) : row(o, 0, 0)); }
  std::vector<weight> const& rows(object_shape const& o, std::size_t level) {
    auto& known = rows_[stub_.alternative];
    known.resize(m_.way_out.size());
    if (known[level].empty()) known[level] = object_rows(m_, o, [&](shape_id id) { return value_weight(id, level); });
    return known[level];
  }
  state_id row(object_shape const& o, std::size_t index, std::size_t count) {
    std::size_t const cap = count_cap(o);
    return later(stub::kind::row, index, count,
                 [&](std::size_t level) { return rows(o, level)[index * (cap + 1) + count]; });
  }
  // Before a member.
  void object_row(object_shape const& o) {
    std::size_t const count = stub_.count, n = o.members.size(), cap = count_cap(o);
    std::size_t last = stub_.index;  // members that may come next
    while (last < n && !o.members[last].required) ++last;
    bool const may_end = last == n;
    std::size_t const room = others_room(o, count), needed = others_needed(o, count);
    if (may_end && needed == 0) on_spelling(at_, o.close, stub_.end);
    bool const full = o.max != no_limit && o.max <= cap && count >= o.max;
    bool const others = may_end && room > 0 && needed <= room;
    if (full || (stub_.index == n && !others)) return;
    state_id from = at_;
    if (count > 0) {
      // Everything behind the comma is the same for all ways to get here.
      state_id const behind_comma = add();
      on_spelling(at_, o.between, behind_comma);
      from = behind_comma;
    }
    shared_paths shared;
    for (std::size_t i = stub_.index; i < n && i <= last; ++i) {
      auto const& member = o.members[i];
      if (m_.parts[stub_.part].weights.back()[member.value] >= impossible) continue;
      state_id at = from;
      for (auto const element : object_shape::key(member)) at = along(shared, at, element);
      call(at, member.value, row(o, i + 1, std::min(count + 1, cap)));
    }
    if (others) {
      state_id const close = add();
      call_unit(from, others_unit(o, needed, room), close);
      on_spelling(close, o.close, stub_.end);
    }
  }
  // Members in any order: those before `first` are settled, `present` has a bit for each of the next ones.
  static constexpr std::size_t window = 8;
  state_id any_row(object_shape const& o, std::size_t first, std::uint32_t present) {
    return later(stub::kind::any_row, first, present, [&](std::size_t level) {
      std::size_t missing = 0;
      weight sum = m_.spelled_weight(o.close);
      for (std::size_t i = first; i < o.members.size(); ++i) {
        if (!o.members[i].required || is_present(first, present, i)) continue;
        ++missing;
        sum = plus(sum,
                   plus(m_.spelled_weight(object_shape::key(o.members[i])), value_weight(o.members[i].value, level)));
      }
      std::size_t const commas = first == 0 && present == 0 && missing > 0 ? missing - 1 : missing;
      return plus(sum, times(commas, m_.spelled_weight(o.between)));
    });
  }
  static bool is_present(std::size_t first, std::uint32_t present, std::size_t i) {
    return i < first + window && (present >> (i - first) & 1) != 0;
  }
  void any_object_row(object_shape const& o) {
    std::size_t const first = stub_.index, n = o.members.size();
    std::uint32_t const present = stub_.count;
    std::size_t must = first;  // the first required member that is missing
    while (must < n && (!o.members[must].required || is_present(first, present, must))) ++must;
    bool const may_end = must == n;
    if (may_end) on_spelling(at_, o.close, stub_.end);
    bool const others = may_end && o.is_open;
    std::size_t const end = std::min(n, must + window);
    if (first == n && !others) return;
    state_id from = at_;
    if (first > 0 || present != 0) on_spelling(at_, o.between, from = add());
    shared_paths shared;
    for (std::size_t i = first; i < end; ++i) {
      auto const& member = o.members[i];
      if (is_present(first, present, i) || m_.parts[stub_.part].weights.back()[member.value] >= impossible) continue;
      state_id at = from;
      for (auto const element : object_shape::key(member)) at = along(shared, at, element);
      std::size_t next = first;
      std::uint64_t set = present;
      if (i >= first + window) {  // what this passes over is left out
        next = i - window + 1;
        set = next - first < window ? set >> (next - first) : 0;
      }
      for (set |= std::uint64_t{1} << (i - next); (set & 1) != 0; set >>= 1) ++next;
      call(at, member.value, any_row(o, next, static_cast<std::uint32_t>(set)));
    }
    if (others) {
      state_id const close = add();
      call_unit(from, others_unit(o, 0, o.others_max), close);
      on_spelling(close, o.close, stub_.end);
    }
  }
  state_id others_unit(object_shape const& o, std::size_t needed, std::size_t room) {
    std::uint32_t const u = m_.add_unit();
    m_.collects_names = true;
    m_.units[u].min = needed;
    m_.units[u].max = room;
    m_.units[u].names = taken_from_the_start(o);
    m_.choices.push_back({&o, stub_.part, stub_.of, {}});
    auto const choice = static_cast<std::uint32_t>(m_.choices.size() - 1);
    m_.units[u].choice = choice;
    state_id const first = add_in(u), name = add_in(u), inside = add_in(u), some = add_in(u, true);
    m_.units[u].first = first;
    m_.units[u].name = name;
    connect(first, {.kind = edge_kind::jump, .counted = true, .target = name});
    on_byte(name, '"', inside);
    connect(some, {.kind = edge_kind::bytes, .first = ',', .last = ',', .counted = true, .target = name});
    state_id behind = 0;
    for (auto const& [label, value_shape] : o.values) {
      if (m_.parts[stub_.part].weights.back()[value_shape] >= impossible) continue;
      if (o.is_list) {
        m_.choices[choice].after[label] = behind = some;
        continue;
      }
      state_id const colon = add_in(u), value = add_in(u);
      on_byte(colon, ':', value);
      call(value, value_shape, some);
      m_.choices[choice].after[label] = behind = colon;
    }
    text_unit text{
        .has_quote = true, .max = o.name_bytes_max, .bytes_max = o.name_bytes_max, .is_name = true, .choice = choice};
    if (o.names) {
      text.language = o.names.get();
    } else {
      text.automaton = &text_automaton::json_name();
      text.summaries = &m_.tokens->json_name_summaries;
    }
    if (behind != 0) call_text(inside, m_.add_text(std::move(text)), behind);
    return first;
  }

  machine& m_;
  state_id at_;
  stub stub_;
  std::uint32_t unit_;
  std::vector<state_id> fresh_;
  std::map<state_id, std::vector<edge>> edges_;
  std::map<std::uint32_t, std::vector<std::vector<weight>>> rows_;
};

}  // namespace

void machine::expand_stub(state_id id) { unfolder(*this, id).run(); }

state_id machine::entry(std::uint32_t part, shape_id of) {
  auto& known = parts[part].entries[of];
  if (known != schema_part::no_entry) return known;
  state_id const made = add_state(add_unit());
  stubs.push_back({.part = part, .of = of});
  states[made].stub = static_cast<std::uint32_t>(stubs.size());
  for (std::size_t level = 0; level < way_out.size(); ++level) way_out[level][made] = parts[part].weights[level][of];
  return known = made;
}

state_id machine::add_state(std::uint32_t of_unit, bool accepts) {
  states.push_back({.unit = of_unit, .accepts = accepts});
  for (auto& level : way_out) level.push_back(accepts ? 0 : impossible);
  return static_cast<state_id>(states.size() - 1);
}

}  // namespace grammar
}  // namespace wherry::inline v0
