#include "demo_tools.hpp"

#include <wherry/core/hash.hpp>
#include <wherry/core/random.hpp>

#include <array>
#include <string>

namespace wherry::cli {

enum class length_unit : std::uint8_t { millimetre, centimetre, metre, kilometre, inch, foot, yard, mile };

struct length_in {
  double value = 0;
  length_unit from = length_unit::metre;
  length_unit to = length_unit::foot;
};

struct dice_in {
  int sides = 6;
  std::optional<int> count;
};

struct weather_in {
  std::string city;
  std::optional<int> days;
};

}  // namespace wherry::cli

template <>
inline constexpr auto wherry::describe<wherry::cli::length_in> =
    std::tuple{wherry::field<&wherry::cli::length_in::value>("How many of the first unit")};
template <>
inline constexpr auto wherry::describe<wherry::cli::dice_in> =
    std::tuple{wherry::field<&wherry::cli::dice_in::sides>("Sides of each die").range(2, 100),
               wherry::field<&wherry::cli::dice_in::count>("How many dice; one if absent").range(1, 10)};
template <>
inline constexpr auto wherry::describe<wherry::cli::weather_in> =
    std::tuple{wherry::field<&wherry::cli::weather_in::city>("City, e.g. Seoul").length(1, 24),
               wherry::field<&wherry::cli::weather_in::days>("Days ahead; today if absent").range(0, 7)};

namespace wherry::cli {
namespace {

struct length_out {
  double value = 0;
  length_unit unit = length_unit::metre;
};

// Whole numbers, so that twelve inches are one foot.
constexpr double micrometres_of(length_unit unit) noexcept {
  constexpr std::array micrometres{1e3, 1e4, 1e6, 1e9, 25'400.0, 304'800.0, 914'400.0, 1'609'344'000.0};
  return micrometres[static_cast<std::size_t>(unit)];
}

length_out convert_length(length_in const& in) {
  return {in.value * micrometres_of(in.from) / micrometres_of(in.to), in.to};
}

struct dice_out {
  std::vector<int> shown;
  int sum = 0;
};

// Each call draws at a place of its own, so its dice do not depend on what ran beside it.
dice_out roll(std::uint64_t seed, tool_context const& context, dice_in const& in) {
  dice_out out;
  draw_key key{.run = seed, .step = crc32(context.call_id)};
  for (int i = 0; i < in.count.value_or(1); ++i) {
    key.position = static_cast<std::uint32_t>(i);
    out.shown.push_back(1 + static_cast<int>(uniform(key) * in.sides));
    out.sum += out.shown.back();
  }
  return out;
}

struct forecast {
  std::string city;
  int days = 0;
  std::string sky;
  int low_celsius = 0;
  int high_celsius = 0;
};

// A made-up forecast that depends on nothing but city and day.
forecast weather(weather_in const& in) {
  constexpr std::array skies{"clear", "some clouds", "overcast", "rain", "wind", "fog"};
  int const days = in.days.value_or(0);
  draw_key const place{.run = crc32(in.city), .step = static_cast<std::uint32_t>(days)};
  int const low = static_cast<int>(uniform(place, 0) * 20) - 2;
  int const rise = 3 + static_cast<int>(uniform(place, 1) * 10);
  auto const* const sky = skies[static_cast<std::size_t>(uniform(place, 2) * skies.size())];
  return {in.city, days, sky, low, low + rise};
}

}  // namespace

std::vector<tool> demo_tools(std::uint64_t seed) {
  auto const dice = [seed](tool_context const& context, dice_in const& in) { return roll(seed, context, in); };
  return {tool("convert_length", "Converts a length from one unit to another.", convert_length).reads(),
          tool("dice", "Rolls dice and adds them up.", dice).reads(),
          tool("weather", "Weather forecast of a city.", weather).reads()};
}

std::vector<std::string> demo_tool_names() {
  std::vector<std::string> names;
  for (auto const& t : demo_tools()) names.push_back(t.name());
  return names;
}

}  // namespace wherry::cli
