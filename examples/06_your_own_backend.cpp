// Any language model fits behind two functions: info() says what it can do, submit() starts an answer. This one speaks
// backwards. What it cannot do (tools, grammars, log-probabilities) is reported by name when somebody asks for it.

#include <wherry/agent/agent.hpp>

#include <algorithm>
#include <atomic>
#include <iostream>

namespace w = wherry;

class backwards_stream final : public w::model_stream {
 public:
  backwards_stream(std::string text, std::vector<w::notice> notices)
      : text_(std::move(text)), notices_(std::move(notices)) {}

  w::task<w::result<w::model_event>> async_next() override {
    if (cancelled_) co_return w::error{w::errc::cancelled, "the answer was cancelled", "backwards"};
    if (at_ == 0) {
      at_ = text_.size();
      co_return w::model_event{w::text_delta{text_}};
    }
    w::response_end end;
    end.answer = w::message::assistant(text_);
    end.usage = {.prompt_tokens = text_.size() / 4, .completion_tokens = text_.size() / 4, .estimated = true};
    end.notices = notices_;
    co_return w::model_event{std::move(end)};
  }
  void cancel() noexcept override { cancelled_ = true; }

 private:
  std::string text_;
  std::vector<w::notice> notices_;
  std::size_t at_ = 0;
  std::atomic<bool> cancelled_{false};
};

class backwards final : public w::model {
 public:
  backwards() {
    info_.name = info_.fingerprint = "backwards";
    info_.can.parts = w::capabilities::parts_of({w::part_kind::text});
  }
  w::model_info const& info() const noexcept override { return info_; }
  w::result<std::unique_ptr<w::model_stream>> submit(w::model_request request) override {
    if (auto fits = w::check_parts(info_, request.messages); !fits) return std::move(fits).error();
    auto text = request.messages.back().text();
    std::reverse(text.begin(), text.end());
    return std::make_unique<backwards_stream>(std::move(text), w::missing_features(info_, request));
  }

 private:
  w::model_info info_;
};

int main() {
  auto parrot = w::agent{std::make_shared<backwards>()}.sampling({.logprobs = true});
  auto r = parrot.run("stressed");
  if (!r) {
    std::cerr << r.error() << '\n';
    return 1;
  }
  std::cout << r->output << '\n';
  for (auto const& notice : r->notices) std::cout << notice.feature << ": " << notice.effect << '\n';
}

// Expected output:
//   desserts
//   logprobs: the model backwards reports no log-probabilities
