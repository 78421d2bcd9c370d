#include "transport.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>

#include <sys/socket.h>

namespace wherry::inline v0::detail {

namespace asio = boost::asio;
using boost::system::error_code;

void ssl_free::operator()(ssl_st* s) const noexcept { SSL_free(s); }

namespace {

error_code last_errno() { return {errno, boost::system::system_category()}; }
bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

// OpenSSL's own socket BIO writes without MSG_NOSIGNAL: a peer that hung up would kill the program.
int bio_fd(BIO* bio) { return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))); }

int bio_write(BIO* bio, char const* data, int size) {
  BIO_clear_retry_flags(bio);
  auto const n = ::send(bio_fd(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && would_block()) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

int bio_read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  auto const n = ::recv(bio_fd(bio), data, static_cast<std::size_t>(size), MSG_DONTWAIT);
  if (n < 0 && would_block()) BIO_set_retry_read(bio);
  if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(n);
}

long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
  return 0;
}

BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    auto* const m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wherry socket");
    BIO_meth_set_write(m, bio_write);
    BIO_meth_set_read(m, bio_read);
    BIO_meth_set_ctrl(m, bio_control);
    return m;
  }();
  return method;
}

}  // namespace

void transport::attach(tls_context const& context) {
  ssl_.reset(SSL_new(context.get()));
  auto* const bio = BIO_new(socket_method());
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket_.native_handle())));
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
}

task<error_code> transport::wait(int ssl_error) {
  error_code ec;
  auto const kind =
      ssl_error == SSL_ERROR_WANT_WRITE ? asio::ip::tcp::socket::wait_write : asio::ip::tcp::socket::wait_read;
  co_await socket_.async_wait(kind, asio::redirect_error(asio::use_awaitable, ec));
  co_return ec;
}

error_code transport::failed(int ssl_error) {
  if (ssl_error == SSL_ERROR_ZERO_RETURN) return asio::error::eof;
  auto const saved = last_errno();
  auto const code = ERR_get_error();
  long const verified = SSL_get_verify_result(ssl_.get());
  if (verified != X509_V_OK)
    reason_ = std::string("the certificate is not accepted: ") + X509_verify_cert_error_string(verified);
  else if (code != 0)
    reason_ = ERR_reason_error_string(code) ? ERR_reason_error_string(code) : "TLS failed";
  else
    reason_ = "the peer broke off";
  if (ssl_error == SSL_ERROR_SYSCALL && saved.value() != 0) return saved;
  return asio::error::connection_aborted;
}

task<error_code> transport::shake_hands(bool server) {
  for (;;) {
    ERR_clear_error();
    errno = 0;
    int const done = server ? SSL_accept(ssl_.get()) : SSL_connect(ssl_.get());
    if (done == 1) co_return error_code{};
    int const why = SSL_get_error(ssl_.get(), done);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) co_return failed(why);
    auto const ec = co_await wait(why);
    if (ec) co_return ec;
  }
}

task<error_code> transport::accept_tls(tls_context context) {
  attach(context);
  co_return co_await shake_hands(true);
}

task<error_code> transport::connect_tls(tls_context context, std::string host, bool verify) {
  attach(context);
  error_code ignored;
  bool const address = (asio::ip::make_address(host, ignored), !ignored);
  if (address) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
    SSL_set1_host(ssl_.get(), host.c_str());
  }
  SSL_set_verify(ssl_.get(), verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  co_return co_await shake_hands(false);
}

task<io_end> transport::read_some(std::span<char> into) {
  io_end end;
  if (!ssl_) {
    end.size = co_await socket_.async_read_some(asio::buffer(into.data(), into.size()),
                                                asio::redirect_error(asio::use_awaitable, end.ec));
    co_return end;
  }
  for (;;) {
    ERR_clear_error();
    errno = 0;
    int const done = SSL_read_ex(ssl_.get(), into.data(), into.size(), &end.size);
    if (done == 1) co_return end;
    int const why = SSL_get_error(ssl_.get(), done);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
      end.ec = co_await wait(why);
      if (end.ec) co_return end;
    } else {
      end.ec = failed(why);
      co_return end;
    }
  }
}

namespace {

void skip(std::span<iovec>& parts, std::size_t size) {
  while (!parts.empty() && size >= parts.front().iov_len) {
    size -= parts.front().iov_len;
    parts = parts.subspan(1);
  }
  if (parts.empty()) return;
  parts.front().iov_base = static_cast<char*>(parts.front().iov_base) + size;
  parts.front().iov_len -= size;
}

}  // namespace

bool transport::write_now(std::span<iovec>& parts, error_code& ec) noexcept {
  skip(parts, 0);
  while (!parts.empty()) {
    if (ssl_) {
      std::size_t sent = 0;
      ERR_clear_error();
      errno = 0;
      int const done = SSL_write_ex(ssl_.get(), parts.front().iov_base, parts.front().iov_len, &sent);
      if (done != 1) {
        int const why = SSL_get_error(ssl_.get(), done);
        if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return false;
        ec = failed(why);
        return true;
      }
      skip(parts, sent);
      continue;
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = std::min<std::size_t>(parts.size(), 16);
    auto const n = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (would_block()) return false;
      ec = last_errno();
      return true;
    }
    skip(parts, static_cast<std::size_t>(n));
  }
  return true;
}

task<error_code> transport::write_rest(std::span<iovec> parts) {
  error_code ec;
  for (;;) {
    bool const done = write_now(parts, ec);
    if (done) co_return ec;
    // A TLS write that waits to read is a renegotiation, which our contexts do not allow.
    ec = co_await wait(SSL_ERROR_WANT_WRITE);
    if (ec) co_return ec;
  }
}

bool transport::peer_gone() noexcept {
  char byte = 0;
  if (ssl_) {
    ERR_clear_error();
    int const n = SSL_peek(ssl_.get(), &byte, 1);
    if (n > 0) return false;
    int const why = SSL_get_error(ssl_.get(), n);
    return why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE;
  }
  auto const n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && !would_block());
}

void transport::say_goodbye() noexcept {
  if (!ssl_ || !SSL_is_init_finished(ssl_.get())) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
}

}  // namespace wherry::inline v0::detail
