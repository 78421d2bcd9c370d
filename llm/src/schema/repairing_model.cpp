#include <wherry/llm/repairing_model.hpp>

#include <wherry/core/json.hpp>
#include <wherry/llm/json_validator.hpp>

#include <algorithm>
#include <mutex>

namespace wherry::inline v0 {
namespace {

class repairing_stream final : public model_stream {
 public:
  repairing_stream(std::shared_ptr<model> inner, model_request request, std::optional<json_validator> validator,
                   repair_options options, std::unique_ptr<model_stream> first)
      : inner_(std::move(inner)),
        request_(std::move(request)),
        validator_(std::move(validator)),
        options_(options),
        current_(std::move(first)) {}

  task<result<model_event>> async_next() override {
    if (ended_) {
      auto last = std::exchange(ended_, std::nullopt);
      done_ = true;
      co_return model_event(std::move(*last));
    }
    if (done_) co_return error(errc::invalid_argument, "the answer has ended; there are no more events", "repair");
    for (;;) {
      auto next = co_await current_->async_next();
      if (!next) {
        bool const has_text = !validator_ && next.error().is(errc::output_invalid);
        if (has_text && tries_ < options_.tries_max && ask_again(std::exchange(held_, {}), next.error().message))
          continue;
        done_ = true;
        co_return std::move(next).error();
      }
      if (auto const* delta = std::get_if<text_delta>(&*next)) {  // held back until it is known to be valid
        held_ += delta->text;
        continue;
      }
      auto* const end = std::get_if<response_end>(&*next);
      if (end == nullptr) co_return std::move(*next);
      add_usage(*end);
      std::string const text = end->answer.text();
      bool const has_calls = !end->answer.tool_calls().empty();
      held_.clear();
      if (!has_calls && validator_) {
        if (auto refused = judge(text); refused) {
          if (tries_ >= std::max<std::size_t>(options_.tries_max, 1)) {
            done_ = true;
            co_return std::move(*refused);
          }
          if (auto again = ask_again(text, refused->message); !again) {
            done_ = true;
            co_return std::move(again).error();
          }
          continue;
        }
      }
      end->usage = usage_;
      if (tries_ > 1) {
        end->notices.push_back({"repair", "the answer was valid at the " + std::to_string(tries_) + "th try"});
      }
      if (text.empty() || has_calls) {
        done_ = true;
        co_return std::move(*next);
      }
      ended_ = std::move(*end);
      co_return model_event(text_delta{text});
    }
  }

  void cancel() noexcept override {
    std::lock_guard const lock(mutex_);
    cancelled_ = true;
    if (current_) current_->cancel();
  }

 private:
  void add_usage(response_end const& end) {
    usage_.prompt_tokens += end.usage.prompt_tokens;
    usage_.cached_prompt_tokens += end.usage.cached_prompt_tokens;
    usage_.completion_tokens += end.usage.completion_tokens;
    usage_.estimated = usage_.estimated || end.usage.estimated;
  }

  // Nothing when the text is valid.
  std::optional<error> judge(std::string const& text) const {
    auto const found = validator_->validate(text);
    if (!found) {
      error why = found.error();
      if (!why.is(errc::output_invalid)) return why;
      why.message = "the answer is no JSON: " + why.message;
      return why;
    }
    if (found->empty()) return std::nullopt;
    std::string all;
    for (auto const& violation : *found) all += (all.empty() ? "" : "; ") + to_string(violation);
    return error(errc::output_invalid, std::move(all), "repair", found->front().instance);
  }

  result<void> ask_again(std::string const& text, std::string const& why) {
    ++tries_;
    request_.messages.push_back(message::assistant(text));
    bool const is_json = validator_.has_value();
    request_.messages.push_back(message::user(
        std::string("This answer does not match the ") + (is_json ? "JSON Schema" : "grammar") + " it must match. " +
        why + ". Answer again, with the corrected " + (is_json ? "JSON" : "text") + " and nothing else."));
    // Other random numbers, or the model might say the same again.
    request_.draws.step += 0x1000'0000;
    std::lock_guard const lock(mutex_);
    if (cancelled_) return error(errc::cancelled, "the answer was cancelled", "repair");
    auto next = inner_->submit(request_);
    if (!next) return std::move(next).error();
    current_ = std::move(*next);
    return {};
  }

  std::shared_ptr<model> const inner_;
  model_request request_;
  std::optional<json_validator> const validator_;  // of the schema; under a constraint the model judges
  repair_options const options_;
  std::unique_ptr<model_stream> current_;
  std::mutex mutex_;  // of current_ and cancelled_
  bool cancelled_ = false;
  bool done_ = false;
  std::size_t tries_ = 1;
  token_usage usage_;
  std::string held_;
  std::optional<response_end> ended_;
};

class repairing_model final : public model {
 public:
  repairing_model(std::shared_ptr<model> inner, repair_options options) : inner_(std::move(inner)), options_(options) {}

  model_info const& info() const noexcept override { return inner_->info(); }
  result<std::unique_ptr<model_stream>> submit(model_request request) override {
    bool const is_bound = request.output_schema || request.constraint;
    if (!is_bound || inner_->info().can.grammar) return inner_->submit(std::move(request));
    std::optional<json_validator> validator;
    if (request.output_schema) {
      auto made = json_validator::make(*request.output_schema, {.violations_max = options_.violations_max});
      if (!made) return std::move(made).error();
      validator = std::move(*made);
    }
    auto first = inner_->submit(request);
    if (!first) return std::move(first).error();
    return std::make_unique<repairing_stream>(inner_, std::move(request), std::move(validator), options_,
                                              std::move(*first));
  }
  result<rendered_request> render(model_request const& request) const override { return inner_->render(request); }
  std::size_t count_tokens(std::string_view text) const override { return inner_->count_tokens(text); }

 private:
  std::shared_ptr<model> const inner_;
  repair_options const options_;
};

}  // namespace

std::shared_ptr<model> make_repairing(std::shared_ptr<model> inner, repair_options options) {
  return std::make_shared<repairing_model>(std::move(inner), options);
}

}  // namespace wherry::inline v0
