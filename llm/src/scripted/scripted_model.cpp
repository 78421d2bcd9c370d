#include <wherry/llm/grammar.hpp>
#include <wherry/llm/scripted_model.hpp>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <mutex>
#include <utility>

namespace wherry::inline v0 {

namespace asio = boost::asio;

script_line say(std::string text) {
  script_line line;
  line.parts.push_back(text_part{std::move(text)});
  return line;
}

script_line call(std::string tool, std::string arguments) { return calls({{std::move(tool), std::move(arguments)}}); }

script_line calls(std::vector<std::pair<std::string, std::string>> tool_and_arguments) {
  script_line line;
  line.reason = finish_reason::tool_calls;
  for (auto& [tool, arguments] : tool_and_arguments)
    line.parts.push_back(tool_call{{}, std::move(tool), std::move(arguments)});
  return line;
}

script_line breaks(std::string text, errc code) {
  auto line = say(std::move(text));
  line.failure = error{code, "the script breaks off here", "scripted_model"};
  return line;
}

script_line hangs(std::string text) {
  script_line line;
  if (!text.empty()) line.parts.push_back(text_part{std::move(text)});
  line.hangs = true;
  return line;
}

namespace {

constexpr auto hang_poll = std::chrono::milliseconds(1);  // how often a hanging line looks for cancel() from elsewhere

token_usage count(model_request const& request, message const& answer) {
  std::size_t prompt_bytes = 0, answer_bytes = 0;
  auto const bytes_of = [](message const& m) {
    std::size_t n = 0;
    for (auto const& part : m.parts) {
      if (auto const* text = std::get_if<text_part>(&part)) n += text->text.size();
      if (auto const* one = std::get_if<tool_call>(&part)) n += one->name.size() + one->arguments.size();
      if (auto const* one = std::get_if<tool_result>(&part)) n += one->content.size();
    }
    return n;
  };
  for (auto const& m : request.messages) prompt_bytes += bytes_of(m);
  answer_bytes = bytes_of(answer);
  return {.prompt_tokens = (prompt_bytes + 3) / 4,
          .cached_prompt_tokens = 0,
          .completion_tokens = (answer_bytes + 3) / 4,
          .estimated = true};
}

class scripted_stream final : public model_stream {
 public:
  scripted_stream(script_line line, token_usage usage, std::vector<notice> notices, deadline until,
                  std::optional<grammar::recogniser> text)
      : line_(std::move(line)), usage_(usage), notices_(std::move(notices)), until_(until), text_(std::move(text)) {}

  task<result<model_event>> async_next() override {
    if (ended_) co_return error{errc::invalid_argument, "the stream has already ended", "model_stream.next"};
    if (cancelled_) co_return over({errc::cancelled, "the answer was cancelled", "scripted_model"});
    while (at_ < line_.parts.size()) {
      auto const& part = line_.parts[at_++];
      if (auto const* text = std::get_if<text_part>(&part)) co_return model_event{text_delta{text->text}};
      if (auto const* text = std::get_if<reasoning_part>(&part)) co_return model_event{reasoning_delta{text->text}};
      if (auto const* one = std::get_if<tool_call>(&part)) co_return model_event{tool_call_ready{*one}};
    }
    if (line_.hangs) co_return over(co_await wait());
    if (line_.failure) co_return over(*line_.failure);
    response_end end;
    end.answer.role = role::assistant;
    end.answer.parts = std::move(line_.parts);
    if (text_ && end.answer.tool_calls().empty())
      if (auto held = text_->check(end.answer.text()); !held) co_return over(std::move(held).error());
    ended_ = true;
    end.reason = line_.reason;
    end.usage = usage_;
    end.notices = std::move(notices_);
    co_return model_event{std::move(end)};
  }

  void cancel() noexcept override { cancelled_ = true; }

 private:
  error over(error e) {
    ended_ = true;
    return e;
  }

  task<error> wait() {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (!cancelled_) {
      if (std::chrono::steady_clock::now() >= until_)
        co_return error{errc::deadline_exceeded, "the answer did not end before its deadline", "scripted_model"};
      boost::system::error_code ec;
      timer.expires_after(hang_poll);
      auto token = asio::redirect_error(asio::use_awaitable, ec);
      co_await timer.async_wait(token);
      if (ec) break;
    }
    co_return error{errc::cancelled, "the answer was cancelled", "scripted_model"};
  }

  script_line line_;
  token_usage usage_;
  std::vector<notice> notices_;
  deadline until_;
  std::optional<grammar::recogniser> text_;  // of the request's constraint
  std::size_t at_ = 0;
  bool ended_ = false;
  std::atomic<bool> cancelled_{false};
};

}  // namespace

class scripted_model::impl final : public model {
 public:
  impl(std::vector<script_line> lines, capabilities can) : lines_(std::move(lines)) {
    info_.name = "scripted";
    info_.fingerprint = "scripted";
    info_.context_tokens = 1'000'000;
    info_.can = can;
  }

  model_info const& info() const noexcept override { return info_; }

  result<std::unique_ptr<model_stream>> submit(model_request request) override {
    if (auto fits = check_parts(info_, request.messages); !fits) return std::move(fits).error();
    if (auto one = check_constraint(request); !one) return std::move(one).error();
    std::optional<grammar::recogniser> text;
    if (request.constraint) {
      auto made = grammar::recogniser::make(*request.constraint);
      if (!made) return std::move(made).error();
      text = std::move(*made);
    }
    script_line line;
    std::size_t number = 0;
    {
      std::lock_guard const lock(mutex_);
      if (next_ == lines_.size() && looping_) next_ = 0;
      if (next_ == lines_.size())
        return error{errc::script_mismatch,
                     "the scripted model was asked once more, but its script has only " +
                         std::to_string(lines_.size()) + " lines; add a line or find the extra request",
                     "scripted_model.submit"};
      line = lines_[next_++];
      number = ++asked_;
      if (!looping_) requests_.push_back(request);
    }
    if (auto const said = last_text(request); said.find(line.expects) == std::string::npos)
      return error{errc::script_mismatch,
                   "request " + std::to_string(number) + " was expected to contain \"" + line.expects +
                       "\" in its last message, which reads \"" + said + '"',
                   "scripted_model.submit"};
    std::size_t call_number = 0;
    for (auto& part : line.parts)
      if (auto* one = std::get_if<tool_call>(&part); one && one->id.empty())
        one->id = "call-" + std::to_string(number) + '-' + std::to_string(++call_number);
    message answer{role::assistant, line.parts};
    auto const usage = count(request, answer);
    return std::make_unique<scripted_stream>(std::move(line), usage, missing_features(info_, request), request.until,
                                             std::move(text));
  }

  void loop() {
    std::lock_guard const lock(mutex_);
    looping_ = true;
  }

  result<void> finish() const {
    std::lock_guard const lock(mutex_);
    if (looping_ || next_ == lines_.size()) return {};
    return error{errc::script_mismatch,
                 "the script has " + std::to_string(lines_.size()) + " lines, but only " + std::to_string(next_) +
                     " were asked for",
                 "scripted_model.finish"};
  }

  std::vector<model_request> requests() const {
    std::lock_guard const lock(mutex_);
    return requests_;
  }

 private:
  static std::string last_text(model_request const& request) {
    std::string out;
    if (request.messages.empty()) return out;
    for (auto const& part : request.messages.back().parts) {
      if (auto const* text = std::get_if<text_part>(&part)) out += text->text;
      if (auto const* one = std::get_if<tool_result>(&part)) out += one->content;
    }
    return out;
  }

  model_info info_;
  std::vector<script_line> const lines_;
  mutable std::mutex mutex_;
  std::size_t next_ = 0;
  std::size_t asked_ = 0;
  bool looping_ = false;
  std::vector<model_request> requests_;
};

scripted_model::scripted_model(std::initializer_list<script_line> lines)
    : scripted_model(std::vector<script_line>(lines)) {}
scripted_model::scripted_model(std::vector<script_line> lines, capabilities can)
    : impl_(std::make_shared<impl>(std::move(lines), can)) {}

scripted_model& scripted_model::loop() {
  impl_->loop();
  return *this;
}
result<void> scripted_model::finish() const { return impl_->finish(); }
std::vector<model_request> scripted_model::requests() const { return impl_->requests(); }
scripted_model::operator std::shared_ptr<model>() const { return impl_; }

capabilities scripted_model::default_capabilities() {
  capabilities can;
  can.tools = true;
  can.parts = capabilities::parts_of({part_kind::text, part_kind::reasoning, part_kind::tool_call,
                                      part_kind::tool_result, part_kind::citation, part_kind::provider});
  return can;
}

}  // namespace wherry::inline v0
