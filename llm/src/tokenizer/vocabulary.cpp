#include "tokenizer/vocabulary.hpp"

#include <algorithm>
#include <array>

namespace wherry::inline v0::detail {
namespace {

// How models spell the end of what they say; in files of code also the border to the next file.
constexpr std::array<std::string_view, 24> end_spellings{"<|eot_id|>",
                                                         "<|eom_id|>",
                                                         "<|im_end|>",
                                                         "<|end|>",
                                                         "<|endoftext|>",
                                                         "<|end_of_text|>",
                                                         "<end_of_turn>",
                                                         "</s>",
                                                         "<eos>",
                                                         "<|end_of_turn|>",
                                                         "<|return|>",
                                                         "<|call|>",
                                                         "<end_of_utterance>",
                                                         "<EOT>",
                                                         "[EOT]",
                                                         "[EOS]",
                                                         "<｜end▁of▁sentence｜>",
                                                         "[PAD]",
                                                         "<PAD>",
                                                         "<|fim_pad|>",
                                                         "<fim-pad>",
                                                         "<fim_pad>",
                                                         "<|file_sep|>",
                                                         "<|repo_name|>"};

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

}  // namespace

error vocabulary_error(errc code, std::string what, gguf_file const& file) {
  return {code, "cannot build the tokenizer: " + std::move(what), "tokenizer.from", file.name()};
}

result<vocabulary> vocabulary::load(gguf_file const& file, defaults const& absent) {
  vocabulary vocab(file);
  if (auto read = vocab.read_tokens(); !read) return read.error();
  if (auto read = vocab.read_kinds(); !read) return read.error();
  if (auto read = vocab.read_special_ids(absent); !read) return read.error();
  vocab.collect_ends_of_generation();
  vocab.collect_space_swallowers();
  return vocab;
}

result<void> vocabulary::read_tokens() {
  auto tokens = file.find_strings("tokenizer.ggml.tokens");
  if (!tokens || tokens->empty() || tokens->size() > vocabulary_tokens_max)
    return vocabulary_error(
        errc::corrupt_file,
        "tokenizer.ggml.tokens is absent, empty or longer than " + std::to_string(vocabulary_tokens_max) + " strings",
        file);
  pieces = std::move(*tokens);
  ids.build(pieces);
  for (auto const piece : pieces) longest_piece_bytes = std::max(longest_piece_bytes, piece.size());
  return {};
}

result<void> vocabulary::read_kinds() {
  kinds.assign(pieces.size(), token_kind::normal);
  auto const types = file.find_ints("tokenizer.ggml.token_type");
  if (!types) return {};
  if (types->size() != pieces.size())
    return vocabulary_error(errc::corrupt_file,
                            "tokenizer.ggml.token_type has " + std::to_string(types->size()) + " entries for " +
                                std::to_string(pieces.size()) + " tokens",
                            file);
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    auto const type = (*types)[i];
    if (type < 0 || type > 6)
      return vocabulary_error(errc::corrupt_file,
                              "token " + std::to_string(i) + " has the unknown type " + std::to_string(type), file);
    if (type != 0) kinds[i] = static_cast<token_kind>(type);  // 0 is "undefined": an ordinary token
  }
  return {};
}

result<void> vocabulary::read_special_ids(defaults const& absent) {
  auto const read = [&](char const* key, std::optional<token_id> fallback,
                        std::optional<token_id>& id) -> result<void> {
    auto const declared = file.find_uint(key);
    constexpr std::uint64_t none = 0xFFFFFFFF;  // how some writers say that there is no such token
    if (declared == none) return {};
    if (declared && *declared >= size())
      return vocabulary_error(
          errc::corrupt_file,
          std::string(key) + " is " + std::to_string(*declared) + ", beyond the " + std::to_string(size()) + " tokens",
          file);
    if (declared)
      id = static_cast<token_id>(*declared);
    else if (fallback && contains(*fallback) && is_special(*fallback))
      id = fallback;
    return {};
  };
  if (auto r = read("tokenizer.ggml.bos_token_id", absent.bos, bos); !r) return r;
  if (auto r = read("tokenizer.ggml.eos_token_id", absent.eos, eos); !r) return r;
  if (auto r = read("tokenizer.ggml.unknown_token_id", absent.unknown, unknown); !r) return r;
  if (auto r = read("tokenizer.ggml.cls_token_id", std::nullopt, cls); !r) return r;
  if (auto r = read("tokenizer.ggml.seperator_token_id", std::nullopt, sep); !r) return r;  // the format's spelling
  if (auto r = read("tokenizer.ggml.padding_token_id", absent.pad, pad); !r) return r;
  if (auto r = read("tokenizer.ggml.mask_token_id", std::nullopt, mask); !r) return r;
  auto const by_spelling = [&](std::optional<token_id>& id, std::string_view spelling) {
    if (!id) id = absent.is_bert ? find(spelling) : find_control(spelling);  // early BERT files have no token types
  };
  by_spelling(cls, "[CLS]");
  by_spelling(sep, "[SEP]");
  by_spelling(mask, "[MASK]");
  by_spelling(mask, "<mask>");
  if (absent.is_bert) {
    by_spelling(unknown, "[UNK]");
    by_spelling(pad, "[PAD]");
    if (!bos) bos = cls;
    if (!eos) eos = sep;
  }
  for (char const* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    std::optional<token_id> end;
    if (auto r = read(key, std::nullopt, end); !r) return r;
    if (end) ends_of_generation.push_back(*end);
  }
  adds_bos = bos && file.find_bool("tokenizer.ggml.add_bos_token").value_or(absent.adds_bos);
  adds_eos = eos && file.find_bool("tokenizer.ggml.add_eos_token").value_or(absent.adds_eos);
  return {};
}

void vocabulary::collect_ends_of_generation() {
  auto& ends = ends_of_generation;
  if (eos) ends.push_back(*eos);
  for (auto const spelling : end_spellings) {
    if (auto const id = find_control(spelling)) ends.push_back(*id);
  }
  // Harmony has ends of its own; there <|end|> closes one message of several.
  auto const part_end = find_control("<|end|>");
  if (part_end && find_control("<|return|>") && find_control("<|call|>")) std::erase(ends, *part_end);
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
}

// Phi-3's own tokenizer drops white space behind its chat markers; the file says so only by the model's name.
void vocabulary::collect_space_swallowers() {
  auto const name = lower_case(file.find_string("general.name").value_or(""));
  if (name.find("phi-3") == name.npos && name.find("phi3") == name.npos) return;
  for (token_id id = 0; contains(id); ++id) {
    bool const marker = is_special(id) || kind(id) == token_kind::user_defined;
    auto const text = piece(id);
    if (marker && text != "<unk>" && text != "<s>" && text != "<|endoftext|>") swallows_space_after.push_back(id);
  }
}

std::optional<token_id> vocabulary::find(std::string_view piece) const {
  auto const id = ids.find(piece, pieces);
  return id < 0 ? std::nullopt : std::optional(id);
}

std::optional<token_id> vocabulary::find_control(std::string_view spelling) const {
  auto const id = find(spelling);
  return id && kind(*id) == token_kind::control ? id : std::nullopt;
}

std::optional<token_id> vocabulary::find_text(std::string_view piece) const {
  if (piece.size() > longest_piece_bytes) return std::nullopt;
  auto const id = find(piece);
  return id && may_be_text(*id) ? id : std::nullopt;
}

void vocabulary::find_texts(std::span<std::string_view const> wanted, std::span<token_id> found) const {
  ids.find_many(wanted, found, pieces);
  for (auto& id : found)
    if (id >= 0 && !may_be_text(id)) id = -1;
}

}  // namespace wherry::inline v0::detail
