// One model, several adapters: LoRA adds a small low-rank change to frozen weights, and each agent chooses its own. The
// weights are in memory once.
//
// Without a model this uses random weights and random adapters. With real ones name the model in WHERRY_MODEL and its
// adapter (a GGUF file, or PEFT's folder) in WHERRY_ADAPTER.

#include <wherry/agent/agent.hpp>
#include <wherry/llm/local_model.hpp>
#include <wherry/llm/random_model.hpp>

#include <cstdlib>
#include <iostream>

namespace w = wherry;

int main() {
  char const* path = std::getenv("WHERRY_MODEL");
  auto const file = path && *path ? w::gguf_file::open(path).value() : w::make_random_model().value();
  auto llm = w::local_model::from(file).value();
  if (char const* adapter = std::getenv("WHERRY_ADAPTER"); adapter && *adapter)
    llm.load_adapter("tone", std::filesystem::path(adapter)).value();
  else
    llm.load_adapter("tone", w::make_random_adapter(file).value()).value();

  auto const ask = [](std::shared_ptr<w::model> model) {
    auto desk = w::agent{model, "Answer in a few words."}.limits({.step_tokens = 12}).sampling({.temperature = 0});
    return desk.run("How is the river today?").value().output;
  };
  auto const plain = ask(llm);
  auto const toned = ask(llm.with_adapters({{"tone"}}).value());
  auto const half = ask(llm.with_adapters({{"tone", 0.5f}}).value());
  auto const off = ask(llm.with_adapters({{"tone", 0.0f}}).value());

  std::cout << "with the adapter the answer " << (toned == plain ? "is the same" : "differs") << '\n'
            << "at half its strength it " << (half == toned ? "is the same" : "differs again") << '\n'
            << "at strength 0 the model " << (off == plain ? "is itself" : "has changed") << '\n';
}

// Expected output:
//   with the adapter the answer differs
//   at half its strength it differs again
//   at strength 0 the model is itself
