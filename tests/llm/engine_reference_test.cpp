// Architectures without a golden file against a second, plain computation in double precision, written from their
// published descriptions: LFM2 (short convolutions) and gpt-oss (sinks, YaRN, experts with biases, clamped gates).

#include "engine/transformer.hpp"
#include "tiny_models.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

using namespace wherry;
using namespace wherry::engine;

namespace {

using row = std::vector<double>;
using rows = std::vector<row>;

struct plain_model {
  gguf_file file;
  std::size_t heads, kv_heads, head_width;
  double epsilon;

  row vector(std::string const& name) const {
    auto const* t = file.find_tensor(name);
    REQUIRE(t);
    auto const* values = reinterpret_cast<float const*>(t->data.data());
    return {values, values + t->element_count()};
  }
  // y = W x + b, the rows [first, first + count) of a matrix (all when count is 0).
  row times(std::string const& name, row const& x, std::size_t first = 0, std::size_t count = 0,
            std::string const& bias = "") const {
    auto const w = vector(name);
    std::size_t const columns = x.size();
    if (count == 0) count = w.size() / columns;
    row out(count);
    for (std::size_t r = 0; r < count; ++r)
      for (std::size_t c = 0; c < columns; ++c) out[r] += w[(first + r) * columns + c] * x[c];
    if (!bias.empty()) {
      auto const b = vector(bias);
      for (std::size_t r = 0; r < count; ++r) out[r] += b[first + r];
    }
    return out;
  }
  row norm(row const& x, std::string const& name) const {
    auto const w = vector(name);
    row out = x;
    for (std::size_t head = 0; head < x.size(); head += w.size()) {
      double squares = 0;
      for (std::size_t i = 0; i < w.size(); ++i) squares += x[head + i] * x[head + i];
      double const root = std::sqrt(squares / static_cast<double>(w.size()) + epsilon);
      for (std::size_t i = 0; i < w.size(); ++i) out[head + i] = x[head + i] / root * w[i];
    }
    return out;
  }
  // Halves of each head turn together; `angle(i)` per position, lengths times `magnitude`.
  static void turn(row& x, std::size_t position, std::size_t width, std::function<double(std::size_t)> const& speed,
                   double magnitude) {
    for (std::size_t head = 0; head < x.size(); head += width)
      for (std::size_t i = 0; i < width / 2; ++i) {
        double const angle = static_cast<double>(position) * speed(i);
        double const a = x[head + i], b = x[head + width / 2 + i];
        x[head + i] = magnitude * (a * std::cos(angle) - b * std::sin(angle));
        x[head + width / 2 + i] = magnitude * (a * std::sin(angle) + b * std::cos(angle));
      }
  }
  row attend(rows const& query, rows const& key, rows const& value, std::size_t t, std::size_t window,
             row const& sinks) const {
    row out(heads * head_width);
    std::size_t const first = window != 0 && t + 1 > window ? t + 1 - window : 0;
    for (std::size_t h = 0; h < heads; ++h) {
      std::size_t const shared = h / (heads / kv_heads) * head_width;
      row shares;
      for (std::size_t s = first; s <= t; ++s) {
        double score = 0;
        for (std::size_t i = 0; i < head_width; ++i) score += query[t][h * head_width + i] * key[s][shared + i];
        shares.push_back(std::exp(score / std::sqrt(static_cast<double>(head_width))));
      }
      double total = std::accumulate(shares.begin(), shares.end(), 0.0);
      if (!sinks.empty()) total += std::exp(sinks[h]);
      for (std::size_t s = first; s <= t; ++s)
        for (std::size_t i = 0; i < head_width; ++i)
          out[h * head_width + i] += shares[s - first] / total * value[s][shared + i];
    }
    return out;
  }
};

void add(row& x, row const& change) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += change[i];
}

double difference(gguf_file const& file, std::vector<token_id> const& ids, rows const& want, std::size_t chunk) {
  double most = 0;
  for (auto set : {kernel_set::scalar, kernel_set::avx2, kernel_set::avx512}) {
    if (!cpu_supports(set)) continue;
    auto const model = transformer::load(file, set);
    if (!model) FAIL(to_string(model.error()));
    std::size_t const vocabulary = (*model)->configuration().vocabulary;
    worker_pool pool(2);
    auto sequence = (*model)->make_sequence();
    std::vector<float> logits(ids.size() * vocabulary);
    // In pieces, so that what a layer keeps between passes is used.
    for (std::size_t at = 0; at < ids.size(); at += chunk) {
      std::size_t const count = std::min(chunk, ids.size() - at);
      REQUIRE((*model)
                  ->forward(std::span(ids).subspan(at, count), *sequence, pool,
                            std::span(logits).subspan(at * vocabulary, count * vocabulary))
                  .has_value());
    }
    for (std::size_t t = 0; t < ids.size(); ++t)
      for (std::size_t i = 0; i < vocabulary; ++i)
        most = std::max(most, std::abs(want[t][i] - double{logits[t * vocabulary + i]}));
  }
  return most;
}

std::vector<token_id> some_ids(std::size_t count, std::size_t vocabulary) {
  std::vector<token_id> ids;
  for (std::size_t i = 0; i < count; ++i) ids.push_back(static_cast<token_id>((i * 17 + 5) % vocabulary));
  return ids;
}

constexpr std::size_t vocabulary = 60, width = 32;

}  // namespace

TEST_CASE("short convolutions between attention layers compute what the description says", "[unit][engine]") {
  constexpr std::size_t taps = 3, feed_forward = 40, heads = 4, kv_heads = 2;
  wherry_test::tiny_model_writer w(21);
  w.file.add("general.architecture", "lfm2");
  for (auto const& [key, value] :
       std::vector<std::pair<char const*, std::uint32_t>>{{"lfm2.block_count", 3},
                                                          {"lfm2.context_length", 128},
                                                          {"lfm2.embedding_length", width},
                                                          {"lfm2.feed_forward_length", feed_forward},
                                                          {"lfm2.attention.head_count", heads},
                                                          {"lfm2.shortconv.l_cache", taps}})
    w.file.add(key, value);
  w.file.add("lfm2.attention.head_count_kv", std::vector<std::int32_t>{0, kv_heads, 0});
  w.file.add("lfm2.attention.layer_norm_rms_epsilon", 1e-5f);
  w.file.add("lfm2.rope.freq_base", 10000.0f);
  w.matrix("token_embd.weight", vocabulary, width, 0.6);
  w.norm("token_embd_norm", width, false);
  for (int i = 0; i < 3; ++i) {
    std::string const block = "blk." + std::to_string(i) + ".";
    w.norm(block + "attn_norm", width, false);
    if (i == 1) {
      w.matrix(block + "attn_q.weight", width, width);
      w.matrix(block + "attn_k.weight", width / 2, width);
      w.matrix(block + "attn_v.weight", width / 2, width);
      w.matrix(block + "attn_output.weight", width, width);
      w.norm(block + "attn_q_norm", width / heads, false);
      w.norm(block + "attn_k_norm", width / heads, false);
    } else {
      w.matrix(block + "shortconv.in_proj.weight", 3 * width, width);
      w.matrix(block + "shortconv.conv.weight", width, taps, 0.8);
      w.matrix(block + "shortconv.out_proj.weight", width, width);
    }
    w.norm(block + "ffn_norm", width, false);
    w.matrix(block + "ffn_gate.weight", feed_forward, width);
    w.matrix(block + "ffn_up.weight", feed_forward, width);
    w.matrix(block + "ffn_down.weight", width, feed_forward);
  }
  plain_model const m{w.open(), heads, kv_heads, width / heads, 1e-5};
  auto const ids = some_ids(75, vocabulary);  // more than a chunk and than two pages

  auto const embedding = m.vector("token_embd.weight");
  rows hidden;
  for (auto id : ids)
    hidden.emplace_back(embedding.begin() + static_cast<std::ptrdiff_t>(id) * static_cast<std::ptrdiff_t>(width),
                        embedding.begin() + (static_cast<std::ptrdiff_t>(id) + 1) * static_cast<std::ptrdiff_t>(width));
  auto const speed = [](std::size_t i) { return std::pow(10000.0, -2.0 * static_cast<double>(i) / 8); };
  for (int layer = 0; layer < 3; ++layer) {
    std::string const block = "blk." + std::to_string(layer) + ".";
    rows normed;
    for (auto const& h : hidden) normed.push_back(m.norm(h, block + "attn_norm.weight"));
    if (layer == 1) {
      rows query, key, value;
      for (std::size_t t = 0; t < ids.size(); ++t) {
        query.push_back(m.norm(m.times(block + "attn_q.weight", normed[t]), block + "attn_q_norm.weight"));
        key.push_back(m.norm(m.times(block + "attn_k.weight", normed[t]), block + "attn_k_norm.weight"));
        value.push_back(m.times(block + "attn_v.weight", normed[t]));
        plain_model::turn(query[t], t, 8, speed, 1);
        plain_model::turn(key[t], t, 8, speed, 1);
      }
      for (std::size_t t = 0; t < ids.size(); ++t)
        add(hidden[t], m.times(block + "attn_output.weight", m.attend(query, key, value, t, 0, {})));
    } else {
      auto const kernel = m.vector(block + "shortconv.conv.weight");  // [channel][tap], the newest last
      rows gated, out_gate;
      for (auto const& x : normed) {
        auto const three = m.times(block + "shortconv.in_proj.weight", x);
        row product(width);
        for (std::size_t i = 0; i < width; ++i) product[i] = three[i] * three[2 * width + i];
        gated.push_back(product);
        out_gate.emplace_back(three.begin() + width, three.begin() + 2 * width);
      }
      for (std::size_t t = 0; t < ids.size(); ++t) {
        row mixed(width);
        for (std::size_t i = 0; i < width; ++i) {
          for (std::size_t back = 0; back < taps && back <= t; ++back)
            mixed[i] += kernel[i * taps + taps - 1 - back] * gated[t - back][i];
          mixed[i] *= out_gate[t][i];
        }
        add(hidden[t], m.times(block + "shortconv.out_proj.weight", mixed));
      }
    }
    for (auto& h : hidden) {
      auto const x = m.norm(h, block + "ffn_norm.weight");
      auto gate = m.times(block + "ffn_gate.weight", x);
      auto const up = m.times(block + "ffn_up.weight", x);
      for (std::size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
      add(h, m.times(block + "ffn_down.weight", gate));
    }
  }
  rows want;
  for (auto const& h : hidden) want.push_back(m.times("token_embd.weight", m.norm(h, "token_embd_norm.weight")));
  for (std::size_t const chunk : {std::size_t{75}, std::size_t{1}, std::size_t{33}})
    CHECK(difference(m.file, ids, want, chunk) < 1e-4);

  // Cut back and continued, it is as if it had never gone further.
  auto const model = transformer::load(m.file, kernel_set::scalar).value();
  worker_pool pool(1);
  auto sequence = model->make_sequence();
  std::vector<float> logits(vocabulary);
  REQUIRE(model->forward(ids, *sequence, pool, logits).has_value());
  sequence->truncate(40);
  REQUIRE(model->forward(std::span(ids).subspan(40), *sequence, pool, logits).has_value());
  for (std::size_t i = 0; i < vocabulary; ++i) CHECK(std::abs(logits[i] - want.back()[i]) < 1e-4);
}

TEST_CASE("sinks, YaRN, experts with biases and clamped gates compute what the description says", "[unit][engine]") {
  constexpr std::size_t heads = 4, kv_heads = 2, head_width = 16, window = 6, experts = 4, used = 2, inner = 24;
  constexpr double base = 150000, factor = 4, original = 16;
  wherry_test::tiny_model_writer w(22);
  w.file.add("general.architecture", "gpt-oss");
  for (auto const& [key, value] :
       std::vector<std::pair<char const*, std::uint32_t>>{{"gpt-oss.block_count", 2},
                                                          {"gpt-oss.context_length", 64},
                                                          {"gpt-oss.embedding_length", width},
                                                          {"gpt-oss.feed_forward_length", inner},
                                                          {"gpt-oss.attention.head_count", heads},
                                                          {"gpt-oss.attention.head_count_kv", kv_heads},
                                                          {"gpt-oss.attention.key_length", head_width},
                                                          {"gpt-oss.attention.value_length", head_width},
                                                          {"gpt-oss.attention.sliding_window", window},
                                                          {"gpt-oss.expert_count", experts},
                                                          {"gpt-oss.expert_used_count", used},
                                                          {"gpt-oss.expert_feed_forward_length", inner},
                                                          {"gpt-oss.rope.scaling.original_context_length", 16}})
    w.file.add(key, value);
  w.file.add("gpt-oss.attention.layer_norm_rms_epsilon", 1e-5f);
  w.file.add("gpt-oss.rope.freq_base", static_cast<float>(base));
  w.file.add("gpt-oss.rope.scaling.type", "yarn");
  w.file.add("gpt-oss.rope.scaling.factor", static_cast<float>(factor));
  w.matrix("token_embd.weight", vocabulary, width, 0.6);
  w.norm("output_norm", width, false);
  w.matrix("output.weight", vocabulary, width);
  for (int i = 0; i < 2; ++i) {
    std::string const block = "blk." + std::to_string(i) + ".";
    w.norm(block + "attn_norm", width, false);
    for (auto const& [name, size] : {std::pair{"attn_q", heads * head_width},
                                     {"attn_k", kv_heads * head_width},
                                     {"attn_v", kv_heads * head_width}}) {
      w.matrix(block + name + ".weight", size, width);
      w.bias(block + name, size);
    }
    w.matrix(block + "attn_output.weight", width, heads * head_width);
    w.bias(block + "attn_output", width);
    w.noise(block + "attn_sinks.weight", {heads}, 1.0, 0.5);
    w.norm(block + "post_attention_norm", width, false);
    w.matrix(block + "ffn_gate_inp.weight", experts, width);
    w.bias(block + "ffn_gate_inp", experts);
    for (auto const& [name, out, in] :
         {std::tuple{"ffn_gate_exps", inner, width}, {"ffn_up_exps", inner, width}, {"ffn_down_exps", width, inner}}) {
      w.noise(block + name + ".weight", {in, out, experts}, 3.0 / std::sqrt(static_cast<double>(in)), 0);
      w.noise(block + name + ".bias", {out, experts}, 0.2, 0);
    }
  }
  plain_model const m{w.open(), heads, kv_heads, head_width, 1e-5};
  auto const ids = some_ids(40, vocabulary);

  // YaRN: pairs that turn more than 32 times within the original context keep their speed, those that turn less than
  // once are slowed down by the factor, with a ramp between; lengths grow by 0.1 ln(factor) + 1.
  auto const pair_of = [&](double turns) {
    return head_width * std::log(original / (turns * 2 * M_PI)) / (2 * std::log(base));
  };
  double const low = std::max(0.0, std::floor(pair_of(32))), high = std::min(15.0, std::ceil(pair_of(1)));
  auto const speed = [&](std::size_t i) {
    double const plain = std::pow(base, -2.0 * static_cast<double>(i) / head_width);
    double const ramp = std::clamp((static_cast<double>(i) - low) / std::max(0.001, high - low), 0.0, 1.0);
    return plain / factor * ramp + plain * (1 - ramp);
  };
  double const magnitude = 1 + 0.1 * std::log(factor);

  auto const embedding = m.vector("token_embd.weight");
  rows hidden;
  for (auto id : ids)
    hidden.emplace_back(embedding.begin() + static_cast<std::ptrdiff_t>(id) * static_cast<std::ptrdiff_t>(width),
                        embedding.begin() + (static_cast<std::ptrdiff_t>(id) + 1) * static_cast<std::ptrdiff_t>(width));
  for (int layer = 0; layer < 2; ++layer) {
    std::string const block = "blk." + std::to_string(layer) + ".";
    rows query, key, value;
    for (std::size_t t = 0; t < ids.size(); ++t) {
      auto const x = m.norm(hidden[t], block + "attn_norm.weight");
      query.push_back(m.times(block + "attn_q.weight", x, 0, 0, block + "attn_q.bias"));
      key.push_back(m.times(block + "attn_k.weight", x, 0, 0, block + "attn_k.bias"));
      value.push_back(m.times(block + "attn_v.weight", x, 0, 0, block + "attn_v.bias"));
      plain_model::turn(query[t], t, head_width, speed, magnitude);
      plain_model::turn(key[t], t, head_width, speed, magnitude);
    }
    auto const sinks = m.vector(block + "attn_sinks.weight");
    for (std::size_t t = 0; t < ids.size(); ++t) {
      auto const mixed = m.attend(query, key, value, t, layer % 2 == 0 ? window : 0, sinks);
      add(hidden[t], m.times(block + "attn_output.weight", mixed, 0, 0, block + "attn_output.bias"));
    }
    for (auto& h : hidden) {
      auto const x = m.norm(h, block + "post_attention_norm.weight");
      auto const scores = m.times(block + "ffn_gate_inp.weight", x, 0, 0, block + "ffn_gate_inp.bias");
      std::vector<std::size_t> order(experts);
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::sort(order.begin(), order.end(), [&](auto a, auto b) { return scores[a] > scores[b]; });
      double total = 0;
      for (std::size_t i = 0; i < used; ++i) total += std::exp(scores[order[i]]);
      row sum(width);
      for (std::size_t i = 0; i < used; ++i) {
        std::size_t const e = order[i];
        auto gate = m.times(block + "ffn_gate_exps.weight", x, e * inner, inner, block + "ffn_gate_exps.bias");
        auto const up = m.times(block + "ffn_up_exps.weight", x, e * inner, inner, block + "ffn_up_exps.bias");
        for (std::size_t j = 0; j < inner; ++j) {
          double const g = std::min(gate[j], 7.0), u = std::clamp(up[j], -7.0, 7.0);
          gate[j] = g / (1 + std::exp(-1.702 * g)) * (u + 1);
        }
        auto const given =
            m.times(block + "ffn_down_exps.weight", gate, e * width, width, block + "ffn_down_exps.bias");
        for (std::size_t j = 0; j < width; ++j) sum[j] += std::exp(scores[e]) / total * given[j];
      }
      add(h, sum);
    }
  }
  rows want;
  for (auto const& h : hidden) want.push_back(m.times("output.weight", m.norm(h, "output_norm.weight")));
  for (std::size_t const chunk : {std::size_t{40}, std::size_t{1}}) CHECK(difference(m.file, ids, want, chunk) < 2e-4);
}
