// Fuzz entry: any bytes as a model file. It is refused, or everything in it can be read.

#include <wherry/llm/gguf.hpp>

#include <cstddef>
#include <cstdint>

int wherry_fuzz_gguf(std::uint8_t const* data, std::size_t size) {
  using namespace wherry;
  auto const file = gguf_file::from_bytes({data, data + size}, "fuzz");
  if (!file) return 0;
  std::size_t volatile sum = 0;  // the reads must not be optimised away
  for (auto const key : file->keys()) {
    sum = sum + file->describe(key).size();
    if (auto const strings = file->find_strings(key)) sum = sum + strings->size();
    if (auto const floats = file->find_floats(key)) sum = sum + floats->size();
    if (auto const ints = file->find_ints(key)) sum = sum + ints->size();
  }
  for (auto const& tensor : file->tensors()) {
    if (file->find_tensor(tensor.name) != &tensor) __builtin_trap();
    sum = sum + tensor.data.front() + tensor.data.back();
  }
  return 0;
}
