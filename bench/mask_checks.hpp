#pragma once
// Two properties of masks that no time tells: nothing that spells an answer is missing from them, and nothing they
// allow leads where no answer can end.

#include <wherry/core/random.hpp>
#include <wherry/llm/grammar.hpp>
#include <wherry/llm/tokenizer.hpp>

#include <cstdio>
#include <set>
#include <string>
#include <vector>

namespace wherry_bench {

class mask_checks {
 public:
  explicit mask_checks(wherry::tokenizer const& tokens) : by_byte_(256) {
    for (wherry::token_id id = 0; id < static_cast<wherry::token_id>(tokens.size()); ++id) {
      using enum wherry::token_kind;
      auto const kind = tokens.kind(id);
      bool const is_text = kind == normal || kind == user_defined || kind == byte;
      bytes_.push_back(is_text ? tokens.token_bytes(id) : std::string());
      if (!bytes_.back().empty()) by_byte_[static_cast<std::uint8_t>(bytes_.back().front())].push_back(id);
    }
  }

  /// At the bytes of a text that the grammar accepts (each one, or as many as `places_max` spread over it): every token
  /// that spells what comes next must be allowed. And from some of them, drawn at random, a generation goes on with any
  /// tokens that the masks allow, within a budget that leaves little room.
  void check(wherry::grammar::program const& p, std::string const& text, std::string const& name) {
    constexpr std::size_t places_max = 400;
    std::size_t const step = text.size() / places_max + 1;
    ++texts_;
    std::multiset<std::size_t> leave_at;
    for (std::uint32_t i = 0; i < generations_a_text; ++i)
      leave_at.insert(text.empty() ? 0 : wherry::random_bits({.run = texts_, .step = i}) % text.size());
    wherry::grammar::matcher m(p);
    for (std::size_t at = 0; at < text.size(); ++at) {
      std::string_view const rest = std::string_view(text).substr(at);
      for (std::size_t i = 0; i < leave_at.count(at); ++i) complete_at_random(m, name);
      if (at % step == 0) {
        auto const mask = m.allowed();
        ++places;
        for (auto const id : by_byte_[static_cast<std::uint8_t>(rest.front())]) {
          if (!rest.starts_with(bytes_[static_cast<std::size_t>(id)])) continue;
          ++tokens_asked;
          if (wherry::grammar::is_allowed(mask, id)) continue;
          ++tokens_missing;
          std::printf("missing %s: %s >>> %s\n", name.c_str(),
                      text.substr(at > 60 ? at - 60 : 0, at > 60 ? 60 : at).c_str(),
                      bytes_[static_cast<std::size_t>(id)].c_str());
        }
      }
      if (!m.accept_bytes(rest.substr(0, 1))) return;
    }
  }

  std::size_t places = 0, tokens_asked = 0, tokens_missing = 0, random_masks = 0, completions = 0, dead_ends = 0;

 private:
  // With a budget that leaves little room, any allowed token at each step: the answer must end within it.
  void complete_at_random(wherry::grammar::matcher m, std::string const& name) {
    wherry::draw_key key{.run = ++random_masks, .position = 1};
    std::size_t budget = m.shortest_completion() + wherry::random_bits(key) % 24;
    std::vector<wherry::token_id> allowed;
    for (; !m.is_finished(); --budget) {
      auto const mask = m.allowed(budget);
      allowed.clear();
      for (std::size_t word = 0; word < mask.size(); ++word)
        for (std::uint64_t bits = mask[word]; bits != 0; bits &= bits - 1)
          allowed.push_back(static_cast<wherry::token_id>(word * 64 + static_cast<std::size_t>(__builtin_ctzll(bits))));
      ++key.position;
      if (allowed.empty() || !m.accept(allowed[wherry::random_bits(key) % allowed.size()])) {
        ++dead_ends;
        std::printf("dead end %s, with %zu tokens left\n", name.c_str(), budget);
        return;
      }
    }
    ++completions;
  }

  static constexpr std::uint32_t generations_a_text = 6;

  std::vector<std::string> bytes_;
  std::vector<std::vector<wherry::token_id>> by_byte_;
  std::uint64_t texts_ = 0;
};

}  // namespace wherry_bench
