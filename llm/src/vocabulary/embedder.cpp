#include <wherry/llm/embedder.hpp>

#include <wherry/core/runtime.hpp>

namespace wherry::inline v0 {

result<embeddings> embedder::embed(std::vector<std::string> texts, text_purpose purpose, encode_text_options options) {
  return run_blocking(async_embed(std::move(texts), purpose, options), "embedder::embed", "embedder::async_embed");
}

result<std::vector<float>> reranker::score(std::string query, std::vector<std::string> texts,
                                           encode_text_options options) {
  return run_blocking(async_score(std::move(query), std::move(texts), options), "reranker::score",
                      "reranker::async_score");
}

result<std::vector<std::vector<label_score>>> classifier::classify(std::vector<std::string> texts,
                                                                   encode_text_options options) {
  return run_blocking(async_classify(std::move(texts), options), "classifier::classify", "classifier::async_classify");
}

}  // namespace wherry::inline v0
