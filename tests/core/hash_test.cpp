#include <wherry/core/hash.hpp>
#include <wherry/core/random.hpp>
#include <wherry/core/text.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace wherry;

TEST_CASE("content hash is SHA-256 as published", "[unit]") {
  CHECK(content_hash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(content_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(content_hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(crc32("") == 0);
  CHECK(crc32("123456789") == 0xCBF43926u);
  CHECK(crc32("The quick brown fox jumps over the lazy dog") == 0x414FA339u);
}

TEST_CASE("the checksum of a text follows from those of its parts", "[unit]") {
  std::string text;
  for (std::uint64_t i = 0; text.size() < 70'000; ++i) text += static_cast<char>(random_bits({.run = i}));
  // The definition, bit by bit.
  auto const plain = [](std::string_view bytes) {
    std::uint32_t c = 0xFFFFFFFFu;
    for (char const byte : bytes) {
      c ^= static_cast<std::uint8_t>(byte);
      for (int k = 0; k < 8; ++k) c = (c & 1) ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    }
    return ~c;
  };
  for (std::size_t const size : {1, 7, 8, 9, 4'000, 16'383, 16'384, 16'385, 16'391, 50'000, 69'999})
    CHECK(crc32(std::string_view(text).substr(0, size)) == plain(std::string_view(text).substr(0, size)));
  for (std::size_t const cut : {0, 1, 5, 16, 1'000, 40'000, 70'000}) {
    auto const first = std::string_view(text).substr(0, cut), second = std::string_view(text).substr(cut);
    CHECK(crc32_joined(crc32(first), crc32(second), second.size()) == crc32(text));
  }
}

TEST_CASE("philox gives the known answers of its authors", "[unit]") {
  auto const zero = philox(0, {0, 0, 0, 0});
  CHECK(zero == std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  auto const ones = philox(0xffffffffffffffff, {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff});
  CHECK(ones == std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
}

TEST_CASE("a draw depends on its place alone", "[unit]") {
  draw_key const here{.run = 7, .step = 2, .position = 9};
  CHECK(uniform(here) == uniform(here));
  CHECK(uniform(here) != uniform({.run = 7, .step = 2, .position = 10}));
  CHECK(uniform(here) != uniform(here, 1));
}

TEST_CASE("utf-8 is cut on code points only", "[unit]") {
  std::string const korean = "\xEC\x84\x9C\xEC\x9A\xB8";  // two code points of three bytes
  CHECK(is_valid_utf8(korean));
  CHECK(utf8_complete_prefix(korean.substr(0, 4)) == 3);
  CHECK(utf8_complete_prefix(korean.substr(0, 5)) == 3);
  CHECK(utf8_complete_prefix(korean) == 6);
  CHECK(utf8_error_at("ab\xC0\x80") == 2);
  CHECK(utf8_error_at("\xED\xA0\x80") == 0);
  // The beginning that is ASCII is looked at in larger steps: the place of an error is exact at every offset.
  for (std::size_t at = 0; at < 20; ++at) {
    std::string text(20, 'a');
    text[at] = '\xFF';
    CHECK(utf8_error_at(text) == at);
    CHECK(utf8_error_at(std::string(at, 'a') + "\u00e9" + std::string(9, 'b')) == at + 11);
  }
  CHECK(utf8_repaired("a\xFFz") == "a\xEF\xBF\xBDz");
}
