#pragma once
// Small vocabularies for tests, written as model files.

#include <wherry/llm/gguf.hpp>
#include <wherry/llm/tokenizer.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace wherry_test {

struct sample_token {
  std::string text;
  wherry::token_kind kind = wherry::token_kind::normal;
  float score = 0;
};

inline std::string utf8(char32_t c) {
  if (c < 0x80) return std::string(1, static_cast<char>(c));
  return {static_cast<char>(0xC0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3F))};
}

// The character that byte-level BPE writes for a byte.
inline std::string byte_character(unsigned byte) {
  char32_t beyond = 0x100;
  for (unsigned b = 0; b < 256; ++b) {
    bool const printable = (b > 0x20 && b < 0x7F) || (b > 0xA0 && b != 0xAD);
    char32_t const c = printable ? char32_t{b} : beyond++;
    if (b == byte) return utf8(c);
  }
  return {};
}

inline std::string spelled_bytes(std::string_view bytes) {
  std::string text;
  for (char c : bytes) text += byte_character(static_cast<unsigned char>(c));
  return text;
}

inline void add_tokens(wherry::gguf_writer& writer, std::vector<sample_token> const& tokens) {
  std::vector<std::string> texts;
  std::vector<float> scores;
  std::vector<std::int32_t> kinds;
  for (auto const& token : tokens) {
    texts.push_back(token.text);
    scores.push_back(token.score);
    kinds.push_back(static_cast<std::int32_t>(token.kind));
  }
  writer.add("tokenizer.ggml.tokens", texts);
  writer.add("tokenizer.ggml.scores", scores);
  writer.add("tokenizer.ggml.token_type", kinds);
}

// SentencePiece: <unk>, <s>, </s>, 256 bytes (ids 3 to 258), then `more`.
inline std::vector<sample_token> spm_tokens(std::vector<sample_token> const& more) {
  using wherry::token_kind;
  std::vector<sample_token> tokens{
      {"<unk>", token_kind::unknown}, {"<s>", token_kind::control}, {"</s>", token_kind::control}};
  for (unsigned b = 0; b < 256; ++b) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", b);
    tokens.push_back({name, token_kind::byte});
  }
  tokens.insert(tokens.end(), more.begin(), more.end());
  return tokens;
}

inline wherry::gguf_writer spm_model(std::vector<sample_token> const& more) {
  wherry::gguf_writer writer;
  writer.add("general.architecture", "llama");
  writer.add("tokenizer.ggml.model", "llama");
  add_tokens(writer, spm_tokens(more));
  return writer;
}

// Byte-level BPE: the 256 bytes in order (id = byte), a token per merge, then `more`.
inline wherry::gguf_writer bpe_model(std::string const& pre, std::vector<std::string> const& merges,
                                     std::vector<sample_token> const& more = {}) {
  std::vector<sample_token> tokens;
  for (unsigned b = 0; b < 256; ++b) tokens.push_back({byte_character(b)});
  for (auto const& merge : merges) {
    auto const gap = merge.find(' ', 1);
    tokens.push_back({merge.substr(0, gap) + merge.substr(gap + 1)});
  }
  tokens.insert(tokens.end(), more.begin(), more.end());
  wherry::gguf_writer writer;
  writer.add("general.architecture", "llama");
  writer.add("tokenizer.ggml.model", "gpt2");
  writer.add("tokenizer.ggml.pre", pre);
  add_tokens(writer, tokens);
  writer.add("tokenizer.ggml.merges", merges);
  return writer;
}

// Unigram in the way of T5: <pad>, </s>, <unk> (ids 0 to 2), then `more`.
inline wherry::gguf_writer unigram_model(std::vector<sample_token> const& more) {
  using wherry::token_kind;
  std::vector<sample_token> tokens{
      {"<pad>", token_kind::control}, {"</s>", token_kind::control}, {"<unk>", token_kind::unknown}};
  tokens.insert(tokens.end(), more.begin(), more.end());
  wherry::gguf_writer writer;
  writer.add("general.architecture", "t5");
  writer.add("tokenizer.ggml.model", "t5");
  add_tokens(writer, tokens);
  return writer;
}

// WordPiece: [PAD], [UNK], [CLS], [SEP], [MASK] (ids 0 to 4), then the pieces, "##" in front of those that go on.
inline wherry::gguf_writer wordpiece_model(std::vector<std::string> const& pieces) {
  using wherry::token_kind;
  std::vector<sample_token> tokens;
  for (auto const* special : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"})
    tokens.push_back({special, token_kind::control});
  for (auto const& piece : pieces)
    tokens.push_back({piece.starts_with("##") ? piece.substr(2) : "\xE2\x96\x81" + piece});
  wherry::gguf_writer writer;
  writer.add("general.architecture", "bert");
  writer.add("tokenizer.ggml.model", "bert");
  add_tokens(writer, tokens);
  return writer;
}

inline wherry::result<wherry::tokenizer> build(wherry::gguf_writer const& writer) {
  return wherry::tokenizer::from(wherry::gguf_file::from_bytes(writer.bytes(), "sample").value());
}

}  // namespace wherry_test
