// Fuzz entry: any bytes as a safetensors file. It is refused, or everything in it can be read.

#include "gguf/safetensors_file.hpp"

#include <cstddef>
#include <cstdint>

int wherry_fuzz_safetensors(std::uint8_t const* data, std::size_t size) {
  using namespace wherry;
  auto const file = detail::safetensors_file::from_bytes({data, data + size}, "fuzz");
  if (!file) return 0;
  std::size_t volatile sum = 0;  // the reads must not be optimised away
  for (auto const& tensor : file->tensors()) {
    if (file->find(tensor.name) != &tensor) __builtin_trap();
    std::uint64_t count = 1;
    for (auto extent : tensor.shape) count *= extent;
    if (count != tensor.element_count()) __builtin_trap();
    for (auto byte : tensor.data) sum = sum + byte;
  }
  return 0;
}
