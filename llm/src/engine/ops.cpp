#include "engine/ops.hpp"

#include "engine/tensor_rows.hpp"
#include "engine/work.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace wherry::inline v0::engine {
namespace {

void add_bias(std::span<float const> bias, float* rows, std::size_t count) {
  for (std::size_t t = 0; t < count; ++t)
    for (std::size_t i = 0; i < bias.size(); ++i) rows[t * bias.size() + i] += bias[i];
}

template <class Index>
void add_table_rows(pass& p, matrix const& table, Index const& index_of) {
  std::size_t const width = p.c.width;
  std::vector<float> row(width);
  for (std::size_t t = 0; t < p.tokens; ++t) {
    unpack_row(table.type, table.data + index_of(t) * table.row_bytes, row);
    for (std::size_t i = 0; i < width; ++i) p.hidden[t * width + i] += row[i];
  }
}

// out += strength * B (A x), for the rows of B that this matrix stands for.
void add_adapter(pass& p, adapter_pair const& pair, float strength, matrix const& weights, float const* x,
                 std::size_t rows, float* out) {
  auto const floats = [](std::vector<float> const& values) {
    return reinterpret_cast<std::uint8_t const*>(values.data());
  };
  matrix down{tensor_type::f32,     pair.rank, pair.columns, pair.columns * sizeof(float), floats(pair.down),
              p.kernels.matmul_f32, {}};
  matrix const whole{tensor_type::f32,     pair.rows, pair.rank, pair.rank * sizeof(float), floats(pair.up),
                     p.kernels.matmul_f32, {}};
  matrix const up = whole.slice(weights.place.first_row, weights.rows);
  std::vector<float> low(rows * pair.rank), high(rows * weights.rows);
  multiply(p.pool, down, x, rows, low.data());
  multiply(p.pool, up, low.data(), rows, high.data());
  for (std::size_t i = 0; i < high.size(); ++i) out[i] += strength * high[i];
}

}  // namespace

void multiply(worker_pool& pool, matrix const& weights, float const* x, std::size_t rows, float* out) {
  constexpr std::size_t rows_at_once = 4;  // what the kernels keep in registers
  auto const grain = (grain_for(weights.columns * rows) + rows_at_once - 1) / rows_at_once * rows_at_once;
  pool.for_each_range(weights.rows, grain, [&](std::size_t begin, std::size_t end, unsigned) {
    weights.product({weights.data + begin * weights.row_bytes, weights.row_bytes, end - begin, weights.columns, x,
                     weights.columns, rows, out + begin, weights.rows});
  });
}

void multiply(pass& p, linear const& weights, float const* x, std::size_t rows, float* out) {
  multiply(p.pool, weights.weight, x, rows, out);
  add_bias(weights.bias, out, rows);
  for (auto const& active : p.adapters) {
    auto const pair = active.adapter->pairs.find(weights.weight.place.tensor);
    if (pair != active.adapter->pairs.end())
      add_adapter(p, pair->second, active.strength * pair->second.scale, weights.weight, x, rows, out);
  }
}

void embed(pass& p, matrix const& table, std::span<token_id const> ids, float scale) {
  std::size_t const width = p.c.width;
  for (std::size_t t = 0; t < ids.size(); ++t) {
    std::span const row(p.hidden + t * width, width);
    unpack_row(table.type, table.data + static_cast<std::size_t>(ids[t]) * table.row_bytes, row);
    if (scale != 1)
      for (float& v : row) v *= scale;
  }
}

void add_rows(pass& p, matrix const& table, std::span<std::uint8_t const> indices) {
  add_table_rows(p, table, [indices](std::size_t t) { return std::size_t{indices[t]}; });
}

void add_positions(pass& p, matrix const& table) {
  add_table_rows(p, table, [&p](std::size_t t) { return p.position_of(t); });
}

void normalise(pass& p, norm_weights const& weights, float const* x, float* out) {
  std::size_t const width = weights.weight.size();
  if (width == 0) {
    if (out != x) std::memcpy(out, x, p.tokens * p.c.width * sizeof(float));
    return;
  }
  p.pool.for_each_range(p.tokens, grain_for(width), [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t t = begin; t < end; ++t) {
      float const* const row = x + t * width;
      if (weights.bias.empty())
        p.kernels.layer.rms_norm(out + t * width, row, weights.weight.data(), width, p.c.norm_epsilon);
      else
        p.kernels.layer.layer_norm(out + t * width, row, weights.weight.data(), weights.bias.data(), width,
                                   p.c.norm_epsilon);
    }
  });
}

void normalise_heads(pass& p, std::span<float const> weight, float* rows, std::size_t heads) {
  if (weight.empty()) return;
  std::size_t const width = weight.size(), count = p.tokens * heads * p.c.head_width / width;
  for (std::size_t h = 0; h < count; ++h)
    p.kernels.layer.rms_norm(rows + h * width, rows + h * width, weight.data(), width, p.c.norm_epsilon);
}

void rotate(pass& p, rotation_kind kind, float* rows, std::size_t heads) {
  if (kind == rotation_kind::none) return;
  auto const& turns = kind == rotation_kind::windowed ? p.windowed : p.full;
  std::size_t const pairs = p.c.rope_width / 2;
  bool const halves = p.c.architecture->pairing == rope_pairing::halves;
  std::size_t const step = halves ? 1 : 2, partner = halves ? pairs : 1;
  for (std::size_t t = 0; t < p.tokens; ++t) {
    float const* const cosines = turns.cosines + t * pairs;
    float const* const sines = turns.sines + t * pairs;
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

void gate(pass& p, activation kind, std::size_t rows, std::size_t width) {
  if (kind == activation::relu || kind == activation::gelu_erf) {  // no kernel of their own
    activate(p, kind, p.gate, rows, width);
    for (std::size_t i = 0; i < rows * width; ++i) p.gate[i] *= p.up[i];
    return;
  }
  auto const& layer = p.kernels.layer;
  auto const kernel = kind == activation::silu   ? layer.swiglu
                      : kind == activation::gelu ? layer.geglu
                                                 : layer.swiglu_clamped;
  p.pool.for_each_range(rows, grain_for(8 * width), [&](std::size_t begin, std::size_t end, unsigned) {
    kernel(p.gate + begin * width, p.up + begin * width, (end - begin) * width);
  });
}

void activate(pass& p, activation kind, float* x, std::size_t rows, std::size_t width) {
  p.pool.for_each_range(rows, grain_for(8 * width), [&](std::size_t begin, std::size_t end, unsigned) {
    float* const from = x + begin * width;
    std::size_t const count = (end - begin) * width;
    switch (kind) {
      case activation::gelu: p.kernels.layer.gelu(from, count); return;
      case activation::gelu_erf: p.kernels.layer.gelu_erf(from, count); return;
      case activation::relu:
        for (std::size_t i = 0; i < count; ++i) from[i] = std::max(from[i], 0.0f);
        return;
      case activation::silu:
      case activation::silu_clamped: assert(!"these stand in gated networks only");
    }
  });
}

void convolve(pass& p, std::size_t layer, std::span<float const> kernel, float* out) {
  std::size_t const width = p.c.width, taps = kernel.size() / width;
  constexpr auto page_positions = sequence::page_positions;
  for (auto const& s : p.segments) {
    std::vector<float> kept_here(s.cache ? 0 : s.rows * width);  // a text without a cache keeps its rows here
    auto const kept = [&](std::size_t position) {
      return s.cache ? s.cache->rows(layer, position / page_positions) + position % page_positions * width
                     : kept_here.data() + position * width;
    };
    for (std::size_t t = 0; t < s.rows; ++t) {
      std::size_t const position = s.first_position + t;
      float const* const in_gate = p.mixed + (s.first_row + t) * 3 * width;
      float const* const out_gate = in_gate + width;
      float const* const values = out_gate + width;
      float* const here = kept(position);
      for (std::size_t i = 0; i < width; ++i) here[i] = in_gate[i] * values[i];
      float* const sum = out + (s.first_row + t) * width;
      std::fill_n(sum, width, 0.0f);
      for (std::size_t tap = taps > position + 1 ? taps - 1 - position : 0; tap < taps; ++tap) {
        float const* const earlier = kept(position + 1 + tap - taps);
        for (std::size_t i = 0; i < width; ++i) sum[i] += kernel[tap * width + i] * earlier[i];
      }
      for (std::size_t i = 0; i < width; ++i) sum[i] *= out_gate[i];
    }
  }
}

void add_to_hidden(pass& p, float const* change, float scale) {
  std::size_t const count = p.tokens * p.c.width;
  if (scale == 1)
    for (std::size_t i = 0; i < count; ++i) p.hidden[i] += change[i];
  else
    for (std::size_t i = 0; i < count; ++i) p.hidden[i] += scale * change[i];
}

}  // namespace wherry::inline v0::engine
