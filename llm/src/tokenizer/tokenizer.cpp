#include <wherry/llm/tokenizer.hpp>

#include "tokenizer/pre_tokenizer.hpp"
#include "tokenizer/special_matcher.hpp"
#include "tokenizer/text_model.hpp"

#include <algorithm>

namespace wherry::inline v0 {

using namespace detail;

struct tokenizer::impl {
  explicit impl(vocabulary v) : vocab(std::move(v)), specials(vocab) {}

  vocabulary vocab;
  special_matcher specials;
  std::unique_ptr<text_model> model;  // refers to vocab
  std::string family;

  std::vector<token_id> encode(std::string_view text, std::vector<byte_range> const& permitted, bool add_special) const;
  std::string bytes_of(token_id id, bool show_special) const;
};

namespace {

// What tokenizer.ggml.model names, beyond the two that work.
std::string unsupported_model(std::string_view model) {
  std::string what = "the tokenizer model '" + std::string(model) + "'";
  if (model == "t5") what += " (Unigram)";
  if (model == "bert") what += " (WordPiece)";
  return what + " is not supported yet; supported are llama (SentencePiece BPE) and gpt2 (byte-level BPE)";
}

}  // namespace

result<tokenizer> tokenizer::from(gguf_file const& file) {
  auto const model = file.find_string("tokenizer.ggml.model");
  if (!model) return vocabulary_error(errc::unsupported, "the file declares no tokenizer.ggml.model", file);
  bool const spm = *model == "llama";
  if (!spm && *model != "gpt2") return vocabulary_error(errc::unsupported, unsupported_model(*model), file);

  auto const pre_name = file.find_string("tokenizer.ggml.pre").value_or("default");
  auto const* pre = find_pre_tokenizer(pre_name);
  if (!spm && !pre)
    return vocabulary_error(errc::unsupported,
                            "the pre-tokenizer '" + std::string(pre_name) + "' is not supported; supported are " +
                                supported_pre_tokenizers(),
                            file);

  vocabulary::defaults absent;
  if (spm)
    absent = {.bos = 1, .eos = 2, .unknown = 0, .adds_bos = true};  // SentencePiece's own
  else
    absent.adds_bos = pre->adds_bos;
  auto vocab = vocabulary::load(file, absent);
  if (!vocab) return vocab.error();

  auto built = std::make_shared<impl>(std::move(*vocab));
  auto text = spm ? make_spm_model(built->vocab) : make_byte_bpe_model(built->vocab, *pre);
  if (!text) return text.error();
  built->model = std::move(*text);
  built->family = spm ? "spm" : "bpe:" + std::string(pre_name);
  return tokenizer(std::move(built));
}

std::vector<token_id> tokenizer::impl::encode(std::string_view text, std::vector<byte_range> const& permitted,
                                              bool add_special) const {
  std::vector<token_id> ids;
  if (add_special && vocab.adds_bos) ids.push_back(*vocab.bos);
  std::size_t done = 0;
  for (auto const& match : specials.find(text, permitted)) {
    if (match.bytes.begin > done) model->encode(text.substr(done, match.bytes.begin - done), true, ids);
    ids.push_back(match.id);
    done = match.bytes.end;
  }
  if (done < text.size()) model->encode(text.substr(done), true, ids);
  if (add_special && vocab.adds_eos) ids.push_back(*vocab.eos);
  return ids;
}

std::string tokenizer::impl::bytes_of(token_id id, bool show_special) const {
  if (!vocab.contains(id)) return {};
  switch (vocab.kind(id)) {
    case token_kind::control:
    case token_kind::unknown: return show_special ? std::string(vocab.piece(id)) : std::string();
    case token_kind::user_defined: return std::string(vocab.piece(id));
    case token_kind::normal:
    case token_kind::byte: return model->bytes_of(id);
    case token_kind::unused: break;
  }
  return {};
}

std::vector<token_id> tokenizer::encode(std::string_view text, encode_options const& options) const {
  std::vector<byte_range> permitted;
  if (options.parse_special && !text.empty()) permitted.push_back({0, text.size()});
  return impl_->encode(text, permitted, options.add_special);
}

std::vector<token_id> tokenizer::encode(std::span<encode_piece const> pieces, bool add_special) const {
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
  return impl_->encode(text, permitted, add_special);
}

std::string tokenizer::decode(std::span<token_id const> ids, decode_options const& options) const {
  std::string bytes;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    auto const piece = impl_->bytes_of(ids[i], options.show_special);
    bool const added_space = i == 0 && impl_->model->adds_space() && piece.starts_with(' ');
    bytes.append(piece, added_space ? 1 : 0);
  }
  return bytes;
}

std::string tokenizer::token_bytes(token_id id, decode_options const& options) const {
  return impl_->bytes_of(id, options.show_special);
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
std::span<token_id const> tokenizer::end_of_generation() const noexcept { return impl_->vocab.ends_of_generation; }
std::string_view tokenizer::family() const noexcept { return impl_->family; }

}  // namespace wherry::inline v0
