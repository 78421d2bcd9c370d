// Seeds for the GGUF entry: whole small files.

#include <wherry/llm/gguf.hpp>

#include <cstdint>
#include <string>
#include <vector>

std::vector<std::string> fuzz_seeds() {
  wherry::gguf_writer w;
  w.add("general.architecture", "llama");
  w.add("llama.context_length", std::uint32_t{64});
  w.add("tokenizer.ggml.model", "llama");
  w.add("tokenizer.ggml.tokens",
        std::vector<std::string>{"<unk>", "<s>", "</s>", "<0x41>", "\xE2\x96\x81", "a", "b", "ab"});
  w.add("tokenizer.ggml.scores", std::vector<float>{0, 0, 0, 0, -1, -2, -3, -4});
  w.add("tokenizer.ggml.token_type", std::vector<std::int32_t>{2, 3, 3, 6, 1, 1, 1, 1});
  std::vector<std::uint8_t> const row(64);
  w.add_tensor("token_embd.weight", wherry::tensor_type::f32, {2, 8}, row);
  auto const image = w.bytes();
  return {std::string(image.begin(), image.end()), "GGUF", ""};
}
