// What a conjunction leaves of each type; constants and numbers.

#include "grammar/normaliser.hpp"

namespace wherry::inline v0 {
namespace grammar {
namespace normal_form {

std::vector<json const*> normaliser::constants_of(atoms const& all) {
  std::vector<json const*> candidates;
  // any of the lists will do: every constant must match all schemas anyway; the lists stand in the schemas applied
  collect_constants(all, candidates);
  std::vector<json const*> good;
  std::set<std::string> seen;
  // What is decided quickly decides first: lists of hundreds of constants stand beside each other in real schemas.
  atoms in_order = all;
  std::stable_partition(in_order.begin(), in_order.end(), [](atom const& a) {
    return !a.schema->is_object() ||
           std::none_of(a.schema->items().begin(), a.schema->items().end(), [](auto const& k) {
             return k.value().is_structured() && k.key() != "enum" && k.key() != "const";
           });
  });
  for (auto const* value : candidates) {
    bool fits = true;
    for (auto const& a : in_order) {
      if (!fits) break;
      auto const judged = schema::matches(known_, matchers_, {a.schema, a.in}, *value);
      if (!judged) {
        refuse("enum", a.schema, "cannot be decided: " + judged.error().message);
        return {};
      }
      if (*judged == a.negated) fits = false;
    }
    if (fits && seen.insert(schema::identity_text(*value)).second) good.push_back(value);
  }
  return good;
}

void normaliser::collect_constants(atoms const& all, std::vector<json const*>& out) {
  std::vector<atom> open(all.begin(), all.end());
  std::set<json const*> seen;
  while (!open.empty()) {
    atom const a = open.back();
    open.pop_back();
    if (!a.schema->is_object() || !seen.insert(a.schema).second) continue;
    json const& s = *a.schema;
    if (auto const* list = part(s, "enum"); list && list->is_array())
      for (auto const& value : *list) out.push_back(&value);
    if (auto const* value = part(s, "const")) out.push_back(value);
    if (auto const* ref = part(s, "$ref"); ref && ref->is_string()) {
      if (auto const target = known_.resolve(*a.in, ref->get_ref<std::string const&>()))
        open.push_back({target->schema, target->in, false});
    }
    for (char const* keyword : {"allOf", "anyOf", "oneOf"}) {
      if (auto const* list = part(s, keyword); list && list->is_array())
        for (auto const& one : *list) open.push_back({&one, known_.within(one, a.in), false});
    }
    for (char const* keyword : {"if", "then", "else", "not"}) {
      if (auto const* one = part(s, keyword)) open.push_back({one, known_.within(*one, a.in), false});
    }
  }
}

void normaliser::constants(shape& out) {
  literal_shape literals;
  for (auto const* value : constants_of(current_)) literals.texts.push_back(to_text(*value));
  if (literals.texts.empty())
    no_value(part(*here(), "const") ? "const" : "enum", here());
  else
    out.alternatives.emplace_back(std::move(literals));
}

void normaliser::finish(conjunction& c, shape& out) {
  literal_shape literals;
  auto const excluded = [&](json const& value) {
    return std::any_of(c.not_these.begin(), c.not_these.end(),
                       [&](json const* v) { return schema::same_value(*v, value); });
  };
  for (auto const* v : c.not_these) {
    if ((v->is_object() && (c.types & t_object)) || (v->is_array() && (c.types & t_array))) {
      refuse("not", v, "excludes an array or object, which is not supported");
      return;
    }
  }
  if ((c.types & t_null) && !excluded(nullptr)) literals.texts.push_back("null");
  if (c.types & t_boolean) {
    for (bool const value : {true, false})
      if (!excluded(value)) literals.texts.push_back(value ? "true" : "false");
  }
  if (!literals.texts.empty()) add(out, std::move(literals));
  if (c.types & t_number) finish_number(c, out);
  if (c.types & t_string) finish_string(c);
  if (c.types & t_array) finish_array(c, out);
  if (c.types & t_object) finish_object(c, out);
}

void normaliser::add(shape& out, literal_shape literals) {
  for (auto& a : out.alternatives) {
    auto* other = std::get_if<literal_shape>(&a);
    if (!other) continue;
    for (auto& text : literals.texts)
      if (std::find(other->texts.begin(), other->texts.end(), text) == other->texts.end())
        other->texts.push_back(std::move(text));
    return;
  }
  out.alternatives.emplace_back(std::move(literals));
}

void normaliser::finish_number(conjunction& c, shape& out) {
  number_limits limits = c.number;
  limits.is_integer = c.is_integer;
  limits.digits = bounds_.number_digits;
  for (auto const& step : c.steps) {
    if (!limits.step) {
      limits.step = step;
    } else if (schema::is_multiple(step, *limits.step)) {
      limits.step = step;
    } else if (!schema::is_multiple(*limits.step, step)) {
      refuse("multipleOf", here(), "stands beside another multipleOf that does not divide it");
      return;
    }
  }
  if (!c.not_steps.empty()) {
    decimal least = c.not_steps.front();  // what is no multiple of a divisor is none of the others either
    bool one = true;
    for (auto const& step : c.not_steps) {
      if (schema::is_multiple(least, step)) least = step;
      one = one && schema::is_multiple(step, least);
    }
    if (limits.step && schema::is_multiple(*limits.step, least)) {
      no_value("multipleOf", here());
      return;
    }
    if (limits.step || !one) {
      refuse("multipleOf", here(), "is negated beside another multipleOf");
      return;
    }
    limits.step = least;
    limits.step_excluded = true;
  }
  // Values taken out split the range.
  std::vector<decimal> holes;
  for (auto const* v : c.not_these)
    if (auto const d = schema::to_decimal(*v)) holes.push_back(*d);
  std::sort(holes.begin(), holes.end(), [](auto const& a, auto const& b) { return schema::compare(a, b) < 0; });
  number_limits next = limits;
  for (auto const& hole : holes) {
    bool const inside =
        (!next.min || schema::compare(hole, *next.min) >= 0) && (!next.max || schema::compare(hole, *next.max) <= 0);
    if (!inside) continue;
    number_limits low = next;
    low.max = hole;
    low.max_excluded = true;
    number(low, out);
    next.min = hole;
    next.min_excluded = true;
  }
  number(next, out);
}

void normaliser::number(number_limits const& limits, shape& out) {
  number_shape made_number;
  if (limits.is_plain()) {
    made_number.automaton = limits.is_integer                         ? tokens_.plain_integer
                            : limits.digits == bounds{}.number_digits ? tokens_.plain_number
                                                                      : nullptr;
    made_number.summaries = limits.is_integer ? &tokens_.integer_summaries : &tokens_.number_summaries;
  }
  if (!made_number.automaton) {
    std::string key = std::to_string(limits.is_integer) + "/" + (limits.min ? schema::plain_text(*limits.min) : "") +
                      (limits.min_excluded ? "(" : "[") + "/" + (limits.max ? schema::plain_text(*limits.max) : "") +
                      (limits.max_excluded ? "(" : "[") + "/" + (limits.step ? schema::plain_text(*limits.step) : "") +
                      (limits.step_excluded ? "!" : "");
    made_number.summaries = nullptr;
    for (auto const* end : {&limits.min, &limits.max, &limits.step}) {
      if (*end && ((*end)->exponent > 400 || (*end)->exponent < -400)) {
        refuse("minimum", here(), "is too large or too small a number", errc::limit_reached);
        return;
      }
    }
    auto& known = numbers_[key];
    if (!known) {
      bool too_large = false;
      known = number_automaton(limits, too_large);
      if (too_large) {
        refuse(limits.step ? "multipleOf" : "minimum", here(), "needs too many states", errc::limit_reached);
        return;
      }
      if (!known) {
        no_value(limits.min   ? (limits.min_excluded ? "exclusiveMinimum" : "minimum")
                 : limits.max ? "maximum"
                              : "multipleOf",
                 here());
        return;
      }
    }
    made_number.automaton = known;
  }
  out.alternatives.emplace_back(std::move(made_number));
}

}  // namespace normal_form

}  // namespace grammar
}  // namespace wherry::inline v0
