#pragma once
// The golden models: arrays of floats beside a manifest, and how near a result must come. The gates are those of the
// data's README.

#include "shared_data.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace wherry_test {

using json_value = nlohmann::json;

/// What an engine with f32 activations must keep to, and where a reference used a coarse GELU.
struct gates {
  double max_abs = 1e-4, kl = 1e-9;
};
inline constexpr gates tight, coarse_gelu{1e-2, 5e-6};

// The arrays of one .bin file by name.
class array_file {
 public:
  array_file(std::filesystem::path const& folder, json_value const& entry)
      : bytes_(read_file(folder / entry.at("file").get<std::string>())), entry_(entry) {}

  std::vector<float> operator[](std::string const& name) const {
    for (auto const& array : entry_.at("arrays")) {
      if (array.at("name") != name) continue;
      std::size_t count = 1;
      for (auto const& extent : array.at("shape")) count *= extent.get<std::size_t>();
      std::vector<float> values(count);
      std::memcpy(values.data(), bytes_.data() + array.at("offset").get<std::size_t>(), count * sizeof(float));
      return values;
    }
    FAIL("the manifest has no array " << name);
    return {};
  }

 private:
  std::string bytes_;
  json_value entry_;
};

struct difference {
  double max_abs = 0;
  double kl = 0;  // the worst row's Kullback-Leibler divergence from `want`
};

inline std::vector<double> log_softmax(std::span<float const> logits) {
  double const highest = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (double l : logits) total += std::exp(l - highest);
  std::vector<double> out;
  for (double l : logits) out.push_back(l - highest - std::log(total));
  return out;
}

inline difference compare(std::span<float const> got, std::span<float const> want, std::size_t vocabulary) {
  REQUIRE(got.size() == want.size());
  difference d;
  for (std::size_t row = 0; row < got.size(); row += vocabulary) {
    auto const p = log_softmax(want.subspan(row, vocabulary)), q = log_softmax(got.subspan(row, vocabulary));
    double kl = 0;
    for (std::size_t i = 0; i < vocabulary; ++i) {
      kl += std::exp(p[i]) * (p[i] - q[i]);
      d.max_abs = std::max(d.max_abs, std::abs(double{got[row + i]} - want[row + i]));
    }
    d.kl = std::max(d.kl, kl);
  }
  return d;
}

/// The manifest of a golden model, its folder, and the variants to test.
struct golden_model {
  std::filesystem::path folder;
  json_value manifest;

  explicit golden_model(std::string const& name)
      : folder(shared("models/golden/" + name)), manifest(json_value::parse(read_file(folder / "manifest.json"))) {}

  json_value const& variants() const { return manifest.at("variants"); }
  json_value const& prompts() const { return manifest.at("prompts"); }
  std::filesystem::path file(json_value const& variant) const { return folder / variant.at("file").get<std::string>(); }
};

}  // namespace wherry_test
