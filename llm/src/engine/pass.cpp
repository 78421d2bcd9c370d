#include "engine/pass.hpp"

#include <algorithm>

namespace wherry::inline v0::engine {
namespace {

constexpr std::size_t floats_per_line = 16;  // every buffer begins on a cache line

std::size_t whole_lines(std::size_t floats) {
  return (floats + floats_per_line - 1) / floats_per_line * floats_per_line;
}

std::size_t score_floats(config const& c, std::size_t threads, std::size_t stride) {
  return threads * (c.heads / c.kv_heads) * stride;
}

std::size_t floats_of(config const& c, std::size_t tokens, std::size_t threads, std::size_t stride) {
  std::size_t total = floats_per_line;  // for the first line
  for (std::size_t width : {c.width, c.width, c.query_width(), c.kv_width(), c.kv_width(), c.query_width(),
                            c.feed_forward, c.feed_forward, c.rope_width / 2, c.rope_width / 2})
    total += whole_lines(tokens * width);
  return total + whole_lines(score_floats(c, threads, stride));
}

float* first_line(float* memory) {
  auto const address = reinterpret_cast<std::uintptr_t>(memory);
  auto const line = floats_per_line * sizeof(float);
  return memory + ((address + line - 1) / line * line - address) / sizeof(float);
}

}  // namespace

pass::pass(config const& shape, kernel_table const& kernel_functions, worker_pool& workers, sequence& tokens_before,
           std::size_t token_count)
    : c(shape),
      kernels(kernel_functions),
      pool(workers),
      cache(tokens_before),
      first_position(tokens_before.length()),
      tokens(token_count),
      score_stride(whole_lines(first_position + tokens)),
      memory_(std::make_unique_for_overwrite<float[]>(floats_of(c, tokens, pool.threads(), score_stride))),
      next_(first_line(memory_.get())),
      hidden(take(tokens * c.width)),
      normed(take(tokens * c.width)),
      query(take(tokens * c.query_width())),
      key(take(tokens * c.kv_width())),
      value(take(tokens * c.kv_width())),
      attended(take(tokens * c.query_width())),
      gate(take(tokens * c.feed_forward)),
      up(take(tokens * c.feed_forward)),
      cosines(take(tokens * (c.rope_width / 2))),
      sines(take(tokens * (c.rope_width / 2))),
      scores(take(score_floats(c, pool.threads(), score_stride))) {}

float* pass::take(std::size_t count) {
  float* const taken = next_;
  next_ += whole_lines(count);
  return taken;
}

std::vector<double> rope_frequencies(config const& c, std::span<float const> factors) {
  std::vector<double> frequencies(c.rope_width / 2);
  double const step = logarithm(c.rope_base) * -2 / static_cast<double>(c.rope_width);
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    frequencies[i] = exponential(static_cast<double>(i) * step);
    if (!factors.empty()) frequencies[i] /= factors[i];
  }
  return frequencies;
}

void fill_rotations(pass& p, std::span<double const> frequencies) {
  for (std::size_t t = 0; t < p.tokens; ++t) {
    auto const position = static_cast<double>(p.first_position + t);
    for (std::size_t i = 0; i < frequencies.size(); ++i) {
      auto const turn = rotate_by(position * frequencies[i]);
      p.cosines[t * frequencies.size() + i] = static_cast<float>(turn.cosine);
      p.sines[t * frequencies.size() + i] = static_cast<float>(turn.sine);
    }
  }
}

}  // namespace wherry::inline v0::engine
