#include "message_parser.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>

namespace wherry::inline v0::detail {

namespace beast_http = boost::beast::http;

// Hands what Beast finds to a message_parser.
template <bool is_request>
class beast_parser final : public beast_http::basic_parser<is_request> {
 public:
  explicit beast_parser(message_parser& to) : to_(to) {
    this->eager(true);
    this->header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(to.header_bytes_max_, UINT32_MAX)));
    if (to.body_bytes_max_)
      this->body_limit(*to.body_bytes_max_);
    else
      this->body_limit(boost::none);
  }

 private:
  using text = boost::beast::string_view;
  using code = boost::beast::error_code;

  static std::string_view view(text t) { return {t.data(), t.size()}; }

  void on_request_impl(beast_http::verb, text method, text target, int version, code&) override {
    to_.method_ = view(method);
    to_.target_ = view(target);
    to_.version_ = version;
  }
  void on_response_impl(int status, text, int version, code&) override {
    to_.status_ = status;
    to_.version_ = version;
  }
  void on_field_impl(beast_http::field, text name, text value, code&) override {
    if (!to_.head_done_) to_.fields_.add(view(name), view(value));  // afterwards come trailers: nobody asked for them
  }
  void on_header_impl(code& ec) override {
    to_.head_done_ = true;
    to_.keep_alive_ = this->keep_alive();
    to_.chunked_ = this->chunked();
    to_.check_head();
    if (to_.problem_ != message_problem::none) ec = beast_http::error::bad_transfer_encoding;
  }
  void on_body_init_impl(boost::optional<std::uint64_t> const& size, code&) override {
    // A claim is not yet a body: reserve little of what is promised.
    if (size) to_.body_.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*size, 64u << 10)));
  }
  std::size_t on_body_impl(text piece, code&) override {
    to_.body_ += view(piece);
    return piece.size();
  }
  void on_chunk_header_impl(std::uint64_t size, text, code&) override { to_.chunk_left_ = size; }
  std::size_t on_chunk_body_impl(std::uint64_t, text piece, code&) override {
    to_.chunk_left_ -= piece.size();
    to_.body_ += view(piece);
    return piece.size();
  }
  void on_finish_impl(code&) override { to_.done_ = true; }

  message_parser& to_;
};

struct message_parser::impl {
  std::optional<beast_parser<true>> request;
  std::optional<beast_parser<false>> response;
};

message_parser::message_parser(message_kind kind, std::size_t header_bytes_max,
                               std::optional<std::uint64_t> body_bytes_max)
    : kind_(kind),
      header_bytes_max_(header_bytes_max),
      body_bytes_max_(body_bytes_max),
      impl_(std::make_unique<impl>()) {
  reset();
}

message_parser::~message_parser() = default;

void message_parser::reset(bool no_body) {
  problem_ = message_problem::none;
  started_ = head_done_ = done_ = keep_alive_ = chunked_ = false;
  chunk_left_ = 0;
  status_ = 0;
  fields_.clear();
  body_.clear();
  if (kind_ == message_kind::request) {
    impl_->request.emplace(*this);
  } else {
    impl_->response.emplace(*this);
    impl_->response->skip(no_body);
  }
}

// What Beast lets through although RFC 9112 gives it no body length that both sides agree on.
void message_parser::check_head() {
  auto const coding = fields_.find("Transfer-Encoding");
  if (!coding) return;
  bool const only_chunked = fields_.count("Transfer-Encoding") == 1 && http_fields::same_name(*coding, "chunked");
  if (only_chunked && version_ == 11 && !fields_.find("Content-Length")) return;
  problem_ = only_chunked ? message_problem::malformed : message_problem::unsupported;
  detail_ = "Transfer-Encoding other than chunked alone, or beside Content-Length";
}

std::size_t message_parser::put(std::string_view bytes) {
  if (done_ || problem_ != message_problem::none || bytes.empty()) return 0;
  started_ = true;
  // Between two chunks at least these bytes are still to come; Beast 1.81 trips over its own assertion when it is shown
  // the last four of a chunked body after the third.
  constexpr std::size_t last_chunk_bytes = 5;  // "0\r\n\r\n"
  if (chunked_ && chunk_left_ == 0 && bytes.size() < last_chunk_bytes) return 0;
  boost::beast::error_code ec;
  boost::asio::const_buffer const buffer(bytes.data(), bytes.size());
  auto const taken =
      kind_ == message_kind::request ? impl_->request->put(buffer, ec) : impl_->response->put(buffer, ec);
  if (!ec || ec == beast_http::error::need_more || problem_ != message_problem::none) return taken;
  if (ec == beast_http::error::header_limit)
    problem_ = message_problem::header_too_large;
  else if (ec == beast_http::error::body_limit)
    problem_ = message_problem::body_too_large;
  else
    problem_ = ec == beast_http::error::bad_version ? message_problem::unsupported : message_problem::malformed;
  detail_ = ec.message();
  return taken;
}

void message_parser::put_eof() {
  if (done_ || problem_ != message_problem::none) return;
  boost::beast::error_code ec;
  if (!started_)
    ec = beast_http::error::partial_message;
  else if (kind_ == message_kind::request)
    impl_->request->put_eof(ec);
  else
    impl_->response->put_eof(ec);
  if (!ec) return;
  problem_ = message_problem::cut_short;
  detail_ = "the connection ended in the middle of a message";
}

}  // namespace wherry::inline v0::detail
