#include "engine/merge.hpp"

#include "engine/tensor_rows.hpp"
#include "gguf/aside_file.hpp"
#include "gguf/gguf_access.hpp"
#include "gguf/gguf_header.hpp"

namespace wherry::inline v0::engine {
namespace {

// row += strength * scale * (row of B) A, in double precision.
void add_product(std::vector<double>& row, adapter_pair const& pair, std::size_t index, float strength) {
  double const scale = double{strength} * pair.scale;
  for (std::size_t k = 0; k < pair.rank; ++k) {
    double const b = scale * pair.up[index * pair.rank + k];
    for (std::size_t c = 0; c < pair.columns; ++c) row[c] += b * pair.down[k * pair.columns + c];
  }
}

struct chosen_pair {
  adapter_pair const* pair;
  float strength;
};

std::vector<chosen_pair> pairs_of(active_adapters adapters, std::size_t tensor) {
  std::vector<chosen_pair> out;
  for (auto const& active : adapters)
    if (auto const found = active.adapter->pairs.find(tensor); found != active.adapter->pairs.end())
      out.push_back({&found->second, active.strength});
  return out;
}

result<void> write_tensor(detail::aside_file& out, tensor_info const& tensor, std::vector<chosen_pair> const& pairs) {
  std::size_t const columns = tensor.shape[0], rows = tensor.element_count() / columns;
  std::size_t const row_bytes = tensor.data.size() / rows;
  std::vector<float> plain(columns);
  std::vector<double> sum(columns);
  std::vector<std::uint8_t> packed(row_bytes);
  for (std::size_t r = 0; r < rows && !pairs.empty(); ++r) {
    unpack_row(tensor.type, tensor.data.data() + r * row_bytes, plain);
    sum.assign(plain.begin(), plain.end());
    for (auto const& one : pairs) add_product(sum, *one.pair, r, one.strength);
    plain.assign(sum.begin(), sum.end());
    pack_row(tensor.type, plain, packed);
    if (auto written = out.write(packed); !written) return written;
  }
  if (pairs.empty())
    if (auto written = out.write(tensor.data); !written) return written;
  static constexpr std::uint8_t zeros[detail::gguf_alignment_default] = {};
  std::size_t const size = tensor.data.size();
  return out.write(std::span(zeros).first(detail::align_up(size, detail::gguf_alignment_default) - size));
}

}  // namespace

result<void> write_merged(gguf_file const& model, active_adapters adapters, std::filesystem::path const& to) {
  detail::byte_vector metadata;
  std::uint64_t entries = 0;
  for (auto const key : model.keys()) {
    if (key == "general.alignment" || key.starts_with("split.")) continue;
    auto const entry = detail::gguf_access::raw_entry(model, key);
    detail::put_bytes(metadata, entry.data(), entry.size());
    ++entries;
  }
  std::vector<detail::tensor_head> heads;
  for (std::size_t i = 0; i < model.tensors().size(); ++i) {
    auto const& tensor = model.tensors()[i];
    if (!pairs_of(adapters, i).empty() && !can_pack(tensor.type))
      return error(errc::unsupported,
                   "cannot merge: the adapted tensor '" + tensor.name + "' is " + to_string(tensor.type) +
                       ", which cannot be written; merge into a file with weights in one of " + packable_type_names(),
                   "adapter.merge", model.name());
    heads.push_back({tensor.name, tensor.type, tensor.shape});
  }
  auto out = detail::aside_file::create(to);
  if (!out) return out.error();
  if (auto written = out->write(detail::make_gguf_header(metadata, entries, heads)); !written) return written;
  for (std::size_t i = 0; i < model.tensors().size(); ++i)
    if (auto written = write_tensor(*out, model.tensors()[i], pairs_of(adapters, i)); !written) return written;
  return out->commit();
}

}  // namespace wherry::inline v0::engine
