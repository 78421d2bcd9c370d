#include "gguf/gguf_header.hpp"

#include <cassert>

namespace wherry::inline v0::detail {

std::uint64_t data_bytes(tensor_head const& tensor) {
  auto const layout = layout_of(tensor.type);
  assert(layout.elements != 0 && !tensor.shape.empty() && tensor.shape.size() <= dimensions_max);
  assert(tensor.shape[0] % layout.elements == 0);
  std::uint64_t bytes = tensor.shape[0] / layout.elements * layout.bytes;
  for (std::size_t d = 1; d < tensor.shape.size(); ++d) bytes *= tensor.shape[d];
  return bytes;
}

byte_vector make_gguf_header(std::span<std::uint8_t const> metadata, std::uint64_t entry_count,
                             std::span<tensor_head const> tensors) {
  byte_vector out;
  put_bytes(out, gguf_magic.data(), gguf_magic.size());
  put(out, gguf_version_max);
  put(out, static_cast<std::uint64_t>(tensors.size()));
  put(out, entry_count);
  put_bytes(out, metadata.data(), metadata.size());
  std::uint64_t offset = 0;
  for (auto const& tensor : tensors) {
    put_text(out, tensor.name);
    put(out, static_cast<std::uint32_t>(tensor.shape.size()));
    for (auto const extent : tensor.shape) put(out, extent);
    put(out, tensor.type);
    put(out, offset);
    offset += align_up(data_bytes(tensor), gguf_alignment_default);
  }
  out.resize(align_up(out.size(), gguf_alignment_default));
  return out;
}

}  // namespace wherry::inline v0::detail
