#pragma once
// Words that make a sentence a question, or hold it together, and say nothing of what it is about. They are left out of
// questions only; texts keep them.

#include <algorithm>
#include <array>
#include <string_view>

namespace wherry::inline v0::memory_detail {

inline constexpr std::array<std::string_view, 68> english_stop_words{
    "a",     "about", "an",     "and",   "any",  "are",  "as",   "at",    "be",    "been",  "by",   "can",
    "could", "did",   "do",     "does",  "for",  "from", "had",  "has",   "have",  "he",    "her",  "his",
    "how",   "i",     "in",     "is",    "it",   "its",  "me",   "my",    "not",   "of",    "on",   "or",
    "our",   "she",   "should", "so",    "some", "that", "the",  "their", "them",  "there", "they", "this",
    "to",    "us",    "was",    "we",    "were", "what", "when", "where", "which", "who",   "whom", "whose",
    "why",   "will",  "with",   "would", "you",  "your", "if",   "than"};

inline constexpr std::array<std::string_view, 30> korean_stop_words{
    "누가", "누구", "누구의", "무엇",   "무엇을",   "무엇이", "뭐",     "뭐가", "뭘",     "무슨",
    "언제", "어디", "어디서", "어디에", "어디에서", "어떤",   "어떻게", "얼마", "얼마나", "왜",
    "몇",   "어느", "그",     "이",     "저",       "내",     "나의",   "것",   "수",     "있나요"};

/// Particles that may stand at the end of a Korean word, longest first.
inline constexpr std::array<std::string_view, 34> korean_particles{
    "에서부터", "으로부터", "에게서", "한테서", "이라고", "까지는", "에서는", "에서도", "으로는",
    "에서",     "에게",     "한테",   "까지",   "부터",   "처럼",   "보다",   "으로",   "라고",
    "이나",     "이랑",     "하고",   "마다",   "조차",   "밖에",   "을",     "를",     "이",
    "가",       "은",       "는",     "의",     "에",     "도",     "로"};

template <std::size_t n>
bool is_one_of(std::array<std::string_view, n> const& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace wherry::inline v0::memory_detail
