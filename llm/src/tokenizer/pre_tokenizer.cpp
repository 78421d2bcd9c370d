#include "tokenizer/pre_tokenizer.hpp"

#include <array>

namespace wherry::inline v0::detail {
namespace {

// The patterns are those the models were trained with, as their own tokenizer files publish them; llama.cpp
// approximates some of them (gpt-4o, tekken).
#define WHERRY_CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WHERRY_GPT2_WORDS R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))"
#define WHERRY_GPT4_WORDS(digits) \
  WHERRY_CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|)" digits R"(| ?[^\s\p{L}\p{N}]+[\r\n]*)" WHERRY_WHITE_SPACE
#define WHERRY_WHITE_SPACE R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"
#define WHERRY_BEGINS_WORD R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define WHERRY_GOES_ON R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define WHERRY_CASED_WORDS(ending)                                                                                     \
  R"([^\r\n\p{L}\p{N}]?)" WHERRY_BEGINS_WORD "*" WHERRY_GOES_ON "+" ending R"(|[^\r\n\p{L}\p{N}]?)" WHERRY_BEGINS_WORD \
  "+" WHERRY_GOES_ON "*" ending
#define WHERRY_GPT4O_WORDS(ending, digits) \
  WHERRY_CASED_WORDS(ending) "|" digits R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*)" WHERRY_WHITE_SPACE
#define WHERRY_ASCII_PUNCTUATION R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~])"
#define WHERRY_DEEPSEEK_V3_WORDS \
  WHERRY_ASCII_PUNCTUATION       \
  R"([A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*)" WHERRY_WHITE_SPACE
#define WHERRY_NOT_HAN R"((?!\p{sc:Han}))"
#define WHERRY_KIMI_BEGINS "(?:" WHERRY_NOT_HAN WHERRY_BEGINS_WORD ")"
#define WHERRY_KIMI_GOES_ON "(?:" WHERRY_NOT_HAN WHERRY_GOES_ON ")"

constexpr split_step gpt2_words{WHERRY_GPT2_WORDS, scan_gpt2_words};
constexpr split_step qwen2_words{WHERRY_GPT4_WORDS(R"(\p{N})"), scan_qwen2_words};
constexpr split_step gpt4o_words{WHERRY_GPT4O_WORDS(WHERRY_CONTRACTIONS "?", R"(\p{N}{1,3})"), scan_gpt4o_words};
constexpr split_step single_numbers{R"(\p{N})", scan_numbers};
constexpr split_step ideographs_and_kana{R"([\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+)"};
// What BLOOM's pattern takes for the end of a sentence, in several scripts.
constexpr split_step bloom_words{R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{FF0C}\x{3001}\x{0964}\x{06D4}\x{060C})]+)"};

constexpr std::array gpt2{gpt2_words};
constexpr std::array llama3{split_step{WHERRY_GPT4_WORDS(R"(\p{N}{1,3})"), scan_llama3_words}};
constexpr std::array qwen2{qwen2_words};
constexpr std::array qwen35{split_step{
    WHERRY_CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)" WHERRY_WHITE_SPACE,
    scan_qwen35_words}};
constexpr std::array gpt4o{gpt4o_words};
constexpr std::array tekken{split_step{WHERRY_GPT4O_WORDS("", R"(\p{N})"), scan_tekken_words}};
constexpr std::array starcoder{single_numbers, gpt2_words};
constexpr std::array falcon{split_step{R"([\p{P}$+<=>^~|`]+)"}, gpt2_words, split_step{R"([0-9][0-9][0-9])"}};
constexpr std::array fallback{split_step{R"([\p{P}$+<=>^~|]+)"}, gpt2_words, split_step{R"(\p{N}+)"},
                              split_step{R"([0-9][0-9][0-9])"}};
// The list of letters is the published one: cased letters, without Georgian small letters and later additions.
// "(?<!\s)" changes no match, but keeps a long run of spaces from being tried from each of its places.
constexpr std::array deepseek_llm{
    split_step{R"([\r\n])"},
    split_step{R"(\s?[)"
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
               R"(\x{1E900}-\x{1E943}]+)"},
    split_step{R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+)"},
    split_step{R"((?<!\s)\s+$)"},
    split_step{R"([\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+)"},
    split_step{R"(\p{N}+)"}};
constexpr std::array deepseek_coder{split_step{R"([\r\n])"}, split_step{R"(\s?\p{L}+)"}, split_step{R"(\s?\p{P}+)"},
                                    split_step{R"([\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+)"},
                                    single_numbers};
constexpr std::array deepseek_v3{split_step{R"(\p{N}{1,3})"}, ideographs_and_kana,
                                 split_step{WHERRY_DEEPSEEK_V3_WORDS}};
constexpr std::array bloom{bloom_words};
constexpr std::array viking{bloom_words, single_numbers};
// "(?<![^\S\r\n])" changes no match: behind a space that is no newline none follows in the same run: it would have been
// taken. It keeps a long run from being searched again from each of its pieces.
constexpr std::array jais2{split_step{
    WHERRY_CONTRACTIONS
    R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|(?<![^\S\r\n])\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S))"
    R"(|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})"}};
constexpr std::array chameleon{split_step{"<sentinel:[0-9]+>"},       split_step{"IMGIMG[A-I]{1,4}Z"},
                               split_step{R"([\t\n]|    |  )"},       single_numbers,
                               split_step{R"([\p{P}!-/:-@\[-`{-~])"}, gpt2_words};
constexpr std::array exaone_moe{split_step{
    WHERRY_CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*+(?: \p{L}\p{M}*+)*+)++|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?)"
                        R"(|\s*[\r\n]|\s+(?!\S)|\s+)"}};
constexpr std::array kimi_k2{split_step{R"(\p{sc:Han}+|[^\r\n\p{L}\p{N}]?)" WHERRY_KIMI_BEGINS "*" WHERRY_KIMI_GOES_ON
                                        "+" WHERRY_CONTRACTIONS R"(?|[^\r\n\p{L}\p{N}]?)" WHERRY_KIMI_BEGINS
                                        "+" WHERRY_KIMI_GOES_ON "*" WHERRY_CONTRACTIONS
                                        R"(?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)" WHERRY_WHITE_SPACE}};
constexpr std::array superbpe{split_step{R"(\p{N}+)"}, split_step{R"((?=(\d{3})+(?!\d)))", scan_grouped_digits}};
constexpr std::array bailing_moe{
    split_step{R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n])"
               R"(|\s+(?!\S)|\s+)"}};
constexpr std::array seed_coder{
    split_step{WHERRY_CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+)" WHERRY_WHITE_SPACE}};
constexpr std::array tiny_aya{
    split_step{R"(\d{1,3}(?=(?:\d{3})*(?![\d\p{Alphabetic}\p{M}\p{Pc}])))", scan_grouped_digits_of_words}, gpt4o_words};
constexpr std::array afmoe{
    split_step{R"(\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N})))", scan_grouped_numbers},
    split_step{R"([\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{F900}-\x{FAFF}\x{3040}-\x{309F}\x{30A0}-\x{30FF})"
               R"(\x{FF65}-\x{FF9F}\x{2F00}-\x{2FDF}\x{E40}-\x{E7F}\x{E80}-\x{EFF}\x{1780}-\x{17FF})"
               R"(\x{1000}-\x{109F}\x{AA60}-\x{AA7F}\x{A9E0}-\x{A9FF}\x{AC00}-\x{D7AF}\x{1100}-\x{11FF}]+)"},
    split_step{WHERRY_DEEPSEEK_V3_WORDS}};
constexpr std::array youtu{
    split_step{R"([\x{AC00}-\x{D7A3}\x{3131}-\x{318E}]+)"
               R"(|[\x{FF01}\x{2026}\x{201C}\x{201D}\x{2018}\x{2019}\x{2014}\x{FF1A}\x{FF1B}\x{FF0C})"
               R"(\x{3001}-\x{303F}\x{FE30}-\x{FE4F}]+|[\x{3105}-\x{312F}]+)"
               R"(|[\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+)"},
    split_step{WHERRY_GPT4O_WORDS(WHERRY_CONTRACTIONS "?", R"(\p{N})")}};
constexpr std::array laguna{split_step{R"([^\n]+|\n+)"}, qwen2_words};

#undef WHERRY_CONTRACTIONS
#undef WHERRY_GPT2_WORDS
#undef WHERRY_GPT4_WORDS
#undef WHERRY_WHITE_SPACE
#undef WHERRY_BEGINS_WORD
#undef WHERRY_GOES_ON
#undef WHERRY_CASED_WORDS
#undef WHERRY_GPT4O_WORDS
#undef WHERRY_ASCII_PUNCTUATION
#undef WHERRY_DEEPSEEK_V3_WORDS
#undef WHERRY_NOT_HAN
#undef WHERRY_KIMI_BEGINS
#undef WHERRY_KIMI_GOES_ON

constexpr std::array rows{
    pre_tokenizer{.name = "default", .steps = fallback},
    pre_tokenizer{.name = "gpt-2", .steps = gpt2},
    pre_tokenizer{.name = "phi-2", .steps = gpt2},
    pre_tokenizer{.name = "olmo", .steps = gpt2},
    pre_tokenizer{.name = "mpt", .steps = gpt2},
    pre_tokenizer{.name = "jais", .steps = gpt2},
    pre_tokenizer{.name = "trillion", .steps = gpt2},
    pre_tokenizer{.name = "granite-docling", .steps = gpt2},
    pre_tokenizer{.name = "gigachat", .steps = gpt2},
    pre_tokenizer{.name = "exaone4", .steps = gpt2},
    pre_tokenizer{.name = "mellum", .steps = gpt2},
    pre_tokenizer{.name = "modern-bert", .steps = gpt2},
    pre_tokenizer{.name = "roberta-bpe", .steps = gpt2},
    pre_tokenizer{.name = "jina-v1-en", .steps = gpt2},
    pre_tokenizer{.name = "jina-v2-code", .steps = gpt2},
    pre_tokenizer{.name = "jina-es", .steps = gpt2},
    pre_tokenizer{.name = "jina-de", .steps = gpt2},
    pre_tokenizer{.name = "jina-v2-es", .steps = gpt2},
    pre_tokenizer{.name = "jina-v2-de", .steps = gpt2},
    pre_tokenizer{.name = "a.x-4.0", .steps = gpt2},
    pre_tokenizer{.name = "llama-bpe", .steps = llama3, .whole_words_first = true, .adds_bos = true},
    pre_tokenizer{.name = "llama3", .steps = llama3, .whole_words_first = true, .adds_bos = true},
    pre_tokenizer{.name = "llama-v3", .steps = llama3, .whole_words_first = true, .adds_bos = true},
    pre_tokenizer{.name = "falcon3", .steps = llama3, .whole_words_first = true, .adds_bos = true},
    pre_tokenizer{.name = "falcon-h1", .steps = llama3, .whole_words_first = true, .adds_bos = true},
    pre_tokenizer{.name = "pixtral", .steps = llama3, .whole_words_first = true, .adds_bos = true},
    pre_tokenizer{.name = "midm-2.0", .steps = llama3, .whole_words_first = true, .adds_bos = true},
    pre_tokenizer{.name = "lfm2", .steps = llama3, .whole_words_first = true, .adds_bos = true},
    pre_tokenizer{.name = "jina-v5-nano", .steps = llama3, .whole_words_first = true, .adds_bos = true},
    pre_tokenizer{.name = "smaug-bpe", .steps = llama3},
    pre_tokenizer{.name = "dbrx", .steps = llama3},
    pre_tokenizer{.name = "glm4", .steps = llama3},
    pre_tokenizer{.name = "chatglm-bpe", .steps = llama3},
    pre_tokenizer{.name = "qwen2", .steps = qwen2},
    pre_tokenizer{.name = "deepseek-r1-qwen", .steps = qwen2},
    pre_tokenizer{.name = "stablelm2", .steps = qwen2},
    pre_tokenizer{.name = "megrez", .steps = qwen2},
    pre_tokenizer{.name = "hunyuan", .steps = qwen2},
    pre_tokenizer{.name = "kormo", .steps = qwen2},
    pre_tokenizer{.name = "f2llmv2", .steps = qwen2},
    pre_tokenizer{.name = "solar-open", .steps = qwen2},
    pre_tokenizer{.name = "grok-2", .steps = qwen2},
    pre_tokenizer{.name = "qwen35", .steps = qwen35},
    pre_tokenizer{.name = "gpt-4o", .steps = gpt4o},
    pre_tokenizer{.name = "llama4", .steps = gpt4o},
    pre_tokenizer{.name = "kanana2", .steps = gpt4o},
    pre_tokenizer{.name = "minimax-m2", .steps = gpt4o},
    pre_tokenizer{.name = "granite-embed-multi-97m", .steps = gpt4o, .whole_words_first = true},
    pre_tokenizer{.name = "tekken", .steps = tekken, .whole_words_first = true, .adds_bos = true},
    pre_tokenizer{.name = "starcoder", .steps = starcoder},
    pre_tokenizer{.name = "refact", .steps = starcoder},
    pre_tokenizer{.name = "smollm", .steps = starcoder},
    pre_tokenizer{.name = "command-r", .steps = starcoder},
    pre_tokenizer{.name = "codeshell", .steps = starcoder},
    pre_tokenizer{.name = "exaone", .steps = starcoder},
    pre_tokenizer{.name = "minerva-7b", .steps = starcoder},
    pre_tokenizer{.name = "mellum2", .steps = starcoder},
    pre_tokenizer{.name = "falcon", .steps = falcon},
    pre_tokenizer{.name = "deepseek-llm", .steps = deepseek_llm},
    pre_tokenizer{.name = "deepseek-coder", .steps = deepseek_coder},
    pre_tokenizer{.name = "deepseek-v3", .steps = deepseek_v3},
    pre_tokenizer{.name = "hunyuan-dense", .steps = deepseek_v3},
    pre_tokenizer{.name = "joyai-llm", .steps = deepseek_v3},
    pre_tokenizer{.name = "bloom", .steps = bloom},
    pre_tokenizer{.name = "gpt3-finnish", .steps = bloom},
    pre_tokenizer{.name = "poro-chat", .steps = bloom},
    pre_tokenizer{.name = "viking", .steps = viking},
    pre_tokenizer{.name = "jais-2", .steps = jais2},
    pre_tokenizer{.name = "chameleon", .steps = chameleon, .adds_bos = true},
    pre_tokenizer{.name = "exaone-moe", .steps = exaone_moe},
    pre_tokenizer{.name = "kimi-k2", .steps = kimi_k2},
    pre_tokenizer{.name = "superbpe", .steps = superbpe},
    pre_tokenizer{.name = "bailingmoe", .steps = bailing_moe},
    pre_tokenizer{.name = "bailingmoe2", .steps = bailing_moe},
    pre_tokenizer{.name = "llada-moe", .steps = bailing_moe},
    pre_tokenizer{.name = "seed-coder", .steps = seed_coder},
    pre_tokenizer{.name = "tiny_aya", .steps = tiny_aya},
    pre_tokenizer{.name = "cohere2moe", .steps = tiny_aya},
    pre_tokenizer{.name = "afmoe", .steps = afmoe},
    pre_tokenizer{.name = "youtu", .steps = youtu, .whole_words_first = true},
    pre_tokenizer{.name = "laguna", .steps = laguna},
};

}  // namespace

std::span<pre_tokenizer const> pre_tokenizers() noexcept { return rows; }

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
