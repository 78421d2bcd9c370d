#include <wherry/llm/local_sequence_to_sequence.hpp>

#include "engine/encoder_decoder.hpp"
#include "engine/sampler.hpp"
#include "local/file_facts.hpp"

#include <wherry/core/runtime.hpp>
#include <wherry/core/text.hpp>

#include <algorithm>
#include <mutex>

namespace wherry::inline v0 {
namespace {

constexpr std::size_t answer_tokens_max = 65'536;

class local_transformer final : public sequence_to_sequence, public std::enable_shared_from_this<local_transformer> {
 public:
  local_transformer(std::shared_ptr<engine::encoder_decoder const> network, tokenizer tokens, std::size_t threads)
      : network_(std::move(network)), tokens_(std::move(tokens)), pool_(static_cast<unsigned>(threads)) {}

  task<result<transformed_text>> async_transform(std::string text, transform_options options) override {
    struct stop_when_left {
      stop_source stop;
      ~stop_when_left() { stop.stop(); }
    };
    auto const guard = std::make_shared<stop_when_left>();
    auto work = [self = shared_from_this(), stop = guard->stop, text = std::move(text),
                 options = std::move(options)]() mutable { return self->transform_now(text, options, stop); };
    co_return co_await offload(compute_pool::shared(), std::move(work), "transform");
  }

 private:
  struct answer {
    std::vector<token_id> ids;
    transformed_text out;
    std::string held;  // half a code point
  };

  result<transformed_text> transform_now(std::string const& text, transform_options const& options, stop_source stop) {
    if (options.max_tokens < 1 || options.max_tokens > answer_tokens_max)
      return error{errc::invalid_argument,
                   "max_tokens is " + std::to_string(options.max_tokens) + "; 1 to " +
                       std::to_string(answer_tokens_max) + " is possible",
                   "sequence_to_sequence.transform"};
    std::size_t const vocabulary = network_->configuration().vocabulary;
    auto sampler = engine::sampler::make(options.sampling, vocabulary);
    if (!sampler) return std::move(sampler).error();
    auto const ids = tokens_.encode(text, {.add_special = true});

    std::lock_guard const lock(mutex_);
    auto const read = network_->encode(ids, pool_);
    if (!read) return read.error();
    auto sequence = network_->make_sequence(options.max_tokens + 1);
    if (!sequence) return std::move(sequence).error();

    answer a;
    a.out.prompt_tokens = ids.size();
    std::vector<float> logits(vocabulary);
    auto next = static_cast<token_id>(network_->configuration().start_token);
    for (;;) {
      if (stop.stopped()) return error{errc::cancelled, "the answer was cancelled", "sequence_to_sequence"};
      if (std::chrono::steady_clock::now() >= options.until)
        return error{
            errc::deadline_exceeded,
            "the answer was not complete at its deadline; " + std::to_string(a.ids.size()) + " tokens were computed",
            "sequence_to_sequence"};
      if (auto done = network_->decode(std::span(&next, 1), *read, *sequence, pool_, logits); !done)
        return std::move(done).error();
      if (a.ids.size() == options.max_tokens) {
        a.out.cut_off = true;
        break;
      }
      draw_key key = options.draws;
      key.position = static_cast<std::uint32_t>(a.ids.size());
      auto const chosen = sampler->sample(logits, {}, a.ids, key);
      if (!chosen) return chosen.error();
      next = chosen->token;
      auto const ends = tokens_.end_of_generation();
      if (std::find(ends.begin(), ends.end(), next) != ends.end()) break;
      take(a, next, options);
    }
    if (!a.held.empty()) give(a, std::exchange(a.held, {}), options);
    a.out.completion_tokens = a.ids.size();
    return std::move(a.out);
  }

  void take(answer& a, token_id token, transform_options const& options) const {
    a.held += a.ids.empty() ? tokens_.decode(std::span(&token, 1)) : tokens_.token_bytes(token);
    a.ids.push_back(token);
    std::size_t const ready = utf8_complete_prefix(a.held);
    auto const text = a.held.substr(0, ready);
    a.held.erase(0, ready);
    if (!text.empty()) give(a, text, options);
  }

  static void give(answer& a, std::string const& bytes, transform_options const& options) {
    auto const text = utf8_repaired(bytes);
    a.out.text += text;
    if (options.on_text) options.on_text(text);
  }

  std::shared_ptr<engine::encoder_decoder const> const network_;
  tokenizer const tokens_;
  std::mutex mutex_;
  engine::worker_pool pool_;  // used with the mutex held
};

}  // namespace

result<transformed_text> sequence_to_sequence::transform(std::string text, transform_options options) {
  return run_blocking(async_transform(std::move(text), std::move(options)), "sequence_to_sequence::transform",
                      "sequence_to_sequence::async_transform");
}

result<std::shared_ptr<sequence_to_sequence>> open_sequence_to_sequence(std::filesystem::path const& gguf,
                                                                        local_sequence_to_sequence_options options) {
  auto file = gguf_file::open(gguf);
  if (!file) return std::move(file).error();
  return sequence_to_sequence_from(std::move(*file), std::move(options));
}

result<std::shared_ptr<sequence_to_sequence>> sequence_to_sequence_from(gguf_file file,
                                                                        local_sequence_to_sequence_options options) {
  auto const kernels = choose_kernels(options.kernels);
  if (!kernels) return kernels.error();
  auto network = engine::encoder_decoder::load(file, *kernels);
  if (!network) return std::move(network).error();
  auto tokens = tokenizer::from(file);
  if (!tokens) return std::move(tokens).error();
  if (tokens->size() > (*network)->configuration().vocabulary)
    return error{errc::corrupt_file, "the tokenizer has more entries than the embedding", "sequence_to_sequence.open",
                 file.name()};
  return std::shared_ptr<sequence_to_sequence>(std::make_shared<local_transformer>(
      std::move(*network), std::move(*tokens), local::threads_for(options.threads)));
}

}  // namespace wherry::inline v0
