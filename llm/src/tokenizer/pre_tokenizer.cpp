#include "tokenizer/pre_tokenizer.hpp"

#include <array>

namespace wherry::inline v0::detail {
namespace {

// The patterns are those the models were trained with, as their tokenizer files publish them.
#define WHERRY_GPT2_WORDS R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))"
#define WHERRY_GPT4_WORDS(digits)                                                  \
  R"('(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|)" digits \
  R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"

using sv = std::string_view;
constexpr std::array gpt2{sv(WHERRY_GPT2_WORDS)};
constexpr std::array llama3{sv(WHERRY_GPT4_WORDS(R"(\p{N}{1,3})"))};
constexpr std::array qwen2{sv(WHERRY_GPT4_WORDS(R"(\p{N})"))};
constexpr std::array starcoder{sv(R"(\p{N})"), sv(WHERRY_GPT2_WORDS)};
constexpr std::array falcon{sv(R"([\p{P}$+<=>^~|`]+)"), sv(WHERRY_GPT2_WORDS), sv(R"([0-9][0-9][0-9])")};
constexpr std::array fallback{sv(R"([\p{P}$+<=>^~|]+)"), sv(WHERRY_GPT2_WORDS), sv(R"(\p{N}+)"),
                              sv(R"([0-9][0-9][0-9])")};
// The list of letters is the published one: cased letters, without Georgian small letters and later additions.
// "(?<!\s)" changes no match, but keeps a long run of spaces from being tried from each of its places.
constexpr std::array deepseek{
    sv(R"([\r\n])"),
    sv(R"(\s?[)"
       R"(A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293}\x{295}-\x{2AF})"
       R"(\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1})"
       R"(\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5})"
       R"(\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77})"
       R"(\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D})"
       R"(\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE})"
       R"(\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC})"
       R"(\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124})"
       R"(\x{2126}\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E})"
       R"(\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D})"
       R"(\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF})"
       R"(\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F})"
       R"(\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF})"
       R"(\x{1E900}-\x{1E943}]+)"),
    sv(R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+)"),
    sv(R"((?<!\s)\s+$)"),
    sv(R"([\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+)"),
    sv(R"(\p{N}+)")};

#undef WHERRY_GPT2_WORDS
#undef WHERRY_GPT4_WORDS

constexpr std::array rows{
    pre_tokenizer{.name = "default", .patterns = fallback},
    pre_tokenizer{.name = "gpt-2", .patterns = gpt2},
    pre_tokenizer{.name = "olmo", .patterns = gpt2},
    pre_tokenizer{.name = "llama-bpe", .patterns = llama3, .whole_words_first = true, .adds_bos = true},
    pre_tokenizer{.name = "llama3", .patterns = llama3, .whole_words_first = true, .adds_bos = true},
    pre_tokenizer{.name = "llama-v3", .patterns = llama3, .whole_words_first = true, .adds_bos = true},
    pre_tokenizer{.name = "smaug-bpe", .patterns = llama3},
    pre_tokenizer{.name = "qwen2", .patterns = qwen2},
    pre_tokenizer{.name = "deepseek-r1-qwen", .patterns = qwen2},
    pre_tokenizer{.name = "starcoder", .patterns = starcoder},
    pre_tokenizer{.name = "refact", .patterns = starcoder},
    pre_tokenizer{.name = "smollm", .patterns = starcoder},
    pre_tokenizer{.name = "falcon", .patterns = falcon},
    pre_tokenizer{.name = "deepseek-llm", .patterns = deepseek},
};

}  // namespace

pre_tokenizer const* find_pre_tokenizer(std::string_view name) noexcept {
  for (auto const& row : rows)
    if (row.name == name) return &row;
  return nullptr;
}

std::string supported_pre_tokenizers() {
  std::string names;
  for (auto const& row : rows) names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names;
}

}  // namespace wherry::inline v0::detail
