#include <wherry/http/url.hpp>

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace wherry::inline v0 {
namespace {

namespace ip = boost::asio::ip;

error refused(std::string why, std::string_view text) {
  return {errc::invalid_argument, std::move(why), "url.parse", std::string(text.substr(0, 200))};
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  return out;
}

bool unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

// RFC 3986, section 5.2.4, on whole segments.
std::string without_dots(std::string_view path) {
  std::vector<std::string_view> kept;
  bool slash_at_end = false;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash before the segment
    auto const end = std::min(path.find('/'), path.size());
    auto const segment = path.substr(0, end);
    path.remove_prefix(end);
    slash_at_end = path.empty() && (segment == "." || segment == "..");
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (segment != ".") {
      kept.push_back(segment);
    }
  }
  std::string out;
  for (auto const segment : kept) (out += '/') += segment;
  if (slash_at_end || out.empty()) out += '/';
  return out;
}

// "host", "host:port", "[v6]", "[v6]:port".
result<void> take_authority(url& out, std::string_view authority, std::string_view whole) {
  if (authority.find('@') != std::string_view::npos)
    return refused("a URL with user information is not accepted; pass credentials in a field", whole);
  std::string_view host = authority, port;
  if (authority.starts_with('[')) {
    auto const close = authority.find(']');
    if (close == std::string_view::npos) return refused("the IPv6 address of the URL has no closing bracket", whole);
    host = authority.substr(1, close - 1);
    port = authority.substr(close + 1);
    boost::system::error_code ec;
    ip::make_address_v6(std::string(host), ec);
    if (ec || host.find('%') != std::string_view::npos || (!port.empty() && port.front() != ':'))
      return refused("the URL's host is not an IPv6 address in brackets", whole);
    if (!port.empty()) port.remove_prefix(1);
  } else if (auto const colon = authority.find(':'); colon != std::string_view::npos) {
    host = authority.substr(0, colon);
    port = authority.substr(colon + 1);
  }
  bool const letters = std::all_of(host.begin(), host.end(), [](char c) {
    return unreserved(c) || c == ':' || static_cast<unsigned char>(c) >= 0x80;
  });
  if (host.empty() || !letters)
    return refused("the URL has no host, or one with characters that hosts do not have", whole);
  out.host = lower(host);
  out.port = default_port(out.scheme);
  if (port.empty()) return {};
  unsigned number = 0;
  auto const [end, ec] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (ec != std::errc{} || end != port.data() + port.size() || number == 0 || number > 65535)
    return refused("the URL's port is not a number from 1 to 65535", whole);
  out.port = static_cast<std::uint16_t>(number);
  return {};
}

}  // namespace

result<url> url::parse(std::string_view text) {
  if (text.size() > url_bytes_max)
    return refused("the URL is longer than " + std::to_string(url_bytes_max) + " bytes", text);
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F; }))
    return refused("the URL holds white space or control characters", text);
  url out;
  auto const colon = text.find("://");
  if (colon != std::string_view::npos) out.scheme = lower(text.substr(0, colon));
  if (out.scheme != "http" && out.scheme != "https")
    return refused("the URL must begin with http:// or https://", text);
  auto rest = text.substr(colon + 3);
  if (auto const hash = rest.find('#'); hash != std::string_view::npos) {
    out.fragment = rest.substr(hash + 1);
    rest = rest.substr(0, hash);
  }
  if (auto const question = rest.find('?'); question != std::string_view::npos) {
    out.query = rest.substr(question + 1);
    rest = rest.substr(0, question);
  }
  auto const slash = std::min(rest.find('/'), rest.size());
  auto const taken = take_authority(out, rest.substr(0, slash), text);
  if (!taken) return taken.error();
  out.path = slash == rest.size() ? "/" : rest.substr(slash);
  return out;
}

result<url> url::resolve(std::string_view reference) const {
  auto const first = reference.find_first_of(":/?#");
  if (first != std::string_view::npos && reference[first] == ':') return parse(reference);
  if (reference.starts_with("//")) return parse(scheme + ":" + std::string(reference));
  url out = *this;
  auto rest = reference;
  out.fragment.clear();
  if (auto const hash = rest.find('#'); hash != std::string_view::npos) {
    out.fragment = rest.substr(hash + 1);
    rest = rest.substr(0, hash);
  }
  auto const question = std::min(rest.find('?'), rest.size());
  auto const path_part = rest.substr(0, question);
  if (question < rest.size() || !path_part.empty())
    out.query = question < rest.size() ? rest.substr(question + 1) : std::string_view{};
  if (path_part.starts_with('/'))
    out.path = without_dots(path_part);
  else if (!path_part.empty())
    out.path = without_dots(path.substr(0, path.rfind('/') + 1) + std::string(path_part));
  return parse(out.text());  // the reference may have brought what a URL must not have
}

std::string url::authority() const {
  std::string out = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != default_port(scheme)) out += ":" + std::to_string(port);
  return out;
}

std::string url::origin() const { return scheme + "://" + authority(); }

std::string url::target() const { return query.empty() ? path : path + "?" + query; }

std::string url::text() const { return origin() + target() + (fragment.empty() ? "" : "#" + fragment); }

bool is_loopback_host(std::string_view host) noexcept {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  constexpr std::string_view name = "localhost";
  auto const same = [](std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
             return (x >= 'A' && x <= 'Z' ? x + ('a' - 'A') : x) == y;
           });
  };
  if (same(host, name)) return true;
  if (host.size() > name.size() + 1 && host[host.size() - name.size() - 1] == '.' &&
      same(host.substr(host.size() - name.size()), name))
    return true;
  return kind_of_address(host) == address_kind::loopback;
}

namespace {

address_kind kind_of(std::uint32_t v4) noexcept {
  auto const within = [v4](std::uint32_t network, int bits) { return v4 >> (32 - bits) == network >> (32 - bits); };
  if (within(0x7F000000, 8)) return address_kind::loopback;
  // IANA special-purpose registry: this network, private use, shared, link-local, protocol assignments, documentation,
  // 6to4 relay, benchmarking, multicast, reserved and broadcast.
  struct block {
    std::uint32_t network;
    int bits;
  };
  static constexpr std::array<block, 14> restricted{{{0x00000000, 8},
                                                     {0x0A000000, 8},
                                                     {0x64400000, 10},
                                                     {0xA9FE0000, 16},
                                                     {0xAC100000, 12},
                                                     {0xC0000000, 24},
                                                     {0xC0000200, 24},
                                                     {0xC0586300, 24},
                                                     {0xC0A80000, 16},
                                                     {0xC6120000, 15},
                                                     {0xC6336400, 24},
                                                     {0xCB007100, 24},
                                                     {0xE0000000, 4},
                                                     {0xF0000000, 4}}};
  bool const hit =
      std::any_of(restricted.begin(), restricted.end(), [&](block b) { return within(b.network, b.bits); });
  return hit ? address_kind::restricted : address_kind::global;
}

std::uint32_t v4_at(ip::address_v6::bytes_type const& b, std::size_t i) noexcept {
  return static_cast<std::uint32_t>(b[i]) << 24 | static_cast<std::uint32_t>(b[i + 1]) << 16 |
         static_cast<std::uint32_t>(b[i + 2]) << 8 | b[i + 3];
}

address_kind kind_of(ip::address_v6 const& a) noexcept {
  if (a.is_loopback()) return address_kind::loopback;
  auto const b = a.to_bytes();
  if (a.is_v4_mapped()) return kind_of(v4_at(b, 12));
  if (b[0] == 0x20 && b[1] == 0x02) return kind_of(v4_at(b, 2));                                   // 6to4
  if (b[0] == 0x00 && b[1] == 0x64 && b[2] == 0xFF && b[3] == 0x9B) return kind_of(v4_at(b, 12));  // NAT64
  if ((b[0] & 0xE0) != 0x20) return address_kind::restricted;                        // only 2000::/3 is global unicast
  if (b[0] == 0x20 && b[1] == 0x01 && b[2] < 0x02) return address_kind::restricted;  // Teredo and other assignments
  if (b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0D && b[3] == 0xB8) return address_kind::restricted;  // documentation
  return address_kind::global;
}

}  // namespace

address_kind kind_of_address(std::string_view address) noexcept {
  if (address.size() > 64) return address_kind::not_an_address;
  boost::system::error_code ec;
  auto const parsed = ip::make_address(std::string(address), ec);
  if (ec) return address_kind::not_an_address;
  return parsed.is_v4() ? kind_of(parsed.to_v4().to_uint()) : kind_of(parsed.to_v6());
}

std::string percent_encode(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  for (char const c : text) {
    auto const b = static_cast<unsigned char>(c);
    if (unreserved(c))
      out += c;
    else
      ((out += '%') += digits[b >> 4]) += digits[b & 15];
  }
  return out;
}

result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      bool const whole = i + 2 < text.size();
      int const high = whole ? hex_value(text[i + 1]) : -1, low = whole ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0)
        return error{errc::parse_error,
                     "a percent escape at byte " + std::to_string(i) + " is not two hexadecimal digits",
                     "percent_decode"};
      out += static_cast<char>(high << 4 | low);
      i += 2;
    }
  }
  return out;
}

}  // namespace wherry::inline v0
