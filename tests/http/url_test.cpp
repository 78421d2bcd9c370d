#include <wherry/http/url.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace wherry;

TEST_CASE("a URL is taken apart and put together again", "[unit]") {
  auto const u = url::parse("HTTPS://Example.COM:8443/a/b%20c?x=1&y#frag");
  REQUIRE(u);
  CHECK(u->scheme == "https");
  CHECK(u->host == "example.com");
  CHECK(u->port == 8443);
  CHECK(u->target() == "/a/b%20c?x=1&y");
  CHECK(u->origin() == "https://example.com:8443");
  CHECK(u->text() == "https://example.com:8443/a/b%20c?x=1&y#frag");
  CHECK(url::parse("http://[::1]:80")->text() == "http://[::1]/");
  CHECK(url::parse("https://h:443/x")->origin() == "https://h");
}

TEST_CASE("a URL that could mislead is refused with the reason", "[unit]") {
  for (auto const* bad :
       {"", "example.com", "ftp://x/", "file:///etc/passwd", "http://", "http:///x", "http://u:p@h/", "http://h:0/",
        "http://h:65536/", "http://h:8x/", "http://[::1/", "http://[h]/", "http://[fe80::1%25eth0]/", "http://a b/",
        "http://h/\r\nX: y", "http://h\\@evil/", "javascript:alert(1)"}) {
    INFO(bad);
    auto const u = url::parse(bad);
    REQUIRE_FALSE(u);
    CHECK(u.error().is(errc::invalid_argument));
  }
  CHECK_FALSE(url::parse("http://h/" + std::string(url_bytes_max, 'a')));
}

TEST_CASE("references are resolved as RFC 3986 says", "[unit]") {
  auto const base = url::parse("http://a/b/c/d;p?q");
  REQUIRE(base);
  // The examples of section 5.4 that end in http.
  for (auto const& [reference, expected] :
       std::initializer_list<std::pair<char const*, char const*>>{{"g", "http://a/b/c/g"},
                                                                  {"./g", "http://a/b/c/g"},
                                                                  {"g/", "http://a/b/c/g/"},
                                                                  {"/g", "http://a/g"},
                                                                  {"//g", "http://g/"},
                                                                  {"?y", "http://a/b/c/d;p?y"},
                                                                  {"g?y", "http://a/b/c/g?y"},
                                                                  {"#s", "http://a/b/c/d;p?q#s"},
                                                                  {"g#s", "http://a/b/c/g#s"},
                                                                  {";x", "http://a/b/c/;x"},
                                                                  {"", "http://a/b/c/d;p?q"},
                                                                  {".", "http://a/b/c/"},
                                                                  {"..", "http://a/b/"},
                                                                  {"../g", "http://a/b/g"},
                                                                  {"../..", "http://a/"},
                                                                  {"../../../g", "http://a/g"},
                                                                  {"/./g", "http://a/g"},
                                                                  {"g/../h", "http://a/b/c/h"},
                                                                  {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
                                                                  {"https://x/y", "https://x/y"}}) {
    INFO(reference);
    auto const r = base->resolve(reference);
    REQUIRE(r);
    CHECK(r->text() == expected);
  }
  CHECK_FALSE(base->resolve("javascript:alert(1)"));
  CHECK_FALSE(base->resolve("/a b"));
}

TEST_CASE("addresses that lead inside are told from global ones, in every disguise", "[unit]") {
  for (auto const* inside :
       {"10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "::", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "::ffff:10.0.0.1",
        "::ffff:169.254.169.254", "64:ff9b::a00:1", "2002:0a00:0001::", "2001:db8::1"}) {
    INFO(inside);
    CHECK(kind_of_address(inside) == address_kind::restricted);
  }
  for (auto const* own : {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"})
    CHECK(kind_of_address(own) == address_kind::loopback);
  for (auto const* out : {"8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111"})
    CHECK(kind_of_address(out) == address_kind::global);
  CHECK(kind_of_address("example.com") == address_kind::not_an_address);
  CHECK(kind_of_address("0x7f000001") == address_kind::not_an_address);
}

TEST_CASE("loopback names are the ones the standards reserve", "[unit]") {
  for (auto const* name : {"localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "[::1]", "::1"})
    CHECK(is_loopback_host(name));
  for (auto const* name : {"localhost.evil.example", "notlocalhost", ".localhost", "128.0.0.1", "", "10.0.0.1"})
    CHECK_FALSE(is_loopback_host(name));
}

TEST_CASE("percent encoding survives the way there and back", "[unit]") {
  std::string const text = "a b+c/\xED\x95\x9C~%";
  CHECK(percent_encode(text) == "a%20b%2Bc%2F%ED%95%9C~%25");
  CHECK(percent_decode(percent_encode(text)).value() == text);
  CHECK(percent_decode("a+b", true).value() == "a b");
  for (auto const* bad : {"%", "%4", "a%zz", "%g0"}) CHECK_FALSE(percent_decode(bad));
}
