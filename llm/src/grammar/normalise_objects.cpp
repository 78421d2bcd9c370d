// Objects: the members that are declared, and the others.

#include "grammar/normaliser.hpp"

namespace wherry::inline v0 {
namespace grammar {
namespace normal_form {

atoms normaliser::value_of(conjunction const& c, std::string const& name) {
  atoms all;
  for (auto const& view : c.objects) {
    bool known = false;
    for (auto const& [own, value] : view.names) {
      if (own != name) continue;
      known = true;
      all.insert(all.end(), value.begin(), value.end());
    }
    for (auto const& [pattern, value] : view.patterns) {
      if (!pattern_matches(pattern, name)) continue;
      known = true;
      if (value.schema) all.push_back(value);
    }
    if (!known && view.additional) all.push_back(*view.additional);
  }
  return all;
}

bool normaliser::pattern_matches(std::string const& pattern, std::string const& text) {
  auto& known = matchers_[pattern];
  if (!known) {
    auto in = std::make_shared<regex::arena>();
    auto const parsed = regex::parse_pattern(*in, pattern, regex::spelling::utf8);
    if (!parsed) return false;
    known = std::make_unique<regex::automaton>(std::move(in), *parsed);
  }
  return known->matches(text);
}

void normaliser::apply_member_scopes(conjunction& c) {
  for (auto const& sc : c.scopes) {
    if (!sc.properties) continue;
    object_view view{.at = sc.at};
    bool all_evaluated = false;
    for (auto const& other : c.objects) {
      if (other.is_silent || !is_inside(other.at, sc.at)) continue;
      for (auto const& [name, unused] : other.names) view.names.emplace_back(name, atoms{});
      for (auto const& [pattern, unused] : other.patterns) view.patterns.emplace_back(pattern, atom{});
      all_evaluated = all_evaluated || other.additional;
    }
    if (all_evaluated) continue;
    view.additional = *sc.properties;
    c.objects.push_back(std::move(view));
  }
}

void normaliser::finish_object(conjunction& c, shape& out) {
  apply_member_scopes(c);
  std::stable_sort(c.objects.begin(), c.objects.end(), [](auto const& a, auto const& b) { return a.at < b.at; });
  object_shape made_object;
  made_object.min = c.members_min;
  made_object.max = c.members_max;
  made_object.others_max = bounds_.object_members;
  made_object.name_bytes_max = bounds_.string_bytes;
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (auto const& view : c.objects)
    for (auto const& [name, unused] : view.names)
      if (seen.insert(name).second) names.push_back(name);
  std::set<std::string> required;
  std::stable_sort(c.required.begin(), c.required.end(),
                   [](auto const& a, auto const& b) { return a.first < b.first; });
  for (auto const& [unused, name] : c.required) {
    required.insert(name);
    if (seen.insert(name).second) names.push_back(name);
  }
  auto const inner = [](std::string const& name) {
    std::string const quoted = to_text(json(name));
    return quoted.substr(1, quoted.size() - 2);
  };
  for (auto const& name : names) {
    atoms const value = value_of(c, name);
    bool allowed =
        std::none_of(value.begin(), value.end(), [](atom const& a) { return !a.negated && *a.schema == json(false); });
    for (auto const& a : c.member_names) {
      auto const judged = schema::matches(known_, matchers_, {a.schema, a.in}, json(name));
      if (!judged) {
        refuse("propertyNames", a.schema, "cannot be decided: " + judged.error().message);
        return;
      }
      allowed = allowed && *judged != a.negated;
    }
    if (!allowed && required.contains(name)) {
      json const* const value_schema = value.empty() ? nullptr : value.front().schema;
      bool const is_declared = value_schema && *value_schema == json(false) && is_property(c, name);
      is_declared ? no_value("false", value_schema) : no_value("required", here());
      return;
    }
    if (allowed)
      made_object.members.push_back({to_text(json(name)), required.contains(name), goal(value)});
    else
      made_object.excluded.push_back(inner(name));
  }
  if (!others(c, made_object)) return;
  // A name of n letters can always be made new by adding one for each name taken, if so many bytes are allowed.
  std::size_t const known_names = made_object.members.size() + made_object.excluded.size();
  if (!made_object.names)
    made_object.others_max =
        std::min(made_object.others_max, bounds_.string_bytes - std::min(bounds_.string_bytes, known_names));
  if (made_object.others_max == 0) made_object.is_open = false;
  if (!made_object.is_open) made_object.others_max = 0;
  made_object.others_min = c.others_min;
  if (made_object.others_min > 0 && !made_object.is_open) return;
  std::size_t const needed = static_cast<std::size_t>(
      std::count_if(made_object.members.begin(), made_object.members.end(), [](auto const& m) { return m.required; }));
  if (needed > made_object.max || made_object.min > made_object.max) return;
  if (made_object.min > made_object.members.size() + made_object.others_max) {
    if (made_object.is_open) refuse("minProperties", here(), "is above the bound object_members", errc::limit_reached);
    return;
  }
  std::size_t const counts = made_object.max != no_limit ? made_object.max : made_object.min;
  if (counts > 1 &&
      (made_object.members.size() + 1) * std::min(counts, made_object.members.size() + made_object.others_max) >
          object_rows_max) {
    refuse("minProperties", here(), "counts too many members", errc::limit_reached);
    return;
  }
  made_object.any_order = bounds_.order == member_order::any && made_object.members.size() > 1 &&
                          made_object.min == 0 && made_object.max == no_limit && made_object.others_min == 0;
  if (c.other_than.empty()) {
    out.alternatives.emplace_back(std::move(made_object));
    return;
  }
  made_object.any_order = false;
  if (c.other_than.size() > 1) {
    refuse("additionalProperties", here(), "is negated more than once in one place");
    return;
  }
  with_another_member(*c.other_than.front(), std::move(made_object), out);
}

void normaliser::with_another_member(json const& known, object_shape o, shape& out) {
  auto const is_known = [&](std::string const& quoted) {
    return known.contains(parse_json(quoted).value().get<std::string>());
  };
  for (auto const& member : o.members) {
    if (!member.required || is_known(member.name)) continue;
    out.alternatives.emplace_back(std::move(o));
    return;
  }
  for (std::size_t i = 0; i < o.members.size(); ++i) {
    if (is_known(o.members[i].name)) continue;
    object_shape with = o;
    with.members[i].required = true;
    out.alternatives.emplace_back(std::move(with));
  }
  // Others have names of their own; they count when all known names are declared or excluded.
  for (auto const& [name, unused] : known.items()) {
    std::string const quoted = to_text(json(name));
    bool const declared =
        std::any_of(o.members.begin(), o.members.end(), [&](auto const& m) { return m.name == quoted; }) ||
        std::find(o.excluded.begin(), o.excluded.end(), quoted.substr(1, quoted.size() - 2)) != o.excluded.end();
    if (!declared) o.excluded.push_back(quoted.substr(1, quoted.size() - 2));
  }
  if (!o.is_open) return;
  o.others_min = 1;
  out.alternatives.emplace_back(std::move(o));
}

bool normaliser::is_property(conjunction const& c, std::string const& name) {
  return std::any_of(c.objects.begin(), c.objects.end(), [&](object_view const& view) {
    return std::any_of(view.names.begin(), view.names.end(), [&](auto const& own) { return own.first == name; });
  });
}

bool normaliser::others(conjunction const& c, object_shape& o) {
  std::vector<std::string> patterns;
  for (auto const& view : c.objects)
    for (auto const& [pattern, unused] : view.patterns)
      if (std::find(patterns.begin(), patterns.end(), pattern) == patterns.end()) patterns.push_back(pattern);
  if (patterns.size() > name_patterns_max) {
    // Which patterns a name matches together decides its value: too many combinations.
    refuse("patternProperties", here(), "has more than 6 patterns for one object", errc::limit_reached);
    return false;
  }
  constexpr auto as = regex::spelling::json_string;
  auto in = std::make_shared<regex::arena>();
  std::vector<regex::node> parsed;
  for (auto const& pattern : patterns) {
    auto const p = regex::parse_pattern(*in, pattern, as);
    if (!p)
      return refuse("patternProperties", here(),
                    "has the pattern " + to_text(json(pattern)) + ", which " + p.error().message);
    parsed.push_back(*p);
  }
  std::vector<regex::node> allowed;
  bool every = true;
  for (std::size_t bits = 0; bits < (std::size_t{1} << patterns.size()); ++bits) {
    atoms value;
    for (auto const& view : c.objects) {
      bool known = false;
      for (auto const& [pattern, a] : view.patterns) {
        auto const i =
            static_cast<std::size_t>(std::find(patterns.begin(), patterns.end(), pattern) - patterns.begin());
        if (!(bits >> i & 1)) continue;
        known = true;
        if (a.schema) value.push_back(a);
      }
      if (!known && view.additional) value.push_back(*view.additional);
    }
    if (std::any_of(value.begin(), value.end(), [](atom const& a) { return !a.negated && *a.schema == json(false); })) {
      every = false;
      continue;
    }
    std::vector<regex::node> names{regex::any_text(*in, as)};
    std::vector<bool> label;
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      bool const is_in = (bits >> i & 1) != 0;
      label.push_back(is_in);
      names.push_back(is_in ? parsed[i] : in->negate(parsed[i]));
    }
    o.values[label] = goal(value);
    allowed.push_back(in->both(std::move(names)));
  }
  if (o.values.empty()) return true;
  o.is_open = true;
  regex::node language = in->either(std::move(allowed));
  for (auto const& a : c.member_names) {
    auto const names = name_language({a}, "propertyNames", *in);
    if (!names) return false;
    language = in->both({language, *names});
    every = false;
  }
  if (!every) {
    o.names = std::make_shared<lazy_text>(in, language);
    if (o.names->automaton.is_exhausted())
      return refuse("patternProperties", here(), "needs too many states", errc::limit_reached);
    if (o.names->automaton.start() == regex::automaton::dead) {
      o.is_open = false;
      o.values.clear();
      o.names = nullptr;
      return true;
    }
  }
  for (auto const& pattern : patterns) {
    auto own = std::make_shared<regex::arena>();
    o.patterns.push_back(std::make_shared<lazy_text>(own, regex::parse_pattern(*own, pattern, as).value()));
  }
  return true;
}

std::optional<regex::node> normaliser::name_language(atoms const& wanted, char const* keyword, regex::arena& in) {
  constexpr auto as = regex::spelling::json_string;
  auto const saved = std::exchange(current_, wanted);
  std::vector<conjunction> ways;
  std::vector<pending_atom> todo;
  for (auto const& a : wanted) todo.push_back({a, {0}, 0, false});
  conjunction start;
  start.types = t_string;
  expand(std::move(start), std::move(todo), ways);
  std::vector<regex::node> all;
  for (auto const& way : ways) {
    if (way.has_constants) {
      for (auto const* value : constants_of(current_))
        if (value->is_string()) all.push_back(regex::exact_text(in, value->get_ref<std::string const&>(), as));
      continue;
    }
    std::vector<regex::node> parts{
        regex::text_of_length(in, way.string_min, way.string_max == no_limit ? regex::unbounded : way.string_max, as)};
    for (auto const& [pattern, negated] : way.patterns) {
      auto const parsed = regex::parse_pattern(in, pattern, as);
      if (!parsed) {
        refuse(keyword, here(), "has the pattern " + to_text(json(pattern)) + ", which " + parsed.error().message);
        return std::nullopt;
      }
      parts.push_back(negated ? in.negate(*parsed) : *parsed);
    }
    for (auto const* value : way.not_these)
      if (value->is_string())
        parts.push_back(in.negate(regex::exact_text(in, value->get_ref<std::string const&>(), as)));
    all.push_back(in.both(std::move(parts)));
  }
  current_ = saved;
  if (failure_) return std::nullopt;
  return in.either(std::move(all));
}

}  // namespace normal_form

}  // namespace grammar
}  // namespace wherry::inline v0
