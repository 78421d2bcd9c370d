#include <wherry/llm/inspect.hpp>

#include "engine/encoder_decoder.hpp"
#include "engine/text_encoder.hpp"
#include "engine/transformer.hpp"
#include "local/likelihood.hpp"

#include <wherry/llm/kernels.hpp>
#include <wherry/llm/tokenizer.hpp>

#include <algorithm>

namespace wherry::inline v0 {
namespace {

error refuse(errc code, std::string what) { return {code, std::move(what), "inspect"}; }

// Writes down what passes by. Passes may bring the tokens in several runs.
class recorder final : public engine::observer {
 public:
  recorder(inspected_stack& into, engine::config const& c, std::size_t layers, std::size_t tokens, std::size_t across,
           inspect_options const& options)
      : into_(into), heads_(c.heads), options_(options) {
    into_.residual.resize(layers);
    for (std::size_t layer = 0; layer < layers; ++layer)
      for (std::size_t head = 0; head < heads_; ++head) {
        if (!wants(layer, head)) continue;
        into_.attention.push_back({layer, head, {tokens, tokens, std::vector<float>(tokens * tokens)}});
        if (across) into_.across.push_back({layer, head, {tokens, across, std::vector<float>(tokens * across)}});
      }
  }

  void embedded(std::span<float const> rows, std::size_t width) override {
    first_row_ = into_.embedded.rows;
    append(into_.embedded, rows, width);
  }
  void layer_done(std::size_t layer, std::span<float const> rows, std::size_t width) override {
    append(into_.residual[layer], rows, width);
  }
  void looked(std::size_t layer, std::size_t head, std::size_t row, std::size_t first_position,
              std::span<float const> shares) override {
    write(into_.attention, layer, head, row, first_position, shares);
  }
  void looked_across(std::size_t layer, std::size_t head, std::size_t row, std::span<float const> shares) override {
    write(into_.across, layer, head, row, 0, shares);
  }

 private:
  bool wants(std::size_t layer, std::size_t head) const {
    return layer == options_.layer.value_or(layer) && head == options_.head.value_or(head);
  }
  static void append(float_table& table, std::span<float const> rows, std::size_t width) {
    table.columns = width;
    table.values.insert(table.values.end(), rows.begin(), rows.end());
    table.rows = table.values.size() / width;
  }
  void write(std::vector<attention_table>& tables, std::size_t layer, std::size_t head, std::size_t row,
             std::size_t first, std::span<float const> shares) const {
    if (!wants(layer, head)) return;
    std::size_t const layer_index = options_.layer ? 0 : layer, head_index = options_.head ? 0 : head;
    auto& table = tables[layer_index * (options_.head ? 1 : heads_) + head_index].shares;
    auto const to = table.values.begin() + static_cast<std::ptrdiff_t>((first_row_ + row) * table.columns + first);
    std::copy(shares.begin(), shares.end(), to);
  }

  inspected_stack& into_;
  std::size_t const heads_;
  inspect_options const& options_;
  std::size_t first_row_ = 0;
};

class inspector {
 public:
  inspector(gguf_file const& file, kernel_set kernels, tokenizer tokens, inspect_options const& options)
      : file_(file), kernels_(kernels), tokens_(std::move(tokens)), options_(options), pool_(1) {}

  result<inspection> run(std::string_view text) {
    auto const c = engine::read_config(file_);
    if (!c) return c.error();
    ids_ = tokens_.encode(text, {.add_special = true, .parse_special = true});
    if (auto fits = check(*c); !fits) return std::move(fits).error();
    describe(*c);
    out_.text.tokens = named(ids_);
    switch (c->architecture->kind) {
      case engine::model_kind::decoder: return decoder();
      case engine::model_kind::encoder: return encoder();
      case engine::model_kind::encoder_decoder: break;
    }
    return both();
  }

 private:
  result<void> check(engine::config const& c) const {
    std::size_t const layers = std::max(c.layers.size(), c.encoder_layers), count = ids_.size();
    if (ids_.empty()) return refuse(errc::invalid_argument, "there is no text to look at");
    if (options_.layer && *options_.layer >= layers)
      return refuse(errc::invalid_argument, "there is no layer " + std::to_string(*options_.layer) +
                                                "; the model has 0 to " + std::to_string(layers - 1));
    if (options_.head && *options_.head >= c.heads)
      return refuse(errc::invalid_argument, "there is no head " + std::to_string(*options_.head) +
                                                "; a layer has 0 to " + std::to_string(c.heads - 1));
    if (count > std::min(options_.tokens_max, c.context_length))
      return refuse(errc::limit_reached, "the text has " + std::to_string(count) + " tokens; at most " +
                                             std::to_string(std::min(options_.tokens_max, c.context_length)) +
                                             " are looked at");
    std::size_t const tables = (options_.layer ? 1 : layers) * (options_.head ? 1 : c.heads);
    if (tables * count * count * sizeof(float) > options_.attention_bytes_max)
      return refuse(errc::limit_reached, std::to_string(tables) + " attention tables of " + std::to_string(count) +
                                             " tokens exceed attention_bytes_max; name a layer and a head");
    return {};
  }

  void describe(engine::config const& c) {
    auto const& row = *c.architecture;
    out_.architecture = std::string(row.name);
    out_.kind = row.kind == engine::model_kind::decoder   ? "decoder"
                : row.kind == engine::model_kind::encoder ? "encoder"
                                                          : "encoder-decoder";
    if (row.kind == engine::model_kind::encoder_decoder)
      out_.positions =
          "relative: a bias per head for each of " + std::to_string(c.relative_buckets) + " ranges of distance";
    else if (row.learned_positions)
      out_.positions = "learned: a vector for each of " + std::to_string(c.context_length) + " positions";
    else
      out_.positions = "rotary: the first " + std::to_string(c.rope_width) + " floats of a head turn in pairs, base " +
                       std::to_string(static_cast<long long>(c.rope_base));
    out_.layers = c.layers.size();
    out_.heads = c.heads;
    out_.head_width = c.head_width;
    out_.width = c.width;
    out_.vocabulary = c.vocabulary;
  }

  inspected_token named(token_id id) const {
    return {id, std::string(tokens_.piece(id)), tokens_.token_bytes(id, {.show_special = true})};
  }
  std::vector<inspected_token> named(std::vector<token_id> const& ids) const {
    std::vector<inspected_token> out;
    for (auto id : ids) out.push_back(named(id));
    return out;
  }

  std::vector<likely_token> likeliest(std::span<float const> logits, std::size_t count) const {
    local::likelihood const chance(logits);
    std::vector<likely_token> out;
    for (auto const id : local::largest(logits.first(std::min(logits.size(), tokens_.size())), count))
      out.push_back({named(static_cast<token_id>(id)), chance.of(logits[id])});
    return out;
  }

  result<inspection> decoder() {
    auto const model = engine::transformer::load(file_, kernels_);
    if (!model) return model.error();
    auto const& c = (*model)->configuration();
    recorder watch(out_.text, c, c.layers.size(), ids_.size(), 0, options_);
    auto sequence = (*model)->make_sequence();
    if (!sequence) return std::move(sequence).error();
    std::vector<float> logits(c.vocabulary);
    auto done = (*model)->forward(ids_, *sequence, pool_, logits, {.watch = &watch});
    if (!done) return std::move(done).error();
    out_.next = likeliest(logits, options_.next_tokens);
    auto const last_of = [&](float_table const& table) {
      return likeliest((*model)->logits_of(table[table.rows - 1], pool_), 1).front();
    };
    out_.next_by_layer.push_back(last_of(out_.text.embedded));
    for (auto const& layer : out_.text.residual) out_.next_by_layer.push_back(last_of(layer));
    return std::move(out_);
  }

  result<inspection> encoder() {
    auto const model = engine::text_encoder::load(file_, kernels_);
    if (!model) return model.error();
    auto const& c = (*model)->configuration();
    recorder watch(out_.text, c, c.layers.size(), ids_.size(), 0, options_);
    engine::text_encoder::input const input{ids_, {}};
    auto rows = (*model)->encode(std::span(&input, 1), pool_, &watch);
    if (!rows) return std::move(rows).error();
    out_.context_vectors = {ids_.size(), c.width, std::move(*rows)};
    return std::move(out_);
  }

  result<inspection> both() {
    auto const model = engine::encoder_decoder::load(file_, kernels_);
    if (!model) return model.error();
    auto const& c = (*model)->configuration();
    recorder watch(out_.text, c, c.encoder_layers, ids_.size(), 0, options_);
    auto read = (*model)->encode(ids_, pool_, &watch);
    if (!read) return std::move(read).error();
    out_.context_vectors = {read->rows, c.width, read->vectors};

    // The answer is found first, then looked at as a whole: each of its rows is what it was when it was found.
    std::vector<token_id> answer{static_cast<token_id>(c.start_token)};
    std::vector<float> logits(c.vocabulary);
    auto sequence = (*model)->make_sequence(options_.answer_tokens + 1);
    if (!sequence) return std::move(sequence).error();
    auto const ends = tokens_.end_of_generation();
    while (answer.size() <= options_.answer_tokens) {
      auto done = (*model)->decode(std::span(&answer.back(), 1), *read, *sequence, pool_, logits);
      if (!done) return std::move(done).error();
      auto const next = static_cast<token_id>(std::max_element(logits.begin(), logits.end()) - logits.begin());
      if (std::find(ends.begin(), ends.end(), next) != ends.end()) break;
      if (answer.size() < options_.answer_tokens)
        answer.push_back(next);
      else
        break;
    }
    out_.next = likeliest(logits, options_.next_tokens);
    out_.answer.emplace();
    out_.answer->tokens = named(answer);
    recorder watch_answer(*out_.answer, c, c.layers.size(), answer.size(), read->rows, options_);
    auto again = (*model)->make_sequence(answer.size());
    auto done = (*model)->decode(answer, *read, *again, pool_, {}, &watch_answer);
    if (!done) return std::move(done).error();
    return std::move(out_);
  }

  gguf_file const& file_;
  kernel_set const kernels_;
  tokenizer const tokens_;
  inspect_options const& options_;
  engine::worker_pool pool_;
  std::vector<token_id> ids_;
  inspection out_;
};

}  // namespace

result<inspection> inspect(gguf_file const& file, std::string_view text, inspect_options const& options) {
  auto const kernels = choose_kernels(options.kernels);
  if (!kernels) return kernels.error();
  auto tokens = tokenizer::from(file);
  if (!tokens) return std::move(tokens).error();
  return inspector(file, *kernels, std::move(*tokens), options).run(text);
}

}  // namespace wherry::inline v0
