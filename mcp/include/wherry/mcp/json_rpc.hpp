#pragma once
// JSON-RPC 2.0 messages: read from text into views of that text, and written as text.

#include <wherry/core/result.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace wherry::inline v0::mcp {

/// Largest message that is read unless told otherwise. A peer that sends more is answered with an error.
inline constexpr std::size_t message_bytes_max_default = std::size_t{16} << 20;
/// Deepest nesting of a message that is read.
inline constexpr std::size_t message_depth_max = 512;
/// Longest id of a request, as JSON text.
inline constexpr std::size_t id_bytes_max = 1024;

/// One message. All members are views into the text it was read from, as raw JSON; empty where absent.
struct rpc_message {
  enum class kind_type { request, notification, result, error };
  kind_type kind = kind_type::request;
  std::string_view id;       ///< A string with its quotes, or an integer; of an error also null.
  std::string_view method;   ///< Without quotes.
  std::string_view params;   ///< An object; "{}" when there were none.
  std::string_view payload;  ///< Of a result: the result, an object. Of an error: the error object.
};

/// Why a text is no message, as the answer to its sender says it.
struct rpc_refusal {
  int code = 0;         ///< rpc_code::parse_error or rpc_code::invalid_request.
  std::string message;  ///< What is wrong, and where.
  std::string id;       ///< Of the message, when it could be read; else empty.
};

/// Reads one message.
///
/// Checks the whole text (JSON, UTF-8, nesting up to `message_depth_max`); of the envelope: that "jsonrpc" is "2.0",
/// that id, method and params have their types, that no member of it stands twice. Members it does not know are passed
/// over. Batches are refused: no revision spoken here needs them.
/// Lifetime: the result looks into `text`.
boost::system::result<rpc_message, rpc_refusal> read_rpc(std::string_view text);

/// Messages as text. Ids, params, results and error objects are raw JSON and are taken as they are.
std::string rpc_request(std::string_view id, std::string_view method, std::string_view params);
std::string rpc_notification(std::string_view method, std::string_view params);
std::string rpc_result(std::string_view id, std::string_view result);
/// `data` is raw JSON, empty for none. An empty id is left out: nobody knows whose answer it is.
std::string rpc_error(std::string_view id, int code, std::string_view message, std::string_view data = {});

/// The category of errors that came over, or go over, the wire: their value is the JSON-RPC code. Its name is
/// "json-rpc".
std::error_category const& rpc_category() noexcept;
/// Such an error; `data` is the raw JSON of its "data" member and stands in error::path.
error make_rpc_error(int code, std::string message, std::string data = {});
/// The JSON-RPC code of an error; internal_error for one of another category.
int rpc_code_of(error const& e) noexcept;
/// True for an error made by make_rpc_error.
bool is_rpc_error(error const& e) noexcept;

[[noreturn]] void throw_exception_from_error(rpc_refusal const& e, boost::source_location const&);

}  // namespace wherry::inline v0::mcp
