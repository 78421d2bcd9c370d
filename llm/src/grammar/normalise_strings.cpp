// Strings of all alternatives of a shape become one language.

#include "grammar/normaliser.hpp"

namespace wherry::inline v0 {
namespace grammar {
namespace normal_form {

void normaliser::finish_string(conjunction const& c) {
  if (c.string_min > c.string_max) {
    no_value("minLength", here());
    return;
  }
  string_limits limits{c.patterns, {}, c.string_min, c.string_max};
  for (auto const* v : c.not_these)
    if (v->is_string()) limits.not_these.insert(v->get<std::string>());
  strings_.insert(std::move(limits));
}

void normaliser::finish_strings(shape& out) {
  if (strings_.empty()) return;
  bool const any = std::any_of(strings_.begin(), strings_.end(),
                               [](auto const& l) { return l.is_plain() && l.min == 0 && l.max == no_limit; });
  if (any) strings_ = {string_limits{}};
  if (strings_.size() == 1 && strings_.begin()->is_plain()) {
    auto const [min, max] = std::pair(strings_.begin()->min, strings_.begin()->max);
    if (min > bounds_.string_bytes) {
      refuse("minLength", here(), "is above the bound string_bytes");
      return;
    }
    out.alternatives.emplace_back(
        string_shape{min, std::min(max, bounds_.string_bytes), bounds_.string_bytes, nullptr, nullptr});
    return;
  }
  auto raw = raw_without_ ? text_language(regex::spelling::utf8) : nullptr;
  if (failure_) return;
  std::size_t const max = take_out_greatest_length();
  auto language = text_language(regex::spelling::json_string);
  if (failure_ || !language) return;
  if (language->automaton.start() == regex::automaton::dead) {
    no_value("pattern", here());
    return;
  }
  out.alternatives.emplace_back(string_shape{0, max, no_limit, std::move(language), std::move(raw)});
}

std::size_t normaliser::take_out_greatest_length() {
  std::size_t const max = strings_.begin()->max;
  if (max == no_limit) return no_limit;
  std::set<string_limits> without;
  for (string_limits limits : strings_) {
    if (limits.max != max || limits.is_plain()) return no_limit;
    limits.max = no_limit;
    without.insert(std::move(limits));
  }
  strings_.swap(without);
  auto const language = text_language(regex::spelling::json_string);
  auto const start = language ? language->automaton.start() : regex::automaton::dead;
  if (start != regex::automaton::dead && language->automaton.is_infinite(start) &&
      language->completion(start, tokens_.has_byte).size() <= max)
    return max;
  strings_.swap(without);
  return no_limit;
}

std::shared_ptr<lazy_text> normaliser::text_language(regex::spelling as) {
  std::pair const key{as, strings_};
  if (auto const known = languages_.find(key); known != languages_.end()) return known->second;
  auto in = std::make_shared<regex::arena>();
  std::vector<regex::node> ways;
  for (auto const& limits : strings_) ways.push_back(language_of(*in, limits, as));
  if (failure_) return nullptr;
  regex::node whole = in->either(std::move(ways));
  if (as == regex::spelling::utf8) {
    for (auto const& word : *raw_without_) {
      auto const around = in->cat(regex::arena::all, in->cat(in->literal(word), regex::arena::all));
      whole = in->both({whole, in->negate(around)});
    }
  }
  auto made_language = std::make_shared<lazy_text>(in, whole);
  if (made_language->automaton.is_exhausted()) {
    refuse("pattern", here(), "needs too many states", errc::limit_reached);
    return nullptr;
  }
  return languages_[key] = made_language;
}

regex::node normaliser::language_of(regex::arena& in, string_limits const& limits, regex::spelling as) {
  auto const base = [&](regex::arena& arena) {
    std::vector<regex::node> all{regex::any_text(arena, as)};
    for (auto const& [pattern, negated] : limits.patterns) {
      auto const parsed = regex::parse_pattern(arena, pattern, as);
      if (!parsed) {
        refuse("pattern", here(), "has the pattern " + to_text(json(pattern)) + ", which " + parsed.error().message);
        return regex::arena::none;
      }
      all.push_back(negated ? arena.negate(*parsed) : *parsed);
    }
    for (auto const& text : limits.not_these) all.push_back(arena.negate(regex::exact_text(arena, text, as)));
    return arena.both(std::move(all));
  };
  regex::node const language = base(in);
  if (limits.min == 0 && limits.max == no_limit) return language;
  // Often the pattern keeps to the lengths by itself; counting would cost a state for each character.
  if (!limits.is_plain() && strings_.size() == 1 && is_within(base, limits.min, limits.max, as)) return language;
  return in.both(
      {language, regex::text_of_length(in, limits.min, limits.max == no_limit ? regex::unbounded : limits.max, as)});
}

template <class F>
bool normaliser::is_within(F const& base, std::size_t min, std::size_t max, regex::spelling as) {
  if (min > 1'000 || (max != no_limit && max > 1'000)) return false;
  auto in = std::make_shared<regex::arena>();
  regex::node const language = base(*in);
  regex::node const outside = in->negate(regex::text_of_length(*in, min, max == no_limit ? regex::unbounded : max, as));
  regex::automaton difference(in, in->both({language, outside}), length_states_max);
  return difference.start() == regex::automaton::dead && !difference.is_exhausted();
}

}  // namespace normal_form

}  // namespace grammar
}  // namespace wherry::inline v0
