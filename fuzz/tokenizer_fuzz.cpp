// Fuzz entry: any text through vocabularies of every kind. The first byte chooses the vocabulary, the second where the
// text is cut into a piece that may spell control tokens and one that may not. What comes back must be what went in
// (from WordPiece: what goes in again must become the same), and the part without permission must bring no control
// token. One more vocabulary takes its table of normalisation from the input.

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

std::vector<std::string> byte_names() {
  std::vector<std::string> names;
  for (unsigned b = 0; b < 256; ++b) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", b);
    names.emplace_back(name);
  }
  return names;
}

// With a token for each byte every text comes back; without them unknown characters are lost.
tokenizer unigram(bool with_bytes, std::vector<std::int32_t> const& charsmap = {}) {
  gguf_writer writer;
  writer.add("tokenizer.ggml.model", "t5");
  writer.add("tokenizer.ggml.add_space_prefix", !with_bytes);
  writer.add("tokenizer.ggml.remove_extra_whitespaces", !with_bytes);
  if (!charsmap.empty()) writer.add("tokenizer.ggml.precompiled_charsmap", charsmap);
  std::vector<std::string> tokens{"<pad>", "</s>", "<unk>"};
  std::vector<std::int32_t> kinds{static_cast<std::int32_t>(token_kind::control),
                                  static_cast<std::int32_t>(token_kind::control),
                                  static_cast<std::int32_t>(token_kind::unknown)};
  auto const add = [&](std::string const& piece, token_kind kind) {
    tokens.push_back(piece);
    kinds.push_back(static_cast<std::int32_t>(kind));
  };
  if (with_bytes)
    for (auto const& name : byte_names()) add(name, token_kind::byte);
  for (auto const* piece : {"\xE2\x96\x81", "a", "b", "ab", "aa", "aba",
                            "\xE2\x96\x81"
                            "a",
                            "<", "|", "<|", "\xEC\x84\x9C"})
    add(piece, token_kind::normal);
  return build(writer, tokens, kinds);
}

tokenizer wordpiece() {
  gguf_writer writer;
  writer.add("tokenizer.ggml.model", "bert");
  std::vector<std::string> tokens{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  std::vector<std::int32_t> kinds(tokens.size(), static_cast<std::int32_t>(token_kind::control));
  for (auto const* piece : {"a", "b", "ab", "aa", "<", "|", ".", "'", "\xE4\xB8\xAD", "\xE1\x84\x89", "im", "_"}) {
    tokens.push_back("\xE2\x96\x81" + std::string(piece));
    tokens.emplace_back(piece);
    kinds.insert(kinds.end(), 2, static_cast<std::int32_t>(token_kind::normal));
  }
  return build(writer, tokens, kinds);
}

// SentencePiece reads its own mark as a space.
std::string with_marks_as_spaces(std::string text) {
  for (auto at = text.find("\xE2\x96\x81"); at != text.npos; at = text.find("\xE2\x96\x81")) text.replace(at, 3, " ");
  return text;
}

bool has_control(tokenizer const& t, std::vector<token_id> const& ids) {
  return std::any_of(ids.begin(), ids.end(),
                     [&](token_id id) { return t.kind(id) == token_kind::control && id != t.unknown(); });
}

// The longest table that the text may be, and the text behind it.
void check_charsmap(std::string_view text, std::size_t cut) {
  std::vector<std::int32_t> map;
  for (char const c : text.substr(0, cut)) map.push_back(static_cast<std::uint8_t>(c));
  static auto const* const no_units = "\x04\x00\x00\x00";
  if (map.empty()) map.assign(no_units, no_units + 4);
  gguf_writer writer;
  writer.add("tokenizer.ggml.model", "t5");
  writer.add("tokenizer.ggml.tokens", std::vector<std::string>{"<pad>", "</s>", "<unk>", "a"});
  writer.add("tokenizer.ggml.token_type", std::vector<std::int32_t>{3, 3, 2, 1});
  writer.add("tokenizer.ggml.scores", std::vector<float>{0, 0, 0, -1});
  writer.add("tokenizer.ggml.precompiled_charsmap", map);
  if (auto const t = tokenizer::from(gguf_file::from_bytes(writer.bytes()).value()))
    if (has_control(*t, t->encode(text.substr(cut)))) __builtin_trap();
}

// What comes back from decoding.
enum class promise { every_byte, marks_as_spaces, same_ids, nothing };

struct subject {
  tokenizer t;
  promise kept;
};

bool keeps(subject const& s, std::string_view text, std::vector<token_id> ids) {
  auto const back = s.t.decode(ids, {.show_special = true});
  switch (s.kept) {
    case promise::every_byte: return back == text;
    case promise::marks_as_spaces: return with_marks_as_spaces(back) == with_marks_as_spaces(std::string(text));
    case promise::same_ids:
      std::erase_if(ids, [&](token_id id) { return s.t.kind(id) == token_kind::control; });
      return s.t.encode(s.t.decode(ids)) == ids;
    case promise::nothing: break;
  }
  return true;
}

}  // namespace

int wherry_fuzz_tokenizer(std::uint8_t const* data, std::size_t size) {
  static std::vector<subject> const subjects = [] {
    std::vector<subject> all{{spm(), promise::marks_as_spaces},
                             {unigram(true), promise::marks_as_spaces},
                             {unigram(false), promise::nothing},
                             {wordpiece(), promise::same_ids}};
    for (auto const* pre : {"gpt-2", "llama-bpe", "falcon", "gpt-4o", "tekken", "deepseek-llm", "deepseek-v3", "qwen35",
                            "superbpe", "kimi-k2", "exaone-moe", "tiny_aya"})
      all.push_back({bpe(pre), promise::every_byte});
    return all;
  }();
  if (size < 2) return 0;
  auto const chosen = data[0] % (subjects.size() + 1);
  std::string_view const text(reinterpret_cast<char const*>(data) + 2, size - 2);
  auto const cut = std::min<std::size_t>(data[1], text.size());
  if (chosen == subjects.size()) {
    check_charsmap(text, cut);
    return 0;
  }
  auto const& s = subjects[chosen];
  std::array const pieces{encode_piece{text.substr(0, cut), true}, encode_piece{text.substr(cut), false}};
  if (!keeps(s, text, s.t.encode(pieces, false))) __builtin_trap();
  if (has_control(s.t, s.t.encode(text.substr(cut)))) __builtin_trap();
  if (auto const pair = s.t.encode_pair(text.substr(0, cut), text.substr(cut), {.tokens_max = 16}))
    if (pair->ids.size() > 16 || pair->ids.size() != pair->type_ids.size()) __builtin_trap();
  return 0;
}
