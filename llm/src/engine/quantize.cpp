#include <wherry/llm/quantize.hpp>

#include "engine/quantize_plan.hpp"
#include "engine/tensor_rows.hpp"
#include "engine/worker_pool.hpp"
#include "gguf/aside_file.hpp"
#include "gguf/file_image.hpp"
#include "gguf/gguf_access.hpp"
#include "gguf/gguf_header.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

namespace wherry::inline v0 {
namespace {

using namespace engine;

constexpr std::size_t piece_weights_max = 1 << 22;  // but a row at least
constexpr unsigned threads_default_max = 8;
constexpr std::uint32_t quantization_version = 2;  // of GGUF's block formats

// The largest magnitude that a type can hold.
float range_of(tensor_type type) {
  return type == tensor_type::f32 || type == tensor_type::bf16 ? std::numeric_limits<float>::max() : 65504.0f;
}

bool all_within(std::span<float const> row, float range) {
  return std::all_of(row.begin(), row.end(), [range](float v) { return std::abs(v) <= range; });  // false for NaN
}

struct metadata_bytes {
  detail::byte_vector bytes;
  std::uint64_t entries = 0;
};

// Everything the file says of itself, but for what changes: its type, its alignment, its split.
metadata_bytes rewrite_metadata(gguf_file const& file, std::uint32_t file_type) {
  metadata_bytes out;
  for (auto const key : file.keys()) {
    bool const changes = key == "general.file_type" || key == "general.quantization_version" ||
                         key == "general.alignment" || key.starts_with("split.");
    if (changes) continue;
    auto const entry = detail::gguf_access::raw_entry(file, key);
    detail::put_bytes(out.bytes, entry.data(), entry.size());
    ++out.entries;
  }
  detail::put_scalar(out.bytes, "general.quantization_version", detail::value_type::u32, quantization_version);
  detail::put_scalar(out.bytes, "general.file_type", detail::value_type::u32, file_type);
  out.entries += 2;
  return out;
}

class quantizer {
 public:
  quantizer(gguf_file const& file, quantize_options const& options)
      : file_(file), options_(options), pool_(thread_count(options.threads)), rows_(pool_.threads()) {
    for (auto const& tensor : file.tensors()) progress_.weights_total += tensor.element_count();
    report_.weights = progress_.weights_total;
  }

  result<quantize_report> run(std::filesystem::path const& to, quantization const& wanted) {
    auto const plan = plan_quantization(file_, wanted);
    if (auto possible = check(plan); !possible) return possible.error();
    std::vector<detail::tensor_head> heads;
    for (std::size_t i = 0; i < plan.size(); ++i)
      heads.push_back({file_.tensors()[i].name, plan[i].type, file_.tensors()[i].shape});

    auto out = detail::aside_file::create(to);
    if (!out) return out.error();
    auto const metadata = rewrite_metadata(file_, wanted.file_type);
    if (auto w = out->write(detail::make_gguf_header(metadata.bytes, metadata.entries, heads)); !w) return w.error();
    for (std::size_t i = 0; i < plan.size(); ++i) {
      if (auto w = write_tensor(*out, file_.tensors()[i], plan[i].type); !w) return w.error();
      report_.bytes_before += file_.tensors()[i].data.size();
      report_.bytes_after += detail::data_bytes(heads[i]);
      ++report_.tensors[to_string(plan[i].type)];
      report_.narrow += plan[i].narrow;
    }
    if (auto w = out->commit(); !w) return w.error();
    return std::move(report_);
  }

 private:
  static unsigned thread_count(unsigned asked) {
    return asked > 0 ? asked : std::clamp(std::thread::hardware_concurrency(), 1u, threads_default_max);
  }

  error refused(errc code, std::string what) const {
    return {code, "cannot quantise the model: " + std::move(what), "quantize", file_.name()};
  }

  result<void> check(std::vector<planned_tensor> const& plan) const {
    if (options_.requantize) return {};
    for (std::size_t i = 0; i < plan.size(); ++i) {
      auto const& tensor = file_.tensors()[i];
      bool const narrower = layout_of(plan[i].type).elements > 1;
      if (plan[i].type != tensor.type && narrower && layout_of(tensor.type).elements > 1)
        return refused(errc::invalid_argument, "its tensor '" + tensor.name + "' is " + to_string(tensor.type) +
                                                   " already, and quantising twice loses twice; begin with an F16 or "
                                                   "BF16 file, or ask for it (requantize)");
    }
    return {};
  }

  result<void> tell(std::string_view tensor) {
    progress_.tensor = tensor;
    if (options_.progress && !options_.progress(progress_)) return refused(errc::cancelled, "it was stopped");
    return {};
  }

  result<void> write_tensor(detail::aside_file& out, tensor_info const& tensor, tensor_type type) {
    std::size_t const columns = tensor.shape[0], rows = tensor.element_count() / columns;
    std::size_t const piece_rows = std::max<std::size_t>(1, piece_weights_max / columns);
    std::size_t written = 0;
    if (auto go_on = tell(tensor.name); !go_on) return go_on;
    for (std::size_t row = 0; row < rows; row += piece_rows) {
      std::size_t const count = std::min(piece_rows, rows - row);
      auto const from = tensor.data.subspan(row * (tensor.data.size() / rows), count * (tensor.data.size() / rows));
      auto const piece = type == tensor.type ? from : convert(tensor, from, row, count, type);
      if (failure_) return *failure_;
      if (auto w = out.write(piece); !w) return w;
      detail::file_image::forget(from);
      written += piece.size();
      progress_.weights_done += count * columns;
      if (auto go_on = tell(tensor.name); !go_on) return go_on;
    }
    static constexpr std::uint8_t zeros[detail::gguf_alignment_default] = {};
    return out.write(std::span(zeros).first(detail::align_up(written, detail::gguf_alignment_default) - written));
  }

  // `count` rows from `first` on, packed. Sets failure_ when a weight does not fit.
  std::span<std::uint8_t const> convert(tensor_info const& tensor, std::span<std::uint8_t const> from,
                                        std::size_t first, std::size_t count, tensor_type type) {
    std::size_t const columns = tensor.shape[0], from_bytes = from.size() / count;
    std::size_t const to_bytes = columns / layout_of(type).elements * layout_of(type).bytes;
    packed_.resize(count * to_bytes);
    std::atomic<std::size_t> wrong_row{count};
    std::size_t const grain = std::max<std::size_t>(1, (1 << 14) / columns);
    pool_.for_each_range(count, grain, [&](std::size_t begin, std::size_t end, unsigned worker) {
      auto& row = rows_[worker];
      row.resize(columns);
      for (std::size_t r = begin; r < end; ++r) {
        unpack_row(tensor.type, from.data() + r * from_bytes, row);
        if (all_within(row, range_of(type))) {
          pack_row(type, row, std::span(packed_).subspan(r * to_bytes, to_bytes));
          continue;
        }
        for (auto seen = wrong_row.load(); r < seen && !wrong_row.compare_exchange_weak(seen, r);) {
        }
      }
    });
    if (wrong_row < count)
      failure_ = refused(errc::invalid_argument,
                         "row " + std::to_string(first + wrong_row) + " of its tensor '" + tensor.name +
                             "' holds a weight that is not finite or too large for " + to_string(type));
    return packed_;
  }

  gguf_file const& file_;
  quantize_options const& options_;
  worker_pool pool_;
  std::vector<std::vector<float>> rows_;  // one for each thread
  std::vector<std::uint8_t> packed_;
  std::optional<error> failure_;
  quantize_progress progress_;
  quantize_report report_;
};

}  // namespace

std::string quantize_type_names() { return quantization_names(); }

result<quantize_report> quantize_model(std::filesystem::path const& from, std::filesystem::path const& to,
                                       std::string_view type, quantize_options const& options) {
  auto const wanted = find_quantization(type);
  if (!wanted)
    return error(errc::invalid_argument,
                 "cannot quantise to '" + std::string(type) + "'; the types are " + quantize_type_names(), "quantize");
  auto const file = gguf_file::open(from);
  if (!file) return file.error();
  return quantizer(*file, options).run(to, *wanted);
}

}  // namespace wherry::inline v0
