// What an observer sees against the published traces: the residual stream after every layer, and that the attention
// shares, times the values, give what the attention adds to it.

#include "engine/tensor_rows.hpp"
#include "engine/transformer.hpp"
#include "golden_support.hpp"

#include <map>

using namespace wherry;
using namespace wherry::engine;
using namespace wherry_test;

namespace {

struct seen final : observer {
  std::vector<float> entered;
  std::map<std::size_t, std::vector<float>> after;                                        // by layer
  std::map<std::pair<std::size_t, std::size_t>, std::vector<std::vector<float>>> shares;  // by layer and head; [row]

  void embedded(std::span<float const> rows, std::size_t) override { entered.assign(rows.begin(), rows.end()); }
  void layer_done(std::size_t layer, std::span<float const> rows, std::size_t) override {
    after[layer].assign(rows.begin(), rows.end());
  }
  void looked(std::size_t layer, std::size_t head, std::size_t row, std::size_t first,
              std::span<float const> given) override {
    auto& rows = shares[{layer, head}];
    rows.resize(std::max(rows.size(), row + 1));
    rows[row].assign(first, 0.0f);
    rows[row].insert(rows[row].end(), given.begin(), given.end());
  }
  void looked_across(std::size_t, std::size_t, std::size_t, std::span<float const>) override {}
};

bool has_array(json_value const& reference, std::string const& name) {
  auto const& arrays = reference.at("arrays");
  return std::any_of(arrays.begin(), arrays.end(), [&](auto const& a) { return a.at("name") == name; });
}

double max_difference(std::span<float const> got, std::span<float const> want) {
  REQUIRE(got.size() == want.size());
  double most = 0;
  for (std::size_t i = 0; i < got.size(); ++i) most = std::max(most, std::abs(double{got[i]} - want[i]));
  return most;
}

// W x + b in double precision for rows of x.
std::vector<double> times(gguf_file const& file, std::string const& name, std::vector<double> const& x) {
  auto const* weight = file.find_tensor(name + ".weight");
  REQUIRE(weight);
  std::size_t const columns = weight->shape[0], rows = weight->shape[1], count = x.size() / columns;
  std::vector<float> row(columns);
  std::vector<double> out(count * rows);
  auto const* bias = file.find_tensor(name + ".bias");
  for (std::size_t r = 0; r < rows; ++r) {
    unpack_row(weight->type, weight->data.data() + r * (weight->data.size() / rows), row);
    for (std::size_t t = 0; t < count; ++t) {
      double sum = bias ? double{reinterpret_cast<float const*>(bias->data.data())[r]} : 0.0;
      for (std::size_t c = 0; c < columns; ++c) sum += double{row[c]} * x[t * columns + c];
      out[t * rows + r] = sum;
    }
  }
  return out;
}

// What layer 0 adds by attention, from the shares that were seen and the published input of the layer.
std::vector<float> after_attention(gguf_file const& file, config const& c, seen const& watch,
                                   std::vector<float> const& normed) {
  std::size_t const width = c.head_width, group = c.heads / c.layers[0].kv_heads, tokens = normed.size() / c.width;
  auto const values = times(file, "blk.0.attn_v", {normed.begin(), normed.end()});
  std::vector<double> mixed(tokens * c.query_width());
  for (std::size_t head = 0; head < c.heads; ++head)
    for (std::size_t t = 0; t < tokens; ++t) {
      auto const& shares = watch.shares.at({0, head})[t];
      for (std::size_t s = 0; s < shares.size(); ++s)
        for (std::size_t i = 0; i < width; ++i)
          mixed[(t * c.heads + head) * width + i] +=
              double{shares[s]} * values[(s * c.layers[0].kv_heads + head / group) * width + i];
    }
  auto const added = times(file, "blk.0.attn_output", mixed);
  std::vector<float> out(watch.entered.size());
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<float>(watch.entered[i] + double{c.residual_scale} * added[i]);
  return out;
}

}  // namespace

TEST_CASE("what an observer sees is what the published traces hold", "[golden][inspect]") {
  std::size_t layers_compared = 0, attentions_compared = 0;
  for (auto const* name : {"llama", "llama3", "qwen2", "qwen3", "qwen3moe", "olmoe", "phi3", "gemma2", "gemma3",
                           "granite", "smollm3", "gpt2"}) {
    golden_model const golden(name);
    auto const& entry = golden.variants().at("f16");
    auto const& reference = entry.at("f32ref");
    bool const gelu = entry.contains("exact64_erf_gelu");
    double const near = gelu ? coarse_gelu.max_abs : tight.max_abs;
    array_file const want(golden.folder, reference);
    auto const file = gguf_file::open(golden.file(entry)).value();
    auto const model = transformer::load(file, kernel_set::scalar).value();
    auto const& c = model->configuration();
    auto const ids = golden.prompts().at("p17").get<std::vector<token_id>>();
    worker_pool pool(1);
    auto sequence = model->make_sequence();
    seen watch;
    REQUIRE(model->forward(ids, *sequence, pool, {}, {.watch = &watch}).has_value());
    CAPTURE(name);
    for (auto const& [layer, rows] : watch.after) {
      auto const trace = "p17.trace.l_out-" + std::to_string(layer);
      if (!has_array(reference, trace)) continue;
      CAPTURE(trace);
      CHECK(max_difference(rows, want[trace]) <= near * 10);  // the stream is larger than the logits
      ++layers_compared;
    }
    for (auto const& [where, rows] : watch.shares)
      for (auto const& row : rows) {
        double total = 0;
        for (double share : row) total += share;
        CHECK(std::abs(total - 1) < 1e-5);
      }
    if (!has_array(reference, "p17.trace.ffn_inp-0") || !file.find_tensor("blk.0.attn_v.weight")) continue;
    auto const got = after_attention(file, c, watch, want["p17.trace.attn_norm-0"]);
    CHECK(max_difference(got, want["p17.trace.ffn_inp-0"]) <= tight.max_abs);
    ++attentions_compared;
  }
  CHECK(layers_compared >= 20);
  CHECK(attentions_compared >= 4);
}
