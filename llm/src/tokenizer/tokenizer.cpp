#include <wherry/llm/tokenizer.hpp>

#include "tokenizer/pre_tokenizer.hpp"
#include "tokenizer/special_matcher.hpp"
#include "tokenizer/text_model.hpp"

#include <algorithm>
#include <array>

namespace wherry::inline v0 {

using namespace detail;

struct tokenizer::impl {
  explicit impl(vocabulary v) : vocab(std::move(v)), specials(vocab) {}

  vocabulary vocab;
  special_matcher specials;
  std::unique_ptr<text_model> model;  // refers to vocab
  std::string family;
  bool tells_texts_apart = false;  // the second of two texts has another type

  std::vector<token_id> encode(std::string_view text, std::vector<byte_range> const& permitted, bool add_special,
                               std::span<std::string const> guarded = {}) const;
  void append_bytes(token_id id, bool show_special, std::string& text) const;
};

namespace {

// The kinds of tokenizer.ggml.model, and what holds where the metadata is silent.
struct tokenizer_kind {
  std::string_view model;
  std::string_view family;
  vocabulary::defaults absent;
  result<std::unique_ptr<text_model>> (*make)(vocabulary const&);
};

std::array<tokenizer_kind, 3> const kinds{{
    {"llama", "spm", {.bos = 1, .eos = 2, .unknown = 0, .adds_bos = true}, make_spm_model},  // SentencePiece's own
    {"t5", "unigram", {.eos = 1, .unknown = 2, .pad = 0, .adds_eos = true}, make_unigram_model},
    {"bert", "wordpiece", {.adds_bos = true, .adds_eos = true, .is_bert = true}, make_wordpiece_model},
}};

// As if the longer lost its last token again and again, the second of equals. Returns: whether any was lost.
bool cut_to(std::vector<token_id>& first, std::vector<token_id>& second, std::size_t tokens_max) {
  if (first.size() + second.size() <= tokens_max) return false;
  auto const shorter = std::min(first.size(), second.size());
  auto const first_max = first.size() == shorter && shorter * 2 <= tokens_max    ? shorter
                         : second.size() == shorter && shorter * 2 <= tokens_max ? tokens_max - shorter
                                                                                 : (tokens_max + 1) / 2;
  first.resize(std::min(first.size(), first_max));
  second.resize(std::min(second.size(), tokens_max - first.size()));
  return true;
}

std::string unsupported_model(std::string_view model) {
  return "the tokenizer model '" + std::string(model) +
         "' is not supported; supported are llama (SentencePiece BPE), t5 (SentencePiece Unigram), bert (WordPiece) "
         "and gpt2 (byte-level BPE)";
}

}  // namespace

result<tokenizer> tokenizer::from(gguf_file const& file) {
  auto const model = file.find_string("tokenizer.ggml.model");
  if (!model) return vocabulary_error(errc::unsupported, "the file declares no tokenizer.ggml.model", file);
  if (*model == "gpt2") return from_byte_bpe(file);
  auto const kind = std::find_if(kinds.begin(), kinds.end(), [&](auto const& k) { return k.model == *model; });
  if (kind == kinds.end()) return vocabulary_error(errc::unsupported, unsupported_model(*model), file);

  auto vocab = vocabulary::load(file, kind->absent);
  if (!vocab) return vocab.error();
  auto built = std::make_shared<impl>(std::move(*vocab));
  auto text = kind->make(built->vocab);
  if (!text) return text.error();
  built->model = std::move(*text);
  built->family = kind->family;
  built->tells_texts_apart =
      file.find_uint("tokenizer.ggml.token_type_count").value_or(kind->absent.is_bert ? 2 : 1) > 1;
  return tokenizer(std::move(built));
}

result<tokenizer> tokenizer::from_byte_bpe(gguf_file const& file) {
  auto const name = file.find_string("tokenizer.ggml.pre").value_or("default");
  auto const* pre = find_pre_tokenizer(name);
  if (!pre)
    return vocabulary_error(
        errc::unsupported,
        "the pre-tokenizer '" + std::string(name) + "' is not supported; supported are " + supported_pre_tokenizers(),
        file);
  auto vocab = vocabulary::load(file, {.adds_bos = pre->adds_bos});
  if (!vocab) return vocab.error();
  auto built = std::make_shared<impl>(std::move(*vocab));
  auto text = make_byte_bpe_model(built->vocab, *pre);
  if (!text) return text.error();
  built->model = std::move(*text);
  built->family = "bpe:" + std::string(name);
  built->tells_texts_apart = file.find_uint("tokenizer.ggml.token_type_count").value_or(1) > 1;
  return tokenizer(std::move(built));
}

std::vector<token_id> tokenizer::impl::encode(std::string_view text, std::vector<byte_range> const& permitted,
                                              bool add_special, std::span<std::string const> guarded) const {
  std::vector<token_id> ids;
  if (add_special && vocab.adds_bos) ids.push_back(*vocab.bos);
  std::size_t done = 0;
  for (auto const& match : specials.find(text, permitted, guarded)) {
    if (match.bytes.begin > done) model->encode(text.substr(done, match.bytes.begin - done), true, ids);
    ids.push_back(match.id);
    done = match.bytes.end;
  }
  if (done < text.size()) model->encode(text.substr(done), true, ids);
  if (add_special && vocab.adds_eos) ids.push_back(*vocab.eos);
  return ids;
}

void tokenizer::impl::append_bytes(token_id id, bool show_special, std::string& text) const {
  if (!vocab.contains(id)) return;
  switch (vocab.kind(id)) {
    case token_kind::control:
    case token_kind::unknown:
      if (show_special) text += vocab.piece(id);
      break;
    case token_kind::user_defined: text += vocab.piece(id); break;
    case token_kind::normal:
    case token_kind::byte: model->append_bytes(id, text); break;
    case token_kind::unused: break;
  }
}

std::vector<token_id> tokenizer::encode(std::string_view text, encode_options const& options) const {
  std::vector<byte_range> permitted;
  if (options.parse_special && !text.empty()) permitted.push_back({0, text.size()});
  return impl_->encode(text, permitted, options.add_special);
}

std::vector<token_id> tokenizer::encode(std::span<encode_piece const> pieces, bool add_special,
                                        std::span<std::string const> guarded) const {
  std::string text;
  std::vector<byte_range> permitted;
  for (auto const& piece : pieces) {
    auto const begin = text.size();
    text += piece.text;
    if (!piece.parse_special || piece.text.empty()) continue;
    if (!permitted.empty() && permitted.back().end == begin)
      permitted.back().end = text.size();
    else
      permitted.push_back({begin, text.size()});
  }
  return impl_->encode(text, permitted, add_special, guarded);
}

std::string tokenizer::decode(std::span<token_id const> ids, decode_options const& options) const {
  std::string bytes;
  bytes.reserve(ids.size() * 4);
  if (!ids.empty()) impl_->append_bytes(ids.front(), options.show_special, bytes);
  if (impl_->model->adds_space() && bytes.starts_with(' ')) bytes.erase(0, 1);
  for (std::size_t i = 1; i < ids.size(); ++i) impl_->append_bytes(ids[i], options.show_special, bytes);
  impl_->model->tidy(bytes);
  return bytes;
}

result<encoded_pair> tokenizer::encode_pair(std::string_view a, std::string_view b, pair_options const& options) const {
  auto const& vocab = impl_->vocab;
  bool const opens = vocab.cls || vocab.adds_bos;
  token_id const opening = vocab.cls ? *vocab.cls : vocab.bos.value_or(0);
  token_id const separator = vocab.sep ? *vocab.sep : vocab.eos.value_or(0);
  if (!vocab.sep && !vocab.adds_eos)
    return error(errc::unsupported,
                 "cannot encode two texts as one: the vocabulary of " + vocab.file.name() +
                     " has no separator token; join them in a prompt instead",
                 "tokenizer.encode_pair", vocab.file.name());
  bool const twice = opens && vocab.piece(separator) == "</s>";  // RoBERTa's convention
  std::size_t const around = (opens ? 1 : 0) + (twice ? 3 : 2);

  encoded_pair pair;
  auto first = encode(a), second = encode(b);
  if (options.tokens_max > 0) {
    if (options.tokens_max < around)
      return error(errc::invalid_argument,
                   "cannot encode two texts as one: tokens_max is " + std::to_string(options.tokens_max) + ", but " +
                       std::to_string(around) + " tokens stand around them",
                   "tokenizer.encode_pair");
    pair.truncated = cut_to(first, second, options.tokens_max - around);
  }
  auto& ids = pair.ids;
  ids.reserve(first.size() + second.size() + around);
  if (opens) ids.push_back(opening);
  ids.insert(ids.end(), first.begin(), first.end());
  ids.insert(ids.end(), twice ? 2 : 1, separator);
  pair.type_ids.assign(ids.size(), 0);
  ids.insert(ids.end(), second.begin(), second.end());
  ids.push_back(separator);
  pair.type_ids.resize(ids.size(), impl_->tells_texts_apart ? 1 : 0);
  return pair;
}

std::string tokenizer::token_bytes(token_id id, decode_options const& options) const {
  std::string bytes;
  impl_->append_bytes(id, options.show_special, bytes);
  return bytes;
}

std::size_t tokenizer::size() const noexcept { return impl_->vocab.size(); }
token_kind tokenizer::kind(token_id id) const {
  return impl_->vocab.contains(id) ? impl_->vocab.kind(id) : token_kind::unused;
}
std::string_view tokenizer::piece(token_id id) const {
  return impl_->vocab.contains(id) ? impl_->vocab.piece(id) : std::string_view();
}
std::optional<token_id> tokenizer::find(std::string_view piece) const { return impl_->vocab.find(piece); }
std::optional<token_id> tokenizer::bos() const noexcept { return impl_->vocab.bos; }
std::optional<token_id> tokenizer::eos() const noexcept { return impl_->vocab.eos; }
bool tokenizer::adds_bos() const noexcept { return impl_->vocab.adds_bos; }
bool tokenizer::adds_eos() const noexcept { return impl_->vocab.adds_eos; }
std::optional<token_id> tokenizer::unknown() const noexcept { return impl_->vocab.unknown; }
std::optional<token_id> tokenizer::cls() const noexcept { return impl_->vocab.cls; }
std::optional<token_id> tokenizer::sep() const noexcept { return impl_->vocab.sep; }
std::optional<token_id> tokenizer::pad() const noexcept { return impl_->vocab.pad; }
std::optional<token_id> tokenizer::mask() const noexcept { return impl_->vocab.mask; }
std::span<token_id const> tokenizer::end_of_generation() const noexcept { return impl_->vocab.ends_of_generation; }
std::string_view tokenizer::family() const noexcept { return impl_->family; }

}  // namespace wherry::inline v0
