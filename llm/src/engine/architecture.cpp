#include "engine/architecture.hpp"

#include <array>

namespace wherry::inline v0::engine {
namespace {

constexpr std::array keys_not_computed{
    neutral_key{"attention.clamp_kqv", 0},         neutral_key{"attention.max_alibi_bias", 0},
    neutral_key{"attention.q_lora_rank", 0},       neutral_key{"attention.kv_lora_rank", 0},
    neutral_key{"expert_shared_count", 0},         neutral_key{"expert_group_count", 0},
    neutral_key{"expert_weights_scale", 1},        neutral_key{"leading_dense_block_count", 0},
    neutral_key{"moe_every_n_layers", 0},          neutral_key{"attention.temperature_length", 0},
    neutral_key{"attention.temperature_scale", 0}, neutral_key{"use_parallel_residual", 0},
};

constexpr std::array architectures{
    // Decoders.
    architecture{.name = "llama", .pairing = rope_pairing::neighbours},
    architecture{.name = "qwen2", .pairing = rope_pairing::halves, .projection_bias = true},
    architecture{.name = "qwen3", .pairing = rope_pairing::halves, .heads = head_norm::each_head},
    architecture{.name = "qwen3moe", .pairing = rope_pairing::halves, .heads = head_norm::each_head},
    architecture{.name = "olmoe",
                 .pairing = rope_pairing::halves,
                 .heads = head_norm::whole_row,
                 .experts = expert_weights_rule::softmax_then_choose},
    architecture{.name = "phi3", .pairing = rope_pairing::halves},
    architecture{.name = "gemma",
                 .pairing = rope_pairing::halves,
                 .gate = activation::gelu,
                 .embedding_by_root_width = true,
                 .unverified = true},
    architecture{.name = "gemma2",
                 .pairing = rope_pairing::halves,
                 .gate = activation::gelu,
                 .sublayer_norms = true,
                 .embedding_by_root_width = true,
                 .full_attention_every = 2,
                 .layers_scaled_by_width = 46},
    architecture{.name = "gemma3",
                 .pairing = rope_pairing::halves,
                 .heads = head_norm::each_head,
                 .gate = activation::gelu,
                 .sublayer_norms = true,
                 .embedding_by_root_width = true,
                 .full_attention_every = 6,
                 .windowed_rope_base = 10000,
                 .layers_scaled_by_width = 62},
    architecture{.name = "granite", .pairing = rope_pairing::neighbours},
    architecture{.name = "smollm3", .pairing = rope_pairing::neighbours, .unrotated_every = 4},
    architecture{.name = "gpt2",
                 .norm = norm_kind::layer,
                 .learned_positions = true,
                 .projection_bias = true,
                 .gate = activation::gelu,
                 .gated = false},
    architecture{.name = "lfm2",
                 .pairing = rope_pairing::halves,
                 .heads = head_norm::each_head,
                 .output_norm = "token_embd_norm",
                 .unverified = true},
    architecture{.name = "gpt-oss",
                 .pairing = rope_pairing::halves,
                 .projection_bias = true,
                 .gate = activation::silu_clamped,
                 .experts = expert_weights_rule::choose_then_softmax,
                 .full_attention_every = 2,
                 .feed_forward_norm = "post_attention_norm",
                 .unverified = true},
    // Encoders. BERT's own activation is the exact GELU.
    architecture{.name = "bert",
                 .kind = model_kind::encoder,
                 .norm = norm_kind::layer,
                 .learned_positions = true,
                 .gate = activation::gelu_erf,
                 .gated = false},
    architecture{
        .name = "nomic-bert", .kind = model_kind::encoder, .norm = norm_kind::layer, .pairing = rope_pairing::halves},
    // Encoder-decoders. The gated form is T5 1.1's; the first T5 has no gate and a ReLU.
    architecture{.name = "t5", .kind = model_kind::encoder_decoder, .gate = activation::gelu},
};

std::string names(model_kind const* kind) {
  std::string out;
  for (auto const& row : architectures)
    if (!kind || row.kind == *kind) out += (out.empty() ? "" : ", ") + std::string(row.name);
  return out;
}

}  // namespace

std::span<neutral_key const> not_computed() noexcept { return keys_not_computed; }

architecture const* find_architecture(std::string_view name) noexcept {
  for (auto const& row : architectures)
    if (row.name == name) return &row;
  return nullptr;
}

std::string supported_architectures(model_kind kind) { return names(&kind); }
std::string supported_architectures() { return names(nullptr); }

}  // namespace wherry::inline v0::engine
