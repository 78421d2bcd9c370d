#include "engine/architecture.hpp"

#include <array>

namespace wherry::inline v0::engine {
namespace {

// What none of the rows below computes.
constexpr std::array plain_decoder{
    neutral_key{"expert_count", 0},
    neutral_key{"expert_used_count", 0},
    neutral_key{"attention.scale", 0},
    neutral_key{"attention.clamp_kqv", 0},
    neutral_key{"attention.max_alibi_bias", 0},
    neutral_key{"attn_logit_softcapping", 0},
    neutral_key{"final_logit_softcapping", 0},
    neutral_key{"logit_scale", 1},
    neutral_key{"embedding_scale", 1},
    neutral_key{"residual_scale", 1},
    neutral_key{"attention.sliding_window", 0},
    neutral_key{"rope.scale_linear", 1},
    neutral_key{"rope.scaling.attn_factor", 1},
};

constexpr std::array architectures{
    architecture{"llama", rope_pairing::neighbours, false, false, plain_decoder},
    architecture{"qwen2", rope_pairing::halves, true, false, plain_decoder},
    architecture{"qwen3", rope_pairing::halves, false, true, plain_decoder},
};

}  // namespace

architecture const* find_architecture(std::string_view name) noexcept {
  for (auto const& row : architectures)
    if (row.name == name) return &row;
  return nullptr;
}

std::string_view supported_architectures() noexcept { return "llama, qwen2, qwen3"; }

}  // namespace wherry::inline v0::engine
