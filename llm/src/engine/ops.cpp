#include "engine/ops.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace wherry::inline v0::engine {
namespace {

// Multiply-adds that are worth handing to another thread: some microseconds.
constexpr std::size_t work_per_range = 1 << 16;

std::size_t grain_for(std::size_t work_per_item) {
  return std::max<std::size_t>(1, work_per_range / std::max<std::size_t>(1, work_per_item));
}

// One token's attention over one key/value head, for the query heads that share it.
void attend_one(pass& p, std::size_t layer, std::size_t token, std::size_t kv_head, float* scores) {
  std::size_t const width = p.c.head_width, group = p.c.heads / p.c.kv_heads;
  std::size_t const positions = p.first_position + token + 1;
  std::size_t const first_head = (token * p.c.heads + kv_head * group) * width;
  constexpr auto page_positions = sequence::page_positions;

  for (std::size_t begin = 0; begin < positions; begin += page_positions) {
    auto const* rows = p.cache.keys(layer, kv_head, begin / page_positions);
    p.kernels.matmul_f32({reinterpret_cast<unsigned char const*>(rows), width * sizeof(float),
                          std::min(page_positions, positions - begin), width, p.query + first_head, width, group,
                          scores + begin, p.score_stride});
  }
  float const scale = 1.0f / std::sqrt(static_cast<float>(width));
  for (std::size_t g = 0; g < group; ++g) p.kernels.layer.softmax(scores + g * p.score_stride, positions, scale);

  std::fill_n(p.attended + first_head, group * width, 0.0f);
  for (std::size_t begin = 0; begin < positions; begin += page_positions) {
    auto const* rows = p.cache.values(layer, kv_head, begin / page_positions);
    for (std::size_t g = 0; g < group; ++g)
      p.kernels.layer.add_weighted_rows(p.attended + first_head + g * width, rows, width,
                                        scores + g * p.score_stride + begin,
                                        std::min(page_positions, positions - begin), width);
  }
}

}  // namespace

void multiply(worker_pool& pool, matrix const& weights, float const* x, std::size_t tokens, float* out) {
  constexpr std::size_t rows_at_once = 4;  // what the kernels keep in registers
  auto const grain = (grain_for(weights.columns * tokens) + rows_at_once - 1) / rows_at_once * rows_at_once;
  pool.for_each_range(weights.rows, grain, [&](std::size_t begin, std::size_t end, unsigned) {
    weights.product({weights.data + begin * weights.row_bytes, weights.row_bytes, end - begin, weights.columns, x,
                     weights.columns, tokens, out + begin, weights.rows});
  });
}

void normalise(pass& p, std::span<float const> weight, float const* x, float* out) {
  std::size_t const width = weight.size();
  p.pool.for_each_range(p.tokens, grain_for(width), [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t t = begin; t < end; ++t)
      p.kernels.layer.rms_norm(out + t * width, x + t * width, weight.data(), width, p.c.norm_epsilon);
  });
}

void add_bias(pass& p, std::span<float const> bias, float* rows) {
  for (std::size_t t = 0; t < p.tokens; ++t)
    for (std::size_t i = 0; i < bias.size(); ++i) rows[t * bias.size() + i] += bias[i];
}

void normalise_heads(pass& p, std::span<float const> weight, float* rows, std::size_t heads) {
  if (weight.empty()) return;
  std::size_t const width = weight.size();
  for (std::size_t h = 0; h < p.tokens * heads; ++h)
    p.kernels.layer.rms_norm(rows + h * width, rows + h * width, weight.data(), width, p.c.norm_epsilon);
}

void rotate(pass& p, float* rows, std::size_t heads) {
  std::size_t const pairs = p.c.rope_width / 2;
  bool const halves = p.c.architecture->pairing == rope_pairing::halves;
  std::size_t const step = halves ? 1 : 2, partner = halves ? pairs : 1;
  for (std::size_t t = 0; t < p.tokens; ++t) {
    float const* const cosines = p.cosines + t * pairs;
    float const* const sines = p.sines + t * pairs;
    for (std::size_t h = 0; h < heads; ++h) {
      float* const head = rows + (t * heads + h) * p.c.head_width;
      for (std::size_t i = 0; i < pairs; ++i) {
        float const a = head[step * i], b = head[step * i + partner];
        head[step * i] = a * cosines[i] - b * sines[i];
        head[step * i + partner] = a * sines[i] + b * cosines[i];
      }
    }
  }
}

void remember(pass& p, std::size_t layer) {
  std::size_t const width = p.c.head_width;
  for (std::size_t t = 0; t < p.tokens; ++t) {
    std::size_t const position = p.first_position + t;
    std::size_t const page = position / sequence::page_positions, row = position % sequence::page_positions;
    for (std::size_t h = 0; h < p.c.kv_heads; ++h) {
      std::size_t const from = (t * p.c.kv_heads + h) * width;
      std::memcpy(p.cache.keys(layer, h, page) + row * width, p.key + from, width * sizeof(float));
      std::memcpy(p.cache.values(layer, h, page) + row * width, p.value + from, width * sizeof(float));
    }
  }
}

void attend(pass& p, std::size_t layer) {
  std::size_t const group = p.c.heads / p.c.kv_heads;
  std::size_t const work = 2 * (p.first_position + p.tokens) * group * p.c.head_width;
  p.pool.for_each_range(p.tokens * p.c.kv_heads, grain_for(work),
                        [&](std::size_t begin, std::size_t end, unsigned worker) {
                          float* const scores = p.scores + worker * group * p.score_stride;
                          for (std::size_t i = begin; i < end; ++i)
                            attend_one(p, layer, i / p.c.kv_heads, i % p.c.kv_heads, scores);
                        });
}

void gate_with_silu(pass& p) {
  std::size_t const width = p.c.feed_forward;
  p.pool.for_each_range(p.tokens, grain_for(8 * width), [&](std::size_t begin, std::size_t end, unsigned) {
    p.kernels.layer.swiglu(p.gate + begin * width, p.up + begin * width, (end - begin) * width);
  });
}

void add_to_hidden(pass& p, float const* change) {
  for (std::size_t i = 0; i < p.tokens * p.c.width; ++i) p.hidden[i] += change[i];
}

}  // namespace wherry::inline v0::engine
