#pragma once
// The one JSON type, declared only. Include <wherry/core/json.hpp> to use its members.

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace wherry::inline v0 {

/// JSON with members in declaration order: order reaches prompts and caches, so it is kept.
using json = nlohmann::ordered_json;

/// JSON kept as text. Made by functions that have checked it; the text is what came, byte for byte.
struct raw_json {
  std::string text;
  friend bool operator==(raw_json const&, raw_json const&) = default;
};

}  // namespace wherry::inline v0
