#include "grammar/number_automaton.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace wherry::inline v0 {
namespace grammar {

namespace {

using schema::decimal;

// A magnitude as its digits before and after the point.
struct magnitude {
  std::string whole = "0", fraction;
};

magnitude magnitude_of(decimal d) {
  d.negative = false;
  std::string const text = schema::plain_text(d);
  std::size_t const point = std::min(text.find('.'), text.size());
  return {text.substr(0, point), point < text.size() ? text.substr(point + 1) : std::string()};
}

// The magnitudes between two limits, read digit by digit. A place knows how many digits were read, how they compare
// with the beginnings of the limits, and the rest of a division by the step.
class builder {
 public:
  builder(number_limits const& limits, text_automaton& out) : limits_(limits), out_(out) {}

  bool too_large = false;

  void build() {
    if (limits_.step) {
      auto const step = magnitude_of(*limits_.step);
      places_ = step.fraction.size();
      std::string const scaled = step.whole + step.fraction;
      if (scaled.size() > 15) {
        too_large = true;
        return;
      }
      divisor_ = std::stoull(scaled);
    }
    auto const start = out_.add(false);
    bool const low_negative = !limits_.min || limits_.min->negative;
    bool const high_negative =
        limits_.max && (limits_.max->negative || (limits_.max->is_zero() && limits_.max_excluded));
    // not negative: from max(0, min) to max
    if (!high_negative) {
      range r;
      if (!low_negative) r.low = magnitude_of(*limits_.min), r.low_open = limits_.min_excluded;
      if (limits_.max) r.high = magnitude_of(*limits_.max), r.high_open = limits_.max_excluded;
      magnitudes(r, start, limits_.max.has_value(), "9223372036854775807");
    }
    // negative: magnitudes from -max to -min
    bool const reaches_below = !limits_.min || limits_.min->negative;
    if (reaches_below) {
      range r;
      if (high_negative) {
        r.low = magnitude_of(*limits_.max), r.low_open = limits_.max_excluded;
      } else if (limits_.is_integer) {
        r.low_open = true;  // no -0
      }
      if (limits_.min) r.high = magnitude_of(*limits_.min), r.high_open = limits_.min_excluded;
      auto const minus = out_.add(false);
      out_.edge(start, '-', '-', minus);
      magnitudes(r, minus, limits_.min.has_value(), "9223372036854775808");
    }
  }

 private:
  struct range {
    magnitude low, high;
    bool low_open = false, high_open = false;
  };
  static int compared(int so_far, std::string_view limit, std::size_t at, char digit) {
    if (so_far != 0) return so_far;
    char const other = at < limit.size() ? limit[at] : '0';
    return (digit > other) - (digit < other);
  }
  std::uint64_t next_rest(std::uint64_t rest, char digit) const {
    return (rest * 10 + static_cast<std::uint64_t>(digit - '0')) % divisor_;
  }

  using state = text_automaton::state;
  using place = std::tuple<std::size_t, int, int, std::uint64_t>;

  state add(bool border) {
    if (out_.size() >= number_states_max) {
      too_large = true;
      return 0;
    }
    return out_.add(border);
  }

  void magnitudes(range r, state from, bool has_high, std::string const& largest) {
    if (!has_high) {
      r.high.whole = std::string(std::max(limits_.digits, r.low.whole.size()), '9');
      bool const fits =
          r.low.whole.size() < largest.size() || (r.low.whole.size() == largest.size() && r.low.whole < largest);
      if (limits_.is_integer && fits) r.high.whole = largest;
      r.high.fraction = std::string(limits_.is_integer ? 0 : std::max(limits_.digits, r.low.fraction.size()), '9');
      r.high_open = false;
    }
    fractions_.clear();
    std::map<place, state> known;
    std::vector<place> open;
    place const first{0, 0, 0, 0};
    known[first] = from;
    open.push_back(first);
    auto const against = [](std::size_t digits, int prefix, std::string const& limit) {
      return digits == limit.size() ? prefix : digits < limit.size() ? -1 : 1;
    };
    auto const settle = [&](state here, std::size_t digits, int to_low, int to_high, std::uint64_t rest) {
      int const below = against(digits, to_low, r.low.whole), above = against(digits, to_high, r.high.whole);
      if (below >= 0 && above <= 0) fraction(r, here, 0, below, above, rest);
    };
    while (!open.empty() && !too_large) {
      place const at = open.back();
      open.pop_back();
      auto const [digits, to_low, to_high, rest] = at;
      state const here = known[at];
      if (digits == r.high.whole.size()) continue;
      for (char digit = digits == 0 ? '1' : '0'; digit <= '9' && !too_large; ++digit) {
        place const next{digits + 1,
                         digits < r.low.whole.size() ? compared(to_low, r.low.whole, digits, digit)
                                                     : (digits == r.low.whole.size() ? 1 : to_low),
                         compared(to_high, r.high.whole, digits, digit), next_rest(rest, digit)};
        auto const [it, is_new] = known.try_emplace(next, state{0});
        if (is_new) {
          it->second = add(false);
          if (too_large) return;
          settle(it->second, std::get<0>(next), std::get<1>(next), std::get<2>(next), std::get<3>(next));
          open.push_back(next);
        }
        out_.edge(here, static_cast<unsigned>(digit), static_cast<unsigned>(digit), it->second);
      }
    }
    if (r.low.whole != "0" || too_large) return;
    state const zero = add(false);
    if (too_large) return;
    out_.edge(from, '0', '0', zero);
    fraction(r, zero, 0, 0, r.high.whole == "0" ? 0 : -1, 0);
  }

  // The whole part stands; how does it end? Marks `here` when the number may end, and adds the digits after the point.
  void fraction(range const& r, state here, std::size_t digits, int to_low, int to_high, std::uint64_t rest) {
    using fraction_place = std::tuple<std::size_t, int, int, std::uint64_t>;
    constexpr std::size_t zeros_max = 2;  // behind the last digit a multiple can have: 6000.0
    std::size_t digits_max = std::max({limits_.digits, r.low.fraction.size() + 1, r.high.fraction.size() + 1});
    if (limits_.step && !limits_.step_excluded) digits_max = places_ + zeros_max;
    if (limits_.is_integer) digits_max = 0;
    std::vector<std::pair<fraction_place, state>> open{{{digits, to_low, to_high, rest}, here}};
    auto const ends = [&](fraction_place const& p) {
      auto const& [count, low, high, left] = p;
      bool const reaches_low = low > 0 || (low == 0 && count >= r.low.fraction.size() && !r.low_open);
      bool const below_high = high < 0 || (high == 0 && (!r.high_open || count < r.high.fraction.size()));
      // high == 0 with digits of the limit left: what was read is smaller than the limit
      if (!reaches_low || !below_high) return false;
      if (!limits_.step) return true;
      std::uint64_t scaled = left;
      for (std::size_t i = count; i < places_; ++i) scaled = scaled * 10 % divisor_;
      return (scaled == 0) != limits_.step_excluded;
    };
    while (!open.empty() && !too_large) {
      auto const [at, from] = open.back();
      open.pop_back();
      auto const [count, low, high, left] = at;
      if (ends(at)) out_.set_border(from);
      if (count == digits_max) continue;
      state before_digit = from;
      if (count == 0) {
        before_digit = add(false);
        if (too_large) return;
        out_.edge(from, '.', '.', before_digit);
      }
      bool const is_behind = limits_.step && count >= places_;  // where only zeros leave a multiple one
      bool const only_zeros = is_behind && !limits_.step_excluded;
      for (char digit = '0'; digit <= (only_zeros ? '0' : '9'); ++digit) {
        fraction_place const next{count + 1, compared(low, r.low.fraction, count, digit),
                                  compared(high, r.high.fraction, count, digit),
                                  !limits_.step ? left
                                  : !is_behind  ? next_rest(left, digit)
                                                : left + (left == 0 && digit != '0' ? 1 : 0)};
        if (std::get<1>(next) < 0 || std::get<2>(next) > 0) continue;
        auto const [it, is_new] = fractions_.try_emplace(next, state{0});
        if (is_new) {
          it->second = add(false);
          if (too_large) return;
          open.emplace_back(next, it->second);
        }
        out_.edge(before_digit, static_cast<unsigned>(digit), static_cast<unsigned>(digit), it->second);
      }
    }
  }

  number_limits const& limits_;
  text_automaton& out_;
  std::uint64_t divisor_ = 1;
  std::size_t places_ = 0;
  std::map<place, state> fractions_;  // of one sign: what follows depends on nothing else
};

// Any number, with a fraction and an exponent.
void plain_number(std::size_t digits, text_automaton& out) {
  digits = std::max<std::size_t>(digits, 1);
  auto const start = out.add(false), minus = out.add(false), zero = out.add(true);
  out.edge(start, '-', '-', minus);
  auto const point = out.add(false), e = out.add(false), sign = out.add(false), e1 = out.add(true), e2 = out.add(true);
  auto const tail = [&](text_automaton::state from, bool may_have_point) {
    if (may_have_point) out.edge(from, '.', '.', point);
    out.edge(from, 'e', 'e', e);
    out.edge(from, 'E', 'E', e);
  };
  for (auto const from : {start, minus}) out.edge(from, '0', '0', zero);
  tail(zero, true);
  text_automaton::state previous = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    auto const digit = out.add(true);
    tail(digit, true);
    if (i == 0) {
      for (auto const from : {start, minus}) out.edge(from, '1', '9', digit);
    } else {
      out.edge(previous, '0', '9', digit);
    }
    previous = digit;
  }
  previous = point;
  for (std::size_t i = 0; i < digits; ++i) {
    auto const digit = out.add(true);
    tail(digit, false);
    out.edge(previous, '0', '9', digit);
    previous = digit;
  }
  out.edge(e, '+', '+', sign);
  out.edge(e, '-', '-', sign);
  out.edge(e, '0', '9', e1);
  out.edge(sign, '0', '9', e1);
  out.edge(e1, '0', '9', e2);
}

}  // namespace

std::shared_ptr<text_automaton const> number_automaton(number_limits const& limits, bool& too_large) {
  auto out = std::make_shared<text_automaton>();
  too_large = false;
  if (limits.is_plain() && !limits.is_integer) {
    plain_number(limits.digits, *out);
    return out;
  }
  builder b(limits, *out);
  b.build();
  if (b.too_large) {
    too_large = true;
    return nullptr;
  }
  return out->keep_what_ends() ? out : nullptr;
}

}  // namespace grammar
}  // namespace wherry::inline v0
