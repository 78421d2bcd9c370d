#pragma once
// One connection of a server: reads a request, calls the handler, sends the answer, again. It keeps no timer of its
// own: it says when something is due, and the server's one timer calls it then (see server.cpp).

#include "message_parser.hpp"
#include "transport.hpp"

#include <wherry/http/server.hpp>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <atomic>
#include <vector>

namespace wherry::inline v0 {

class http_connection;

struct http_server::impl : std::enable_shared_from_this<http_server::impl> {
  using time_point = std::chrono::steady_clock::time_point;

  impl(boost::asio::any_io_executor e, http_server_options o, http_handler h)
      : executor(e), options(std::move(o)), handler(std::move(h)), acceptor(e), timer(e), room(e), gone(e) {}

  result<void> listen();
  task<void> accept_loop(std::shared_ptr<impl> self);
  void begin(boost::asio::ip::tcp::socket socket);
  bool make_room();
  /// Something of a connection is due at `when`.
  void watch(time_point when);
  void on_timer();
  void abort_all();
  void remove(http_connection& c);
  /// "Date: ...\r\n" of this second.
  std::string_view date_line();
  bool host_allowed(std::string_view host) const;
  bool origin_allowed(std::string_view origin) const;

  boost::asio::any_io_executor executor;
  http_server_options const options;
  http_handler const handler;
  boost::asio::ip::tcp::acceptor acceptor;
  detail::tls_context tls;
  boost::asio::steady_timer timer, room, gone;
  time_point armed = time_point::max();
  std::vector<http_connection*> connections;  // each connection knows its place
  bool closing = false;
  std::string date;
  std::int64_t date_second = 0;
  std::atomic<std::uint16_t> port{0};
  std::atomic<std::size_t> open{0}, handlers{0};
  std::atomic<std::uint64_t> accepted{0}, requests{0}, refused{0}, dropped{0};
};

class http_connection : public std::enable_shared_from_this<http_connection> {
 public:
  using time_point = http_server::impl::time_point;
  enum class phase { idle, reading, handling, writing, lingering };

  http_connection(std::shared_ptr<http_server::impl> server, boost::asio::ip::tcp::socket socket);

  /// The whole life. The caller keeps the connection alive.
  task<void> run();

  /// Called when due() has passed.
  void on_due(time_point now);
  time_point due() const noexcept { return due_; }
  phase where() const noexcept { return phase_; }
  time_point since() const noexcept { return since_; }
  /// Ends it: waits are cancelled, the socket is closed.
  void abort() noexcept;
  boost::asio::cancellation_slot slot() noexcept { return signal_.slot(); }

  std::size_t place = 0;  ///< In server->connections.

 private:
  friend class http_exchange;
  enum class cause { none, peer_gone, answer_time, stopped };

  task<bool> read_head();
  task<bool> serve_one();
  task<bool> call_handler(http_exchange& exchange);
  task<bool> finish_answer(bool failed);
  task<bool> send_reply(int status, bool keep);
  task<bool> refuse(int status, std::string_view why);
  task<result<void>> read_body();
  task<result<void>> start(int status, http_fields const& fields);
  task<result<void>> write(std::string_view piece);
  task<boost::system::error_code> send(std::span<iovec> parts);
  task<void> linger();
  bool make_space();
  void let_memory_go();
  void parse();
  std::string_view wrong_request(int& status);
  void enter(phase p, std::chrono::milliseconds time);
  void handling();
  void watch_peer();
  void cancel_handler(cause why);
  void begin_head(int status);
  result<void> broken_read(boost::system::error_code ec);

  std::shared_ptr<http_server::impl> const server_;
  detail::transport transport_;
  detail::message_parser parser_;
  boost::asio::cancellation_signal signal_;

  std::array<char, 4096> first_;  // an idle connection reads here, and holds no other memory after a while
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;
  std::string head_;           // of the answer
  std::string accepted_host_;  // the last Host that was allowed
  std::string peer_;

  phase phase_ = phase::idle;
  time_point due_ = time_point::max(), since_{}, request_due_{}, answer_due_{};
  bool timed_out_ = false, watching_ = false, aborted_ = false;
  cause cause_ = cause::none;

  // of the exchange under way
  bool keep_ = false, started_ = false, chunked_ = false, replied_ = false, send_continue_ = false,
       body_failed_ = false;
  std::string piece_;  // what async_read last gave out
  int status_ = 0;
  http_fields reply_fields_;
  std::string reply_body_;
};

}  // namespace wherry::inline v0
