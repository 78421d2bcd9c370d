#pragma once
// What came about one request over HTTP, or about none, until its exchange has sent it. In a session of the handshake
// era it is kept a while longer, so that a client whose connection broke can take the stream up again (Last-Event-ID).

#include <wherry/mcp/serve.hpp>

#include "call.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <charconv>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace wherry::inline v0::mcp::detail {

/// The id of an event: which stream it belongs to, and its place there, from 1. Streams are numbered over all sessions
/// of an endpoint, so that an id names a stream of one session only.
struct event_id {
  std::uint64_t stream = 0, number = 0;

  std::string text() const { return std::to_string(stream) + "-" + std::to_string(number); }
  static std::optional<event_id> parse(std::string_view text) {
    event_id out;
    auto const* const end = text.data() + text.size();
    auto const first = std::from_chars(text.data(), end, out.stream);
    if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '-') return std::nullopt;
    auto const second = std::from_chars(first.ptr + 1, end, out.number);
    if (second.ec != std::errc{} || second.ptr != end) return std::nullopt;
    return out;
  }
};

class exchange_reply final : public reply {
 public:
  exchange_reply(asio::any_io_executor const& where, std::size_t unsent_bytes_max, replay_options const& replay)
      : where_(where), unsent_bytes_max_(unsent_bytes_max), replay_(replay) {}

  void begins() override { began = true; }
  void serves(std::weak_ptr<call_state> call) override { call_ = std::move(call); }
  void notify(std::string_view message) override {
    // A reader that is too slow, or not there, loses what is only news.
    bool const kept = stream_ != 0 && !being_read_;
    auto const bytes_max = kept ? std::min(unsent_bytes_max_, replay_.bytes_max) : unsent_bytes_max_;
    if (unsent_bytes_ + message.size() > bytes_max) return;
    if (kept && events_.size() - sent_ >= replay_.events_max) return;
    unsent_bytes_ += message.size();
    bytes_ += message.size();
    events_.push_back({++made_, std::string(message)});
    trim();
    ring();
  }
  void finish(std::string_view message, int code) override {
    finished = true;
    status = code;
    answer.assign(message);
    ring();
  }
  void disconnect(std::chrono::milliseconds retry) override {
    if (!primes) return;
    disconnect_ = retry;
    ring();
  }

  bool began = false;
  bool finished = false;
  int status = 200;
  std::string answer;
  bool primes = false;  ///< Its client comes back by itself, and is told when.

  // ---- sending

  struct outbound {
    std::uint64_t number;
    std::string_view message;
  };
  /// The next message; the answer is the last. It stays good until the next call.
  std::optional<outbound> next() {
    trim();
    if (sent_ < events_.size()) {
      auto const& e = events_[sent_++];
      unsent_bytes_ -= e.message.size();
      return outbound{e.number, e.message};
    }
    if (!finished || std::exchange(answer_sent_, true) || answer.empty()) return std::nullopt;
    return outbound{made_ + 1, answer};
  }
  bool has_news() const noexcept { return sent_ < events_.size(); }
  /// Everything was sent, to the end.
  bool drained() const noexcept { return finished && answer_sent_; }
  /// The number of the last message that was sent.
  std::uint64_t place() const noexcept {
    if (answer_sent_ && !answer.empty()) return made_ + 1;
    return made_ - (events_.size() - sent_);
  }
  /// The handler wishes the connection to end, and the client to come back after so long.
  std::optional<std::chrono::milliseconds> take_disconnect() { return std::exchange(disconnect_, std::nullopt); }

  /// Resumes when something has come, or after `time`: false then.
  task<bool> wait(std::chrono::milliseconds time) {
    if (something_came()) co_return true;
    if (!bell_) bell_.emplace(where_);
    bell_->expires_after(time);
    boost::system::error_code ec;
    co_await bell_->async_wait(asio::redirect_error(asio::use_awaitable, ec));
    co_return something_came();
  }

  // ---- taking it up again

  std::uint64_t stream() const noexcept { return stream_; }  ///< Its number; 0: it cannot be taken up again.
  void make_resumable(std::uint64_t number) { stream_ = number; }
  std::size_t bytes() const noexcept { return bytes_ + answer.size(); }

  /// What comes behind that number, as far as it is kept, is to be sent again. False: nobody was given such a number.
  bool rewind(std::uint64_t number) {
    if (number > place()) return false;
    answer_sent_ = answer_sent_ && number == place();
    while (sent_ > 0 && events_[sent_ - 1].number > number) unsent_bytes_ += events_[--sent_].message.size();
    return true;
  }

  /// Whoever sends its messages takes hold of it; whoever did before leaves.
  std::uint64_t take_hold() {
    ring();
    being_read_ = true;
    return ++holder_;
  }
  bool held_by(std::uint64_t holder) const noexcept { return holder == holder_; }
  void let_go(std::uint64_t holder) {
    if (held_by(holder)) being_read_ = false;
  }
  bool being_read() const noexcept { return being_read_; }

  /// Nobody will read it any more.
  void cut() {
    stream_ = 0;
    if (finished) return;
    if (auto const call = call_.lock()) call->abandon();
  }
  /// It cannot be taken up again; it ends with whoever reads it now.
  void forget() {
    stream_ = 0;
    if (!being_read_) cut();
  }

 private:
  struct event {
    std::uint64_t number;
    std::string message;
  };

  /// What was sent is kept only where somebody may ask for it again, and only so much of it.
  void trim() {
    while (sent_ > 0 && (stream_ == 0 || events_.size() > replay_.events_max || bytes_ > replay_.bytes_max)) {
      bytes_ -= events_.front().message.size();
      events_.pop_front();
      --sent_;
    }
  }
  bool something_came() const noexcept { return has_news() || finished || disconnect_; }
  void ring() {
    if (bell_) bell_->cancel();
  }

  asio::any_io_executor where_;
  std::size_t unsent_bytes_max_;
  replay_options replay_;
  std::optional<asio::steady_timer> bell_;
  std::deque<event> events_;  ///< The first `sent_` of them were sent. The last has the number `made_`.
  std::size_t sent_ = 0;
  std::size_t bytes_ = 0, unsent_bytes_ = 0;
  std::uint64_t made_ = 0;
  bool answer_sent_ = false;
  std::optional<std::chrono::milliseconds> disconnect_;
  std::uint64_t stream_ = 0, holder_ = 0;
  bool being_read_ = false;
  std::weak_ptr<call_state> call_;
};

}  // namespace wherry::inline v0::mcp::detail
