// Attention: where a row finds its keys, and what it makes of them.

#include "engine/ops.hpp"
#include "engine/work.hpp"

#include <algorithm>
#include <cstring>

namespace wherry::inline v0::engine {
namespace {

// Neighbouring positions whose keys and values lie `stride` floats apart.
struct key_run {
  float const* keys;
  float const* values;
  std::size_t stride;
  std::size_t count;
};

// Calls f(run) for the positions [first, end) of a cached layer, in order.
template <class F>
void for_each_page(sequence const& cache, std::size_t layer, std::size_t kv_head, std::size_t first, std::size_t end,
                   F const& f) {
  constexpr auto page_positions = sequence::page_positions;
  std::size_t const width = cache.head_width();
  for (std::size_t at = first; at < end;) {
    std::size_t const page = at / page_positions, row = at % page_positions;
    std::size_t const count = std::min(page_positions - row, end - at);
    f(key_run{cache.keys(layer, kv_head, page) + row * width, cache.values(layer, kv_head, page) + row * width, width,
              count});
    at += count;
  }
}

// Adds the bias of `head` for `count` keys, the first of which stands `distance` behind (negative: ahead).
void add_bias(std::span<float const> bias, std::size_t heads, std::size_t head, std::ptrdiff_t distance, float* scores,
              std::size_t count) {
  auto const reach = static_cast<std::ptrdiff_t>((bias.size() / heads - 1) / 2);
  for (std::size_t i = 0; i < count; ++i) {
    auto const row = std::clamp(static_cast<std::ptrdiff_t>(i) - distance, -reach, reach) + reach;
    scores[i] += bias[static_cast<std::size_t>(row) * heads + head];
  }
}

// The keys one row sees: which layer and heads they belong to, and where the first stands.
struct view {
  std::size_t layer;
  std::size_t row;
  std::size_t kv_head;
  std::size_t first_position;  // of the keys, for people
  std::ptrdiff_t distance;     // from the first key to the row
  bool across = false;
};

// One row's attention over one key/value head, for the query heads that share it. `runs` calls its argument for each
// run of keys, in order, and may be called twice.
template <class Runs>
void attend_one(pass& p, attention_rule const& rule, view const& v, float* scores, Runs const& runs) {
  std::size_t const width = p.c.head_width, group = p.c.heads / rule.kv_heads;
  std::size_t const first_head = v.kv_head * group;
  float const* const query = p.query + (v.row * p.c.heads + first_head) * width;
  float* const out = p.attended + (v.row * p.c.heads + first_head) * width;

  std::size_t total = 0;
  runs([&](key_run const& run) {
    p.kernels.matmul_f32({reinterpret_cast<unsigned char const*>(run.keys), run.stride * sizeof(float), run.count,
                          width, query, width, group, scores + total, p.score_stride});
    total += run.count;
  });
  for (std::size_t g = 0; g < group; ++g) {
    float* const row = scores + g * p.score_stride;
    float scale = rule.scale;
    if (rule.cap != 0) {
      p.kernels.layer.soft_cap(row, total, scale, rule.cap);
      scale = 1;
    }
    if (!rule.bias.empty()) add_bias(rule.bias, p.c.heads, first_head + g, v.distance, row, total);
    // A sink is one more score, whose share is thrown away.
    if (!rule.sinks.empty()) row[total] = rule.sinks[first_head + g] / scale;
    p.kernels.layer.softmax(row, total + (rule.sinks.empty() ? 0 : 1), scale);
    if (p.watch && v.across) p.watch->looked_across(v.layer, first_head + g, v.row, {row, total});
    if (p.watch && !v.across) p.watch->looked(v.layer, first_head + g, v.row, v.first_position, {row, total});
  }

  std::fill_n(out, group * width, 0.0f);
  std::size_t done = 0;
  runs([&](key_run const& run) {
    for (std::size_t g = 0; g < group; ++g)
      p.kernels.layer.add_weighted_rows(out + g * width, run.values, run.stride, scores + g * p.score_stride + done,
                                        run.count, width);
    done += run.count;
  });
}

// The first of `end` positions that a window ending there still reaches.
std::size_t first_seen(attention_rule const& rule, std::size_t end) {
  return rule.window != 0 && end > rule.window ? end - rule.window : 0;
}

void attend_cached(pass& p, attention_rule const& rule, std::size_t layer, std::size_t row, std::size_t kv_head,
                   float* scores) {
  std::size_t const position = p.position_of(row), end = position + 1, first = first_seen(rule, end);
  auto const& cache = *p.segments[p.segment_of[row]].cache;
  view const v{layer, row, kv_head, first, static_cast<std::ptrdiff_t>(position - first)};
  attend_one(p, rule, v, scores, [&](auto const& f) { for_each_page(cache, layer, kv_head, first, end, f); });
}

void attend_segment(pass& p, attention_rule const& rule, std::size_t layer, std::size_t row, std::size_t kv_head,
                    float* scores) {
  auto const& s = p.segments[p.segment_of[row]];
  std::size_t const place = row - s.first_row, end = rule.causal ? place + 1 : s.rows;
  std::size_t const first = rule.causal ? first_seen(rule, end) : 0;
  std::size_t const stride = rule.kv_heads * p.c.head_width;
  std::size_t const from = (s.first_row + first) * stride + kv_head * p.c.head_width;
  key_run const run{p.key + from, p.value + from, stride, end - first};
  view const v{layer, row, kv_head, first, static_cast<std::ptrdiff_t>(place) - static_cast<std::ptrdiff_t>(first)};
  attend_one(p, rule, v, scores, [&](auto const& f) { f(run); });
}

template <class F>
void for_each_row_and_head(pass& p, attention_rule const& rule, std::size_t keys, F const& f) {
  std::size_t const group = p.c.heads / rule.kv_heads;
  p.pool.for_each_range(p.tokens * rule.kv_heads, grain_for(2 * keys * group * p.c.head_width),
                        [&](std::size_t begin, std::size_t end, unsigned worker) {
                          float* const scores = p.scores + worker * p.c.group_max() * p.score_stride;
                          for (std::size_t i = begin; i < end; ++i) f(i / rule.kv_heads, i % rule.kv_heads, scores);
                        });
}

}  // namespace

void remember(pass& p, std::size_t layer, std::size_t kv_heads) {
  std::size_t const width = p.c.head_width;
  for (std::size_t t = 0; t < p.tokens; ++t) {
    auto* const cache = p.segments[p.segment_of[t]].cache;
    if (!cache) continue;
    std::size_t const position = p.position_of(t);
    std::size_t const page = position / sequence::page_positions, row = position % sequence::page_positions;
    for (std::size_t h = 0; h < kv_heads; ++h) {
      std::size_t const from = (t * kv_heads + h) * width;
      std::memcpy(cache->keys(layer, h, page) + row * width, p.key + from, width * sizeof(float));
      std::memcpy(cache->values(layer, h, page) + row * width, p.value + from, width * sizeof(float));
    }
  }
}

void attend(pass& p, std::size_t layer, attention_rule const& rule) {
  for_each_row_and_head(p, rule, p.score_stride, [&](std::size_t row, std::size_t kv_head, float* scores) {
    if (p.segments[p.segment_of[row]].cache)
      attend_cached(p, rule, layer, row, kv_head, scores);
    else
      attend_segment(p, rule, layer, row, kv_head, scores);
  });
}

void attend_across(pass& p, std::size_t layer, attention_rule const& rule, cross_rows const& rows) {
  std::size_t const stride = rule.kv_heads * p.c.head_width;
  for_each_row_and_head(p, rule, rows.count, [&](std::size_t row, std::size_t kv_head, float* scores) {
    std::size_t const from = kv_head * p.c.head_width;
    key_run const run{rows.keys + from, rows.values + from, stride, rows.count};
    attend_one(p, rule, view{layer, row, kv_head, 0, 0, true}, scores, [&](auto const& f) { f(run); });
  });
}

}  // namespace wherry::inline v0::engine
