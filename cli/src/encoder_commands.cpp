// wherry embed and wherry rerank.

#include "commands.hpp"
#include "model_choice.hpp"
#include "outcome.hpp"
#include "terminal.hpp"

#include <wherry/core/json.hpp>
#include <wherry/llm/local_encoder.hpp>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <sstream>

namespace wherry::cli {
namespace {

constexpr std::size_t lines_max = 100'000;  // texts from standard input
constexpr std::size_t compared_max = 12;    // texts whose likeness is shown as a table
constexpr std::size_t shown_columns = 60;

// Texts given as arguments, else the lines of standard input.
result<std::vector<std::string>> texts_of(settings const& given) {
  auto texts = given.texts;
  if (texts.empty() && input_is_terminal())
    return error{errc::invalid_argument, "give at least one TEXT, or lines on standard input", "texts"};
  if (texts.empty())
    for (std::string line; std::getline(std::cin, line);) {
      if (texts.size() == lines_max)
        return error{errc::limit_reached, "more than " + std::to_string(lines_max) + " lines on standard input",
                     "texts"};
      texts.push_back(std::move(line));
    }
  return texts;
}

result<local_encoder> load_encoder(settings const& given) {
  auto const file = model_file(given.model);
  if (!file) return file.error();
  local_encoder_options options;
  options.kernels = given.model.kernels;
  options.threads = given.model.threads;
  options.query_prefix = options.document_prefix = given.prefix;
  slow_work const telling("loading " + file->string());
  return local_encoder::open(*file, options);
}

std::string fixed(double value, int digits) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

double likeness(std::span<float const> a, std::span<float const> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

void show_vectors(std::vector<std::string> const& texts, embeddings const& vectors) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::string line = std::to_string(i + 1) + "  [";
    for (std::size_t d = 0; d < std::min<std::size_t>(vectors.dimensions, 4); ++d)
      line += (d ? ", " : "") + fixed(vectors[i][d], 4);
    put(line + ", ...] " + std::to_string(vectors.dimensions) + " floats  " + one_line(texts[i], shown_columns) + '\n');
  }
  if (texts.size() < 2 || texts.size() > compared_max) return;
  put("\nLikeness (cosine):\n");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::string line = std::to_string(i + 1) + std::string(i < 9 ? 2 : 1, ' ');
    for (std::size_t j = 0; j < texts.size(); ++j) {
      auto const value = fixed(likeness(vectors[i], vectors[j]), 3);
      line += std::string(8 - std::min<std::size_t>(value.size(), 7), ' ') + value;
    }
    put(line + '\n');
  }
}

}  // namespace

int embed_command(settings const& given) {
  auto const texts = texts_of(given);
  if (!texts) return report(texts.error(), given.output.as_json);
  auto const model = load_encoder(given);
  if (!model) return report(model.error(), given.output.as_json);
  auto const embedder = model->as_embedder();
  if (!embedder) return report(embedder.error(), given.output.as_json);
  slow_work const telling("embedding " + std::to_string(texts->size()) + " texts");
  auto const vectors = (*embedder)->embed(*texts, given.as_query ? text_purpose::query : text_purpose::document,
                                          {.overlong = given.shorten ? overlong_text::shorten : overlong_text::refuse});
  if (!vectors) return report(vectors.error(), given.output.as_json);
  if (!given.output.as_json) {
    show_vectors(*texts, *vectors);
    return exit_ok;
  }
  json out;
  out["model"] = model->info().name;
  out["fingerprint"] = model->info().fingerprint;
  out["dimensions"] = vectors->dimensions;
  out["tokens"] = vectors->token_count;
  out["embeddings"] = json::array();
  for (std::size_t i = 0; i < texts->size(); ++i)
    out["embeddings"].push_back(std::vector<float>((*vectors)[i].begin(), (*vectors)[i].end()));
  put_raw(to_text(out) + '\n');
  return exit_ok;
}

int rerank_command(settings const& given) {
  auto const texts = texts_of(given);
  if (!texts) return report(texts.error(), given.output.as_json);
  auto const model = load_encoder(given);
  if (!model) return report(model.error(), given.output.as_json);
  auto const reranker = model->as_reranker();
  if (!reranker) return report(reranker.error(), given.output.as_json);
  slow_work const telling("ranking " + std::to_string(texts->size()) + " texts");
  auto const scores = (*reranker)->score(given.text.value_or(""), *texts,
                                         {.overlong = given.shorten ? overlong_text::shorten : overlong_text::refuse});
  if (!scores) return report(scores.error(), given.output.as_json);
  std::vector<std::size_t> order(texts->size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return (*scores)[a] > (*scores)[b]; });
  json ranked = json::array();
  for (auto const i : order) {
    if (given.output.as_json)
      ranked.push_back({{"index", i}, {"score", (*scores)[i]}, {"text", (*texts)[i]}});
    else
      put(fixed((*scores)[i], 4) + "  " + one_line((*texts)[i], terminal_columns()) + '\n');
  }
  if (given.output.as_json) put_raw(to_text(ranked) + '\n');
  return exit_ok;
}

}  // namespace wherry::cli
