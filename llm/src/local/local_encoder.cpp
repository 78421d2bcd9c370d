#include <wherry/llm/local_encoder.hpp>

#include "engine/text_encoder.hpp"
#include "local/file_facts.hpp"
#include "local/likelihood.hpp"

#include <wherry/core/runtime.hpp>

#include <algorithm>
#include <cmath>
#include <mutex>

namespace wherry::inline v0 {
namespace {

// A text ready to be computed.
struct prepared_text {
  std::vector<token_id> ids;
  std::vector<std::uint8_t> types;
};

char const* pooling_name(engine::pooling how) {
  switch (how) {
    case engine::pooling::mean: return "mean";
    case engine::pooling::first: return "first token";
    case engine::pooling::last: return "last token";
    case engine::pooling::rank: return "rank";
    case engine::pooling::none: break;
  }
  return "none";
}

void make_unit(std::span<float> v) {
  double squares = 0;
  for (double x : v) squares += x * x;
  if (squares == 0) return;
  double const scale = 1 / std::sqrt(squares);
  for (float& x : v) x = static_cast<float>(x * scale);
}

error unsupported(std::string what) { return {errc::unsupported, std::move(what), "local_encoder"}; }

}  // namespace

class local_encoder::impl final : public embedder,
                                  public reranker,
                                  public classifier,
                                  public std::enable_shared_from_this<local_encoder::impl> {
 public:
  impl(std::shared_ptr<engine::text_encoder const> network, wherry::v0::tokenizer tokens,
       local_encoder_description about, local_encoder_options options)
      : network_(std::move(network)),
        tokens_(std::move(tokens)),
        about_(std::move(about)),
        options_(std::move(options)),
        labels_(network_->configuration().labels),
        pool_(static_cast<unsigned>(about_.threads)) {
    info_.name = network_->file().find_string("general.name").value_or(about_.file);
    info_.fingerprint = local::fingerprint_of(network_->file(), network_->kernels());
    info_.dimensions = about_.embeds ? network_->configuration().width : 0;
    info_.context_tokens = network_->configuration().context_length;
    options_.texts_at_once = std::max<std::size_t>(options_.texts_at_once, 1);
    for (std::size_t i = labels_.size(); i < network_->head_outputs(); ++i)
      labels_.push_back("label " + std::to_string(i));
  }

  encoder_info const& info() const noexcept override { return info_; }
  local_encoder_description const& about() const noexcept { return about_; }
  wherry::v0::tokenizer const& tokens() const noexcept { return tokens_; }
  std::vector<std::string> const& labels() const noexcept override { return labels_; }

  task<result<embeddings>> async_embed(std::vector<std::string> texts, text_purpose purpose,
                                       encode_text_options options) override {
    auto const self = shared_from_this();
    auto const prefix = purpose == text_purpose::query ? options_.query_prefix : options_.document_prefix;
    // Shared with the work, which goes on for a moment when this task is cancelled.
    auto const state = std::make_shared<embedding>(embedding{std::move(texts), prefix, options, {}});
    state->out.dimensions = info_.dimensions;
    std::size_t const count = state->texts.size();
    for (std::size_t begin = 0; begin < count; begin += options_.texts_at_once) {
      if (auto late = overdue(options, begin, count)) co_return *late;
      std::size_t const end = std::min(begin + options_.texts_at_once, count);
      auto work = [self, state, begin, end] { return self->embed_some(*state, begin, end); };
      auto done = co_await offload(compute_pool::shared(), std::move(work), "embed");
      if (!done) co_return std::move(done).error();
    }
    co_return std::move(state->out);
  }

  task<result<std::vector<float>>> async_score(std::string query, std::vector<std::string> texts,
                                               encode_text_options options) override {
    auto how = [this, query = std::move(query)](std::string const& text, encode_text_options const& with,
                                                std::size_t index) { return prepare_pair(query, text, with, index); };
    auto judged = co_await judge_all(std::move(texts), options, std::move(how));
    if (!judged) co_return std::move(judged).error();
    std::vector<float> out;
    for (auto const& outputs : *judged) out.push_back(outputs.front());
    co_return out;
  }

  task<result<std::vector<std::vector<label_score>>>> async_classify(std::vector<std::string> texts,
                                                                     encode_text_options options) override {
    auto how = [this](std::string const& text, encode_text_options const& with, std::size_t index) {
      return prepare(text, with, index);
    };
    auto judged = co_await judge_all(std::move(texts), options, std::move(how));
    if (!judged) co_return std::move(judged).error();
    std::vector<std::vector<label_score>> out;
    for (auto const& logits : *judged) out.push_back(scores_of(logits));
    co_return out;
  }

  result<std::vector<mask_guess>> guess(std::string const& text, std::size_t guesses) {
    if (!about_.fills_masks)
      return unsupported("the file has no head that predicts masked tokens ('mlm.dense' and its kin)");
    auto const mask = tokens_.mask();
    if (!mask) return unsupported("the vocabulary has no mask token");
    auto const ids = tokens_.encode(text, {.add_special = true, .parse_special = true});
    auto const at = std::find(ids.begin(), ids.end(), *mask);
    if (at == ids.end())
      return error{errc::invalid_argument, "the text has no mask; write " + std::string(tokens_.piece(*mask)),
                   "local_encoder.fill_mask"};
    std::lock_guard const lock(mutex_);
    engine::text_encoder::input const input{ids, {}};
    auto const rows = network_->encode(std::span(&input, 1), pool_);
    if (!rows) return rows.error();
    std::size_t const width = network_->configuration().width;
    auto logits =
        network_->predict(std::span(*rows).subspan(static_cast<std::size_t>(at - ids.begin()) * width, width), pool_);
    return best_of(logits, guesses);
  }

 private:
  std::optional<error> overdue(encode_text_options const& options, std::size_t done, std::size_t of) const {
    if (std::chrono::steady_clock::now() < options.until) return std::nullopt;
    return error{errc::deadline_exceeded,
                 std::to_string(done) + " of " + std::to_string(of) + " texts were read at the deadline",
                 "local_encoder"};
  }

  error too_long(std::size_t index, std::size_t tokens) const {
    return {errc::context_overflow,
            "text " + std::to_string(index) + " has " + std::to_string(tokens) + " tokens; the model reads " +
                std::to_string(info_.context_tokens) + ". Shorten it, or ask for overlong_text::shorten",
            "local_encoder"};
  }

  result<prepared_text> prepare(std::string const& text, encode_text_options const& options, std::size_t index) const {
    prepared_text out;
    out.ids = tokens_.encode(text, {.add_special = true});
    std::size_t const most = info_.context_tokens;
    if (out.ids.empty())
      return error{errc::invalid_argument, "text " + std::to_string(index) + " has no tokens", "local_encoder"};
    if (out.ids.size() <= most) return out;
    if (options.overlong == overlong_text::refuse) return too_long(index, out.ids.size());
    auto const last = out.ids.back();
    out.ids.resize(most);
    if (tokens_.kind(last) == token_kind::control) out.ids.back() = last;  // what closes a text stays
    return out;
  }

  result<prepared_text> prepare_pair(std::string const& query, std::string const& text,
                                     encode_text_options const& options, std::size_t index) const {
    pair_options pair;
    if (options.overlong == overlong_text::shorten) pair.tokens_max = info_.context_tokens;
    auto encoded = tokens_.encode_pair(query, text, pair);
    if (!encoded) return std::move(encoded).error();
    if (encoded->ids.size() > info_.context_tokens) return too_long(index, encoded->ids.size());
    prepared_text out{std::move(encoded->ids), {}};
    std::size_t const types = std::max<std::size_t>(network_->configuration().token_types, 1);
    for (auto type : encoded->type_ids)
      out.types.push_back(static_cast<std::uint8_t>(std::min(static_cast<std::size_t>(type), types - 1)));
    return out;
  }

  // Computes prepared texts and calls use(index, rows) for each.
  template <class Use>
  result<void> read(std::vector<prepared_text> const& texts, Use const& use) {
    std::vector<engine::text_encoder::input> inputs;
    for (auto const& text : texts) inputs.push_back({text.ids, text.types});
    std::lock_guard const lock(mutex_);
    auto const rows = network_->encode(inputs, pool_);
    if (!rows) return rows.error();
    std::size_t const width = network_->configuration().width;
    std::size_t at = 0;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      use(i, std::span(*rows).subspan(at, texts[i].ids.size() * width));
      at += texts[i].ids.size() * width;
    }
    return {};
  }

  struct embedding {
    std::vector<std::string> texts;
    std::string prefix;
    encode_text_options options;
    embeddings out;
  };

  result<void> embed_some(embedding& state, std::size_t begin, std::size_t end) {
    std::vector<prepared_text> prepared;
    for (std::size_t i = begin; i < end; ++i) {
      auto one = prepare(state.prefix + state.texts[i], state.options, i);
      if (!one) return std::move(one).error();
      state.out.token_count += one->ids.size();
      prepared.push_back(std::move(*one));
    }
    return read(prepared, [&](std::size_t, std::span<float const> rows) {
      auto vector = network_->pool(rows);
      make_unit(vector);
      state.out.values.insert(state.out.values.end(), vector.begin(), vector.end());
    });
  }

  // The head's outputs for each text, prepared by `how`.
  template <class How>
  task<result<std::vector<std::vector<float>>>> judge_all(std::vector<std::string> texts, encode_text_options options,
                                                          How how) {
    struct judging {
      std::vector<std::string> texts;
      encode_text_options options;
      How how;
      std::vector<std::vector<float>> out;
    };
    auto const self = shared_from_this();
    auto const state = std::make_shared<judging>(judging{std::move(texts), options, std::move(how), {}});
    std::size_t const count = state->texts.size();
    for (std::size_t begin = 0; begin < count; begin += options_.texts_at_once) {
      if (auto late = overdue(options, begin, count)) co_return *late;
      std::size_t const end = std::min(begin + options_.texts_at_once, count);
      auto work = [self, state, begin, end]() -> result<void> {
        std::vector<prepared_text> prepared;
        for (std::size_t i = begin; i < end; ++i) {
          auto one = state->how(state->texts[i], state->options, i);
          if (!one) return std::move(one).error();
          prepared.push_back(std::move(*one));
        }
        return self->read(prepared, [&](std::size_t, std::span<float const> rows) {
          state->out.push_back(self->network_->judge(rows, self->pool_));
        });
      };
      auto done = co_await offload(compute_pool::shared(), std::move(work), "judge");
      if (!done) co_return std::move(done).error();
    }
    co_return std::move(state->out);
  }

  std::vector<label_score> scores_of(std::vector<float> const& logits) const {
    local::likelihood const chance(logits);
    std::vector<label_score> out;
    for (std::size_t i = 0; i < logits.size(); ++i)
      out.push_back({labels_[i], logits[i], static_cast<float>(chance.of(logits[i]))});
    std::stable_sort(out.begin(), out.end(), [](auto const& a, auto const& b) { return a.logit > b.logit; });
    return out;
  }

  std::vector<mask_guess> best_of(std::vector<float> const& logits, std::size_t guesses) const {
    local::likelihood const chance(logits);
    std::vector<mask_guess> out;
    for (auto const place : local::largest(logits, guesses)) {
      auto const id = static_cast<token_id>(place);
      out.push_back(
          {id, tokens_.token_bytes(id, {.show_special = true}), static_cast<float>(chance.of(logits[place]))});
    }
    return out;
  }

  std::shared_ptr<engine::text_encoder const> const network_;
  wherry::v0::tokenizer const tokens_;
  local_encoder_description const about_;
  local_encoder_options options_;
  std::vector<std::string> labels_;
  encoder_info info_;
  std::mutex mutex_;
  engine::worker_pool pool_;  // used with the mutex held
};

local_encoder::local_encoder(std::filesystem::path const& gguf, local_encoder_options options)
    : local_encoder(open(gguf, std::move(options)).value()) {}

result<local_encoder> local_encoder::open(std::filesystem::path const& gguf, local_encoder_options options) {
  auto file = gguf_file::open(gguf);
  if (!file) return std::move(file).error();
  return from(std::move(*file), std::move(options));
}

result<local_encoder> local_encoder::from(gguf_file file, local_encoder_options options) {
  auto const kernels = choose_kernels(options.kernels);
  if (!kernels) return kernels.error();
  auto network = engine::text_encoder::load(file, *kernels);
  if (!network) return std::move(network).error();
  auto tokens = wherry::v0::tokenizer::from(file);
  if (!tokens) return std::move(tokens).error();
  auto const& c = (*network)->configuration();
  if (tokens->size() > c.vocabulary)
    return error{errc::corrupt_file,
                 "the tokenizer has " + std::to_string(tokens->size()) + " entries, but the embedding " +
                     std::to_string(c.vocabulary),
                 "local_encoder.open", file.name()};

  local_encoder_description about;
  about.file = file.name();
  about.architecture = std::string(c.architecture->name);
  about.quantisation = local::most_common_type(file);
  about.kernels = std::string(to_string(*kernels));
  about.tokenizer = std::string(tokens->family());
  about.pooling = pooling_name(c.pooled);
  about.parameters = local::parameters_of(file);
  about.layers = c.layers.size();
  about.heads = c.heads;
  about.width = c.width;
  about.vocabulary = c.vocabulary;
  about.declared_context = c.context_length;
  about.file_bytes = file.size_bytes();
  about.threads = local::threads_for(options.threads);
  std::size_t const outputs = (*network)->head_outputs();
  about.embeds = c.pooled != engine::pooling::none && c.pooled != engine::pooling::rank;
  about.ranks = outputs == 1;
  about.classifies = outputs > 1;
  about.fills_masks = (*network)->has_token_head();
  return local_encoder(
      std::make_shared<impl>(std::move(*network), std::move(*tokens), std::move(about), std::move(options)));
}

local_encoder_description const& local_encoder::description() const noexcept { return impl_->about(); }
encoder_info const& local_encoder::info() const noexcept { return impl_->info(); }
wherry::v0::tokenizer const& local_encoder::tokenizer() const noexcept { return impl_->tokens(); }

result<std::shared_ptr<embedder>> local_encoder::as_embedder() const {
  if (impl_->about().embeds) return std::shared_ptr<embedder>(impl_);
  return unsupported("'" + impl_->about().file + "' gives no sentence embeddings: its pooling is '" +
                     impl_->about().pooling + "'");
}

result<std::shared_ptr<reranker>> local_encoder::as_reranker() const {
  if (impl_->about().ranks) return std::shared_ptr<reranker>(impl_);
  return unsupported("'" + impl_->about().file +
                     "' does not rank: it has no head with one output ('cls.output' with one row)");
}

result<std::shared_ptr<classifier>> local_encoder::as_classifier() const {
  if (impl_->about().classifies) return std::shared_ptr<classifier>(impl_);
  return unsupported("'" + impl_->about().file +
                     "' does not classify: it has no head with several outputs ('cls.output')");
}

task<result<std::vector<mask_guess>>> local_encoder::async_fill_mask(std::string text, std::size_t guesses) const {
  auto work = [self = impl_, text = std::move(text), guesses] { return self->guess(text, guesses); };
  co_return co_await offload(compute_pool::shared(), std::move(work), "fill_mask");
}

result<std::vector<mask_guess>> local_encoder::fill_mask(std::string text, std::size_t guesses) const {
  return impl_->guess(text, guesses);
}

}  // namespace wherry::inline v0
