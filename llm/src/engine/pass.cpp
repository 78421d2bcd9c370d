#include "engine/pass.hpp"

#include "engine/elementary.hpp"

#include <algorithm>

namespace wherry::inline v0::engine {
namespace {

constexpr std::size_t floats_per_line = 16;  // every buffer begins on a cache line

std::size_t whole_lines(std::size_t floats) {
  return (floats + floats_per_line - 1) / floats_per_line * floats_per_line;
}

std::size_t rows_of(std::span<segment const> segments) {
  return segments.empty() ? 0 : segments.back().first_row + segments.back().rows;
}

// Room for the scores of the longest text, and one more for a sink.
std::size_t score_floats(std::span<segment const> segments, std::size_t rows_across) {
  std::size_t most = rows_across;
  for (auto const& s : segments) most = std::max(most, s.first_position + s.rows);
  return whole_lines(most + 1);
}

struct widths {
  explicit widths(config const& c)
      : keys(c.kv_heads_max() * c.head_width),
        network(c.feed_forward_max()),
        mixed(c.convolution ? 3 * c.width : 0),
        chosen(c.experts.used * c.width),
        turns(c.rope_width / 2),
        windowed_turns(c.windowed_rope_base != 0 ? turns : 0) {}
  std::size_t keys, network, mixed, chosen, turns, windowed_turns;
};

std::size_t floats_of(config const& c, std::size_t tokens, std::size_t score_total) {
  widths const w(c);
  std::size_t total = floats_per_line;  // for the first line
  for (std::size_t width : {c.width, c.width, c.query_width(), w.keys, w.keys, c.query_width(), w.network, w.network,
                            w.mixed, w.chosen, w.turns, w.turns, w.windowed_turns, w.windowed_turns})
    total += whole_lines(tokens * width);
  return total + whole_lines(score_total);
}

float* first_line(float* memory) {
  auto const address = reinterpret_cast<std::uintptr_t>(memory);
  auto const line = floats_per_line * sizeof(float);
  return memory + ((address + line - 1) / line * line - address) / sizeof(float);
}

std::vector<std::uint32_t> segments_of_rows(std::span<segment const> segments) {
  std::vector<std::uint32_t> out;
  out.reserve(rows_of(segments));
  for (std::uint32_t i = 0; i < segments.size(); ++i) out.insert(out.end(), segments[i].rows, i);
  return out;
}

}  // namespace

pass::pass(config const& shape, kernel_table const& kernel_functions, worker_pool& workers, pass_options const& options)
    : c(shape),
      kernels(kernel_functions),
      pool(workers),
      segments(options.segments),
      adapters(options.adapters),
      watch(options.watch),
      tokens(rows_of(segments)),
      score_stride(score_floats(segments, options.rows_across)),
      segment_of(segments_of_rows(segments)),
      memory_(
          std::make_unique_for_overwrite<float[]>(floats_of(c, tokens, pool.threads() * c.group_max() * score_stride))),
      next_(first_line(memory_.get())),
      hidden(take(tokens * c.width)),
      normed(take(tokens * c.width)),
      query(take(tokens * c.query_width())),
      key(take(tokens * widths(c).keys)),
      value(take(tokens * widths(c).keys)),
      attended(take(tokens * c.query_width())),
      gate(take(tokens * widths(c).network)),
      up(take(tokens * widths(c).network)),
      mixed(take(tokens * widths(c).mixed)),
      chosen(take(tokens * widths(c).chosen)),
      scores(take(pool.threads() * c.group_max() * score_stride)),
      full{take(tokens * widths(c).turns), take(tokens * widths(c).turns)},
      windowed{take(tokens * widths(c).windowed_turns), take(tokens * widths(c).windowed_turns)} {}

float* pass::take(std::size_t count) {
  float* const taken = next_;
  next_ += whole_lines(count);
  return taken;
}

void fill_turns(pass& p, rotary const& how, pass::turns const& out) {
  std::size_t const pairs = how.frequencies.size();
  for (std::size_t t = 0; t < p.tokens; ++t) {
    auto const position = static_cast<double>(p.position_of(t));
    for (std::size_t i = 0; i < pairs; ++i) {
      auto const turn = rotate_by(position * how.frequencies[i]);
      out.cosines[t * pairs + i] = static_cast<float>(turn.cosine * how.magnitude);
      out.sines[t * pairs + i] = static_cast<float>(turn.sine * how.magnitude);
    }
  }
}

}  // namespace wherry::inline v0::engine
