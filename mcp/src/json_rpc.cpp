#include <wherry/mcp/json_rpc.hpp>
#include <wherry/mcp/revision.hpp>

#include "json_view.hpp"

#include <stdexcept>

namespace wherry::inline v0::mcp {
namespace {

using namespace detail;

/// The members of an envelope, as they stand.
struct envelope {
  std::string_view jsonrpc, id, method, params, result, error;
  bool twice = false;

  explicit envelope(std::string_view object) {
    each_member(object, [this](std::string_view key, std::string_view value) {
      auto* const place = key == "jsonrpc"  ? &jsonrpc
                          : key == "id"     ? &id
                          : key == "method" ? &method
                          : key == "params" ? &params
                          : key == "result" ? &result
                          : key == "error"  ? &error
                                            : nullptr;
      if (!place) return true;
      twice = twice || !place->empty();
      *place = value;
      return true;
    });
  }
};

bool is_id(std::string_view raw) {
  if (raw.size() > id_bytes_max) return false;
  return is_string(raw) || integer_in(raw);
}

class rpc_category_type final : public std::error_category {
 public:
  char const* name() const noexcept override { return "json-rpc"; }
  std::string message(int code) const override {
    switch (code) {
      case rpc_code::parse_error: return "parse error";
      case rpc_code::invalid_request: return "invalid request";
      case rpc_code::method_not_found: return "method not found";
      case rpc_code::invalid_params: return "invalid params";
      case rpc_code::internal_error: return "internal error";
      case rpc_code::header_mismatch: return "header mismatch";
      case rpc_code::missing_client_capability: return "missing client capability";
      case rpc_code::unsupported_protocol_version: return "unsupported protocol version";
      default: return "error " + std::to_string(code);
    }
  }
};

}  // namespace

boost::system::result<rpc_message, rpc_refusal> read_rpc(std::string_view text) {
  if (auto const fault = check_json(text, message_depth_max))
    return rpc_refusal{
        rpc_code::parse_error,
        "the message is not JSON: " + std::string(fault.what) + " (byte " + std::to_string(fault.at) + ")",
        {}};
  auto const* const begin = skip_space(text.data(), text.data() + text.size());
  std::string_view const body(begin, static_cast<std::size_t>(text.data() + text.size() - begin));
  auto const refuse = [](std::string what, std::string_view id = {}) {
    return rpc_refusal{rpc_code::invalid_request, std::move(what), std::string(id)};
  };
  if (is_array(body)) return refuse("a batch of messages is not taken; send each message by itself");
  if (!is_object(body)) return refuse("a message is a JSON object");

  envelope const e(body);
  auto const id = is_id(e.id) ? e.id : std::string_view{};
  if (e.twice) return refuse("a member of the message stands twice", id);
  if (e.jsonrpc != "\"2.0\"") return refuse("\"jsonrpc\" must be \"2.0\"", id);
  rpc_message out;
  out.id = e.id;
  if (!e.method.empty()) {
    auto const method = plain_string(e.method);
    if (!method || method->empty()) return refuse("\"method\" must be a name", id);
    if (!e.result.empty() || !e.error.empty()) return refuse("a message with a method has no result and no error", id);
    if (!e.params.empty() && !is_object(e.params)) return refuse("\"params\" must be an object", id);
    if (!e.id.empty() && !is_id(e.id)) return refuse("\"id\" must be a string or an integer of at most 1024 bytes");
    out.kind = e.id.empty() ? rpc_message::kind_type::notification : rpc_message::kind_type::request;
    out.method = *method;
    out.params = e.params.empty() ? std::string_view("{}") : e.params;
    return out;
  }
  if (e.result.empty() == e.error.empty()) return refuse("a message has a method, or a result, or an error", id);
  bool const failed = !e.error.empty();
  if (!is_id(e.id) && !(failed && (e.id.empty() || e.id == "null")))
    return refuse("an answer carries the id of its request");
  out.kind = failed ? rpc_message::kind_type::error : rpc_message::kind_type::result;
  out.payload = failed ? e.error : e.result;
  if (!is_object(out.payload))
    return refuse(failed ? "\"error\" must be an object" : "\"result\" must be an object", id);
  return out;
}

namespace {

constexpr std::string_view head = R"({"jsonrpc":"2.0")";

}  // namespace

std::string rpc_request(std::string_view id, std::string_view method, std::string_view params) {
  std::string out;
  out.reserve(head.size() + id.size() + method.size() + params.size() + 40);
  out.append(head).append(R"(,"id":)").append(id).append(R"(,"method":")").append(method).append("\"");
  if (!params.empty()) out.append(R"(,"params":)").append(params);
  return out += '}';
}

std::string rpc_notification(std::string_view method, std::string_view params) {
  std::string out;
  out.reserve(head.size() + method.size() + params.size() + 32);
  out.append(head).append(R"(,"method":")").append(method).append("\"");
  if (!params.empty()) out.append(R"(,"params":)").append(params);
  return out += '}';
}

std::string rpc_result(std::string_view id, std::string_view result) {
  std::string out;
  out.reserve(head.size() + id.size() + result.size() + 24);
  out.append(head).append(R"(,"id":)").append(id).append(R"(,"result":)").append(result);
  return out += '}';
}

std::string rpc_error(std::string_view id, int code, std::string_view message, std::string_view data) {
  std::string out(head);
  if (!id.empty()) out.append(R"(,"id":)").append(id);
  out.append(R"(,"error":{"code":)").append(std::to_string(code)).append(R"(,"message":)");
  append_string(out, message);
  if (!data.empty()) out.append(R"(,"data":)").append(data);
  return out += "}}";
}

std::error_category const& rpc_category() noexcept {
  static rpc_category_type const category;
  return category;
}

error make_rpc_error(int code, std::string message, std::string data) {
  return {std::error_code(code, rpc_category()), std::move(message), "mcp", std::move(data)};
}

bool is_rpc_error(error const& e) noexcept { return e.code.category() == rpc_category(); }

int rpc_code_of(error const& e) noexcept { return is_rpc_error(e) ? e.code.value() : rpc_code::internal_error; }

void throw_exception_from_error(rpc_refusal const& e, boost::source_location const&) {
  throw std::runtime_error(e.message);
}

}  // namespace wherry::inline v0::mcp
