// Finding texts by meaning: an embedder makes a vector of each text once, a re-ranker reads the best few together with
// the question. Both are transformers in this process.
//
// Without models this uses random weights, which know nothing but which words texts share. With real ones:
//   WHERRY_EMBEDDER=nomic-embed-text-v1.5.Q8_0.gguf WHERRY_RERANKER=bge-reranker-v2-m3-Q8_0.gguf

#include <wherry/llm/local_encoder.hpp>
#include <wherry/llm/random_model.hpp>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <numeric>

namespace w = wherry;

w::local_encoder open_or(char const* variable, w::random_encoder_options random) {
  if (char const* path = std::getenv(variable); path && *path) return w::local_encoder{path};
  return w::local_encoder::from(w::make_random_encoder(random).value()).value();
}

int main() {
  std::vector<std::string> const passages{"the boat is on the river", "money in the bank", "a train to the city",
                                          "water and people in the house"};
  std::string const question = "is the boat on the river ?";

  auto embedder = open_or("WHERRY_EMBEDDER", {}).as_embedder().value();
  auto const known = embedder->embed(passages).value();  // once, and kept
  auto const asked = embedder->embed({question}, w::text_purpose::query).value();

  std::vector<std::size_t> order(passages.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  auto const likeness = [&](std::size_t i) {  // unit vectors: their dot product is the cosine
    return std::inner_product(known[i].begin(), known[i].end(), asked[0].begin(), 0.0);
  };
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return likeness(a) > likeness(b); });
  std::cout << known.size() << " vectors of the same length\nnearest: " << passages[order[0]] << '\n';

  auto reranker = open_or("WHERRY_RERANKER", {.head_outputs = 1}).as_reranker().value();
  std::vector<std::string> const best{passages[order[0]], passages[order[1]]};
  auto const scores = reranker->score(question, best).value();
  std::cout << scores.size() << " scores, one for each of the best two\n";
}

// Expected output:
//   4 vectors of the same length
//   nearest: the boat is on the river
//   2 scores, one for each of the best two
