// Fuzz entry: any text through a SentencePiece and a byte-level vocabulary. The first byte chooses vocabulary and
// options, the second where the text is cut into a piece that may spell control tokens and one that may not. What comes
// back must be what went in, and the part without permission must bring no control token.

#include <wherry/llm/tokenizer.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>

namespace {

using namespace wherry;

std::string utf8_of(unsigned c) {
  if (c < 0x80) return std::string(1, static_cast<char>(c));
  return {static_cast<char>(0xC0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3F))};
}

tokenizer build(gguf_writer& writer, std::vector<std::string> tokens, std::vector<std::int32_t> kinds) {
  for (auto const* special : {"<|im_start|>", "<|im_end|>", "<|im_"}) {
    tokens.emplace_back(special);
    kinds.push_back(static_cast<std::int32_t>(token_kind::control));
  }
  tokens.emplace_back("<think>");
  kinds.push_back(static_cast<std::int32_t>(token_kind::user_defined));
  std::vector<float> scores;
  for (std::size_t i = 0; i < tokens.size(); ++i) scores.push_back(-static_cast<float>(i % 7));
  writer.add("tokenizer.ggml.tokens", tokens);
  writer.add("tokenizer.ggml.token_type", kinds);
  writer.add("tokenizer.ggml.scores", scores);
  return tokenizer::from(gguf_file::from_bytes(writer.bytes()).value()).value();
}

tokenizer spm() {
  gguf_writer writer;
  writer.add("tokenizer.ggml.model", "llama");
  writer.add("tokenizer.ggml.add_space_prefix", false);
  std::vector<std::string> tokens{"<unk>"};
  std::vector<std::int32_t> kinds{static_cast<std::int32_t>(token_kind::unknown)};
  for (unsigned b = 0; b < 256; ++b) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", b);
    tokens.emplace_back(name);
    kinds.push_back(static_cast<std::int32_t>(token_kind::byte));
  }
  for (auto const* piece : {"\xE2\x96\x81", "a", "b", "ab", "aa", "aaaa",
                            "\xE2\x96\x81"
                            "a",
                            "<", "|", "<|"}) {
    tokens.emplace_back(piece);
    kinds.push_back(static_cast<std::int32_t>(token_kind::normal));
  }
  return build(writer, tokens, kinds);
}

tokenizer bpe(char const* pre) {
  gguf_writer writer;
  writer.add("tokenizer.ggml.model", "gpt2");
  writer.add("tokenizer.ggml.pre", pre);
  writer.add("tokenizer.ggml.merges", std::vector<std::string>{"a b", "a a", "aa aa", "< |"});
  std::vector<std::string> tokens;
  unsigned beyond = 0x100;
  for (unsigned b = 0; b < 256; ++b) {
    bool const printable = (b > 0x20 && b < 0x7F) || (b > 0xA0 && b != 0xAD);
    tokens.push_back(utf8_of(printable ? b : beyond++));
  }
  for (auto const* merged : {"ab", "aa", "aaaa", "<|"}) tokens.emplace_back(merged);
  return build(writer, tokens, std::vector<std::int32_t>(tokens.size(), static_cast<std::int32_t>(token_kind::normal)));
}

// SentencePiece reads its own mark as a space.
std::string with_marks_as_spaces(std::string text) {
  for (auto at = text.find("\xE2\x96\x81"); at != text.npos; at = text.find("\xE2\x96\x81")) text.replace(at, 3, " ");
  return text;
}

}  // namespace

int wherry_fuzz_tokenizer(std::uint8_t const* data, std::size_t size) {
  static std::array const tokenizers{spm(), bpe("gpt-2"), bpe("llama-bpe"), bpe("falcon"), bpe("deepseek-llm")};
  if (size < 2) return 0;
  auto const& t = tokenizers[data[0] % tokenizers.size()];
  std::string_view const text(reinterpret_cast<char const*>(data) + 2, size - 2);
  auto const cut = std::min<std::size_t>(data[1], text.size());
  std::array const pieces{encode_piece{text.substr(0, cut), true}, encode_piece{text.substr(cut), false}};

  auto const ids = t.encode(pieces, false);
  auto const back = t.decode(ids, {.show_special = true});
  if (t.family() == "spm" ? with_marks_as_spaces(back) != with_marks_as_spaces(std::string(text)) : back != text)
    __builtin_trap();
  for (auto const id : t.encode(text.substr(cut)))
    if (t.kind(id) == token_kind::control) __builtin_trap();
  return 0;
}
