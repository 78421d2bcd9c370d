#pragma once
// Types that the schema tests describe.

#include <wherry/llm/schema.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace schema_types {

struct forecast_in {
  std::string city;
  std::optional<int> days;
  bool operator==(forecast_in const&) const = default;
};

enum class color : std::uint8_t { red, green = 5, blue };

struct circle {
  double radius;
  bool operator==(circle const&) const = default;
};
struct square {
  double side;
  std::optional<std::string> label;
  bool operator==(square const&) const = default;
};

struct node {
  std::string name;
  std::vector<node> children;
  bool operator==(node const&) const = default;
};

struct everything {
  bool flag = false;
  std::int8_t tiny = 0;
  std::uint16_t port = 0;
  std::int64_t big = 0;
  std::uint64_t huge = 0;
  float ratio = 0;
  double amount = 0;
  std::string text;
  color paint = color::red;
  std::vector<bool> bits;
  std::vector<std::optional<int>> gaps;
  std::map<std::string, std::vector<double>> series;
  std::optional<forecast_in> forecast;
  std::variant<circle, square> figure;
  node tree;
  bool operator==(everything const&) const = default;
};

struct order {
  std::string code;
  std::vector<std::string> lines;
  std::optional<double> discount;
  std::int64_t serial;
};

struct thirty_two {
  int a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, c0, c1, c2, c3, c4, c5, c6, c7,
      c8, c9, d0, last;
};

}  // namespace schema_types

template <>
inline constexpr auto wherry::describe<schema_types::forecast_in> =
    std::tuple{wherry::field<&schema_types::forecast_in::city>("City, e.g. Seoul"),
               wherry::field<&schema_types::forecast_in::days>("Days ahead").range(0, 7)};
template <>
inline constexpr auto wherry::describe<schema_types::order> =
    std::tuple{wherry::field<&schema_types::order::discount>("Share off").range(0, 0.5),
               wherry::field<&schema_types::order::code>().length(2, 4),
               wherry::field<&schema_types::order::lines>("What is bought").items(1, 2)};
