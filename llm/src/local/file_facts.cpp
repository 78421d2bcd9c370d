#include "local/file_facts.hpp"

#include <wherry/core/hash.hpp>

#include <algorithm>
#include <map>
#include <thread>

namespace wherry::inline v0 {
namespace local {
namespace {

constexpr std::size_t fingerprint_bytes = 4'096;  // of each tensor that enter the fingerprint
constexpr std::size_t threads_default_max = 8;

}  // namespace

std::string fingerprint_of(gguf_file const& file, kernel_set kernels) {
  std::string text;
  for (auto const& t : file.tensors()) {
    text += t.name + '\n' + to_string(t.type);
    for (auto const n : t.shape) text += ' ' + std::to_string(n);
    auto const head = t.data.first(std::min(t.data.size(), fingerprint_bytes));
    text.append(reinterpret_cast<char const*>(head.data()), head.size());
  }
  for (auto const key : file.keys()) text += std::string(key) + '=' + file.describe(key, 256) + '\n';
  return content_hash(text).substr(0, 16) + '-' + std::string(to_string(kernels));
}

std::string most_common_type(gguf_file const& file) {
  std::map<tensor_type, std::uint64_t> weights;
  for (auto const& t : file.tensors()) weights[t.type] += t.element_count();
  auto const most = std::max_element(weights.begin(), weights.end(),
                                     [](auto const& a, auto const& b) { return a.second < b.second; });
  return most == weights.end() ? "none" : to_string(most->first);
}

std::size_t parameters_of(gguf_file const& file) noexcept {
  std::size_t count = 0;
  for (auto const& tensor : file.tensors()) count += tensor.element_count();
  return count;
}

std::size_t threads_for(std::size_t asked) noexcept {
  std::size_t const cores = std::max(1u, std::thread::hardware_concurrency());
  return asked ? asked : std::min(cores, threads_default_max);
}

}  // namespace local
}  // namespace wherry::inline v0
