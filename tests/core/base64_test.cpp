#include <wherry/core/base64.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace wherry;

TEST_CASE("base64 gives the published answers, there and back", "[unit]") {
  // RFC 4648, section 10.
  std::pair<char const*, char const*> const known[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (auto const& [bytes, text] : known) {
    CHECK(to_base64(bytes) == text);
    CHECK(from_base64(text).value() == bytes);
  }
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (std::size_t size = 0; size <= all.size(); ++size)
    CHECK(from_base64(to_base64(all.substr(0, size))).value() == all.substr(0, size));
}

TEST_CASE("what is not base64 is refused", "[unit]") {
  for (auto const* text :
       {"Z", "Zg", "Zg=", "Zg==Zg==", "Zm9v\n", " Zg=", "Z===", "====", "Zh==", "Zm9=", "Zm-v", "Zm9\xC3"})
    CHECK(from_base64(text).error().is(errc::parse_error));
}
