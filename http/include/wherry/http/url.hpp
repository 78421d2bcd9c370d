#pragma once
// Absolute http and https URLs, their origins, and which addresses a program may be sent to.

#include <wherry/core/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace wherry::inline v0 {

/// Longest URL that is accepted.
inline constexpr std::size_t url_bytes_max = 8192;

/// An absolute http or https URL in parts. A value. The host is in lower case, an IPv6 address without its brackets.
struct url {
  std::string scheme;      ///< "http" or "https".
  std::string host;        ///< Name or address.
  std::uint16_t port = 0;  ///< As written, or 80 or 443.
  std::string path;        ///< Begins with '/'; percent escapes are left as they are.
  std::string query;       ///< Without '?'; empty when there is none.
  std::string fragment;    ///< Without '#'; never sent.

  /// Fails with: errc::invalid_argument for other schemes, user information, control characters, white space, a bad
  /// port, an empty host, or more than url_bytes_max bytes.
  static result<url> parse(std::string_view text);

  /// A reference (absolute, "//host/path", "/path", "path", "?query") against this URL, with dot segments removed.
  /// Source: RFC 3986, section 5.2.
  result<url> resolve(std::string_view reference) const;

  bool secure() const noexcept { return scheme == "https"; }
  /// "http://host:port", without the port when it is the scheme's own.
  std::string origin() const;
  /// Host and port as a Host field has them.
  std::string authority() const;
  /// Path and query: the target of a request.
  std::string target() const;
  std::string text() const;

  friend bool operator==(url const&, url const&) = default;
};

/// True for localhost, names below it, 127.0.0.0/8 and ::1 (brackets are allowed).
bool is_loopback_host(std::string_view host) noexcept;

/// What an IP address is for, as far as requests that somebody else chose the target of are concerned.
enum class address_kind {
  global,      ///< Reachable from everywhere.
  loopback,    ///< 127.0.0.0/8, ::1.
  restricted,  ///< Private, link-local, unique local, shared, multicast, unspecified, reserved; metadata services live
               ///< here.
  not_an_address
};
/// The kind of an IPv4 or IPv6 address in text form; IPv4-mapped, NAT64 and 6to4 forms count as the address inside.
address_kind kind_of_address(std::string_view address) noexcept;

/// Percent-encoding for one component of a query or form: everything but the unreserved characters of RFC 3986.
std::string percent_encode(std::string_view text);
/// Fails with: errc::parse_error for a broken escape. `plus_is_space` for forms and queries.
result<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

}  // namespace wherry::inline v0
