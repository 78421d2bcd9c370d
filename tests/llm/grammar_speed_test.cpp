// Not a check of speed but its measurement: run it by name, or with the tag [speed].

#include "grammar_support.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cstdio>
#include <ctime>
#include <map>
#include <set>

using namespace grammar_test;
namespace g = wherry::grammar;

namespace {

// Words of letters with and without a space before, digits, runs of spaces, pieces of JSON, pieces of UTF-8.
std::vector<std::string> synthetic_tokens(std::size_t count) {
  std::set<std::string> tokens;
  draw_key key{.run = 7};
  auto const below = [&key](std::size_t n) {
    ++key.position;
    return static_cast<std::size_t>(random_bits(key) % n);
  };
  for (auto const& token : crossing_tokens()) tokens.insert(token);
  for (std::size_t n = 2; n < 128; ++n) tokens.insert(std::string(n, ' '));
  std::string const marks = "\"{}[]:,.-_/\\()<>=;'";
  std::string const letters = "eeeetttaaaooiinnsshhrrddllucmwfgypbvkjxqz";
  while (tokens.size() + 258 < count) {
    std::string token = below(2) == 0 ? " " : "";
    std::size_t const length = 1 + below(9);
    std::size_t const kind = below(100);
    for (std::size_t i = 0; i < length; ++i) {
      if (kind < 4)
        token += marks[below(marks.size())];
      else if (kind < 14)
        token += i % 3 == 0 ? "\xe4" : "\x80";
      else
        token += letters[below(letters.size())];
    }
    if (kind >= 4 && kind < 8) token += marks[below(marks.size())];
    tokens.insert(token);
  }
  return {tokens.begin(), tokens.end()};
}

struct document {
  char const* name;
  char const* schema;
  char const* text;
};

constexpr document documents[] = {
    {"flat",
     R"({"type":"object","properties":{"title":{"type":"string"},"author":{"type":"string"},"year":{"type":"integer","minimum":0,"maximum":2100},
       "rating":{"type":"number"},"genre":{"enum":["novel","poetry","drama","essay"]}},"required":["title","author","year","rating","genre"],"additionalProperties":false})",
     R"({"title":"the old man and the sea","author":"ernest hemingway","year":1952,"rating":4.5,"genre":"novel"})"},
    {"flat, short strings",
     R"({"type":"object","properties":{"title":{"type":"string","minLength":3,"maxLength":40},"author":{"type":"string","maxLength":20}},
       "required":["title","author"],"additionalProperties":false})",
     R"({"title":"the old man and the sea","author":"ernest hemingway"})"},
    {"open",
     R"({"type":"object","properties":{"title":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}}},"required":["title"]})",
     R"({"title":"the old man and the sea","tags":["fishing","cuba"],"publisher":{"name":"scribner","year":1952}})"},
    {"nested",
     R"({"type":"object","properties":{"orders":{"type":"array","items":{"type":"object","properties":{"id":{"type":"integer"},"items":{"type":"array","items":
       {"type":"object","properties":{"sku":{"type":"string"},"quantity":{"type":"integer","minimum":1}},"required":["sku","quantity"],"additionalProperties":false}}},
       "required":["id","items"],"additionalProperties":false}}},"required":["orders"],"additionalProperties":false})",
     R"({"orders":[{"id":17,"items":[{"sku":"hook","quantity":3},{"sku":"line","quantity":12}]},{"id":18,"items":[{"sku":"oar","quantity":2}]}]})"},
};

// Of this thread's processor time, so that other programs do not count.
double microseconds_now() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

using token_index = std::map<std::string_view, token_id>;

token_index index_of(test_vocabulary const& v) {
  token_index by_bytes;
  for (token_id id = 0; id < v.end; ++id) by_bytes.emplace(v.bytes[static_cast<std::size_t>(id)], id);
  return by_bytes;
}

// The longest token that spells what comes next, as a tokenizer would mostly choose.
std::vector<token_id> spell_greedily(token_index const& by_bytes, std::string_view text) {
  std::vector<token_id> spelled;
  while (!text.empty()) {
    std::size_t length = std::min<std::size_t>(text.size(), 16);
    while (by_bytes.find(text.substr(0, length)) == by_bytes.end()) --length;
    spelled.push_back(by_bytes.at(text.substr(0, length)));
    text.remove_prefix(length);
  }
  return spelled;
}

}  // namespace

TEST_CASE("time of masks over large vocabularies", "[.][slow][grammar][speed]") {
  for (std::size_t const size : {32'000u, 150'000u}) {
    auto const extra = synthetic_tokens(size);
    double const begin = microseconds_now();
    test_vocabulary const v(extra);
    std::printf("vocabulary of %zu tokens: %.0f ms\n", v.bytes.size(), (microseconds_now() - begin) / 1e3);
    auto const index = index_of(v);
    for (auto const& [name, schema_text, text] : documents) {
      double const compile_begin = microseconds_now();
      auto const p = g::compile(schema(schema_text), v.tokens).value();
      double const compile_time = microseconds_now() - compile_begin;
      auto const spelled = spell_greedily(index, text);
      for (char const* caches : {"cold", "warm"}) {
        std::vector<double> times;
        matcher m(p);
        for (token_id const id : spelled) {
          double const mask_begin = microseconds_now();
          auto const mask = m.allowed(2'000);
          bool const allowed = g::is_allowed(mask, id);
          bool const accepted = m.accept(id);
          times.push_back(microseconds_now() - mask_begin);
          REQUIRE(allowed);
          REQUIRE(accepted);
        }
        CHECK(m.is_complete());
        std::printf("  %-20s %s: %3zu tokens, compile %5.0f us, mask + accept p50 %6.1f p90 %6.1f max %7.1f us\n", name,
                    caches, times.size(), compile_time, quantile(times, 0.5), quantile(times, 0.9),
                    quantile(times, 1.0));
      }
    }
  }
}
