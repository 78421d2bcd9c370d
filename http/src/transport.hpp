#pragma once
// A TCP connection, with or without TLS. TLS works on the socket's own descriptor through non-blocking reads and
// writes, so that a connection can be taken off one event loop and put on another.

#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <sys/uio.h>

struct ssl_st;
struct ssl_ctx_st;

namespace wherry::inline v0 {
struct tls_server_options;
struct http_client_options;
}  // namespace wherry::inline v0

namespace wherry::inline v0::detail {

struct ssl_free {
  void operator()(ssl_st* s) const noexcept;
};
using ssl_ptr = std::unique_ptr<ssl_st, ssl_free>;
using tls_context = std::shared_ptr<ssl_ctx_st>;

result<tls_context> make_server_context(tls_server_options const& options);
result<tls_context> make_client_context(http_client_options const& options);

struct io_end {
  std::size_t size = 0;
  boost::system::error_code ec;
};

class transport {
 public:
  explicit transport(boost::asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}
  transport(boost::asio::ip::tcp::socket socket, ssl_ptr ssl) : socket_(std::move(socket)), ssl_(std::move(ssl)) {}

  /// Server side of a TLS handshake.
  task<boost::system::error_code> accept_tls(tls_context context);
  /// Client side; the certificate must name `host` unless `verify` is off.
  task<boost::system::error_code> connect_tls(tls_context context, std::string host, bool verify);

  /// At least one byte, or the reason; the end of the stream is asio::error::eof.
  task<io_end> read_some(std::span<char> into);
  /// What the peer takes at once. True when all is sent, or `ec` is set; else the parts are moved past what was sent.
  bool write_now(std::span<iovec>& parts, boost::system::error_code& ec) noexcept;
  /// The rest.
  task<boost::system::error_code> write_rest(std::span<iovec> parts);

  /// Whether the peer has closed its side, as far as can be seen without waiting. Bytes not yet read count as open.
  bool peer_gone() noexcept;
  /// Tells a TLS peer that this is the end; without waiting.
  void say_goodbye() noexcept;

  boost::asio::ip::tcp::socket& socket() noexcept { return socket_; }
  bool secure() const noexcept { return ssl_ != nullptr; }
  ssl_ptr take_ssl() noexcept { return std::move(ssl_); }
  /// What TLS said last, for a reader.
  std::string const& tls_reason() const noexcept { return reason_; }

 private:
  task<boost::system::error_code> shake_hands(bool server);
  task<boost::system::error_code> wait(int ssl_error);
  boost::system::error_code failed(int ssl_error);
  void attach(tls_context const& context);

  boost::asio::ip::tcp::socket socket_;
  ssl_ptr ssl_;
  std::string reason_;
};

}  // namespace wherry::inline v0::detail
