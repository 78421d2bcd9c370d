#pragma once
// One connection of a client while it serves one request: it connects, sends, reads the head of the answer, and reads
// the body piece by piece. Between requests only descriptor and TLS state are kept, so the next request may run on
// another loop.

#include "message_parser.hpp"
#include "transport.hpp"

#include <wherry/http/client.hpp>

#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <mutex>
#include <vector>

namespace wherry::inline v0 {

struct http_client::impl : std::enable_shared_from_this<http_client::impl> {
  struct idle_connection {
    std::string key;
    int fd = -1;
    bool v6 = false;
    detail::ssl_ptr ssl;
    std::chrono::steady_clock::time_point since;
  };

  explicit impl(http_client_options o) : options(std::move(o)) {}
  ~impl();

  result<detail::tls_context> context();
  /// Counts a new connection. Fails with: errc::queue_full.
  result<void> count_one();
  void count_down();
  /// The youngest kept connection of the key that is still alive.
  std::optional<idle_connection> take(std::string const& key);
  void keep(idle_connection idle);
  void close_idle();

  http_client_options const options;
  mutable std::mutex mutex;
  std::deque<idle_connection> idle;  // the youngest last
  std::size_t open = 0;
  std::uint64_t connected = 0, requests = 0;
  std::optional<result<detail::tls_context>> tls;
};

namespace detail {

class client_connection : public std::enable_shared_from_this<client_connection> {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  client_connection(std::shared_ptr<http_client::impl> client, std::string key, boost::asio::any_io_executor executor);
  ~client_connection();

  /// Takes a kept connection. False when there is none.
  bool reuse();
  task<result<void>> connect(url target, address_rule rule);
  /// Sends a request and reads the head of the answer. `acted` tells whether the peer may have acted upon it.
  task<result<void>> exchange(std::string head, http_request const& request, bool& acted);
  task<result<std::string_view>> read(deadline until);

  /// Waits end at `when`, by closing the socket.
  void limit(time_point when);
  void close() noexcept;
  /// Keeps the connection for the next request, when the answer was whole and the peer agrees.
  void give_back();
  message_parser& answer() noexcept { return parser_; }
  std::string url_text;

 private:
  task<result<void>> connect_to(std::vector<boost::asio::ip::tcp::endpoint> ends, url const& target);
  task<result<void>> open_tunnel(url const& target);
  task<result<void>> send(std::string head, http_request const& request, bool& acted);
  task<result<void>> read_head(bool no_body);
  task<result<bool>> fill();
  error broken(boost::system::error_code ec, char const* doing) const;
  void arm();

  std::shared_ptr<http_client::impl> const client_;
  std::string const key_;
  transport transport_;
  message_parser parser_;
  boost::asio::steady_timer timer_;
  time_point until_ = time_point::max(), armed_ = time_point::max();
  bool counted_ = false, expired_ = false, closed_ = false, given_back_ = false;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;
  std::string piece_;
};

}  // namespace detail
}  // namespace wherry::inline v0
