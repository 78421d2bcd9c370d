#include "engine/tensor_taker.hpp"

#include "engine/tensor_rows.hpp"

#include <algorithm>
#include <sstream>

namespace wherry::inline v0::engine {
namespace {

std::string shape_text(std::vector<std::uint64_t> const& shape) {
  std::ostringstream out;
  for (std::size_t i = 0; i < shape.size(); ++i) out << (i ? " x " : "") << shape[i];
  return out.str();
}

}  // namespace

matrix matrix::slice(std::size_t first, std::size_t count) const noexcept {
  if (!data) return {};
  matrix part = *this;
  part.rows = count;
  part.data = data + first * row_bytes;
  part.place.first_row += first;
  return part;
}

linear linear::slice(std::size_t first, std::size_t count) const noexcept {
  return {weight.slice(first, count), bias.empty() ? bias : bias.subspan(first, count)};
}

matrix tensor_taker::view(tensor_info const& tensor, std::size_t rows, std::size_t columns) {
  auto const product = matmul_for(kernels_, tensor.type);
  if (!product) {
    fail(errc::unsupported, "its tensor '" + tensor.name + "' has type " + to_string(tensor.type) + "; supported are " +
                                supported_weight_types());
    return {};
  }
  matrix m;
  m.type = tensor.type;
  m.rows = rows;
  m.columns = columns;
  m.row_bytes = static_cast<std::size_t>(tensor.data.size() / (tensor.element_count() / columns));
  m.data = tensor.data.data();
  m.product = product;
  m.place.tensor = static_cast<std::size_t>(&tensor - file_.tensors().data());
  return m;
}

std::size_t tensor_taker::rows_of(std::string const& name) const {
  auto const* tensor = file_.find_tensor(name);
  return tensor && tensor->shape.size() == 2 ? tensor->shape[1] : 0;
}

matrix tensor_taker::take_matrix(std::string const& name, std::size_t rows, std::size_t columns) {
  auto const* tensor = take(name, {columns, rows});
  return tensor ? view(*tensor, rows, columns) : matrix{};
}

std::vector<matrix> tensor_taker::take_matrices(std::string const& name, std::size_t count, std::size_t rows,
                                                std::size_t columns) {
  std::vector<matrix> out(count);
  auto const* tensor = take(name, {columns, rows, count});
  if (!tensor) return out;
  auto const all = view(*tensor, rows * count, columns);
  for (std::size_t i = 0; i < count; ++i) out[i] = all.slice(i * rows, rows);
  return out;
}

std::vector<float> tensor_taker::take_floats(std::string const& name, std::size_t rows, std::size_t columns) {
  std::vector<float> out(rows * columns);
  auto const all = take_matrix(name, rows, columns);
  if (!all) return out;
  for (std::size_t r = 0; r < rows; ++r)
    unpack_row(all.type, all.data + r * all.row_bytes, std::span(out).subspan(r * columns, columns));
  return out;
}

std::span<float const> tensor_taker::take_vector(std::string const& name, std::size_t size) {
  auto const* tensor = take(name, {size});
  if (!tensor) return {};
  if (tensor->type != tensor_type::f32) {
    fail(errc::unsupported, "its vector '" + name + "' has type " + to_string(tensor->type) + "; supported is F32");
    return {};
  }
  return {reinterpret_cast<float const*>(tensor->data.data()), size};  // GGUF aligns tensors to 8 bytes or more
}

linear tensor_taker::take_linear(std::string const& name, std::size_t rows, std::size_t columns, bool needs_bias) {
  linear out;
  out.weight = take_matrix(name + ".weight", rows, columns);
  out.bias = needs_bias ? take_vector(name + ".bias", rows) : find_vector(name + ".bias", rows);
  return out;
}

norm_weights tensor_taker::take_norm(std::string const& name, std::size_t size) {
  norm_weights out;
  out.weight = take_vector(name + ".weight", size);
  if (config_.architecture->norm == norm_kind::layer) out.bias = take_vector(name + ".bias", size);
  return out;
}

std::span<float const> tensor_taker::find_vector(std::string const& name, std::size_t size) {
  return has(name) ? take_vector(name, size) : std::span<float const>{};
}

norm_weights tensor_taker::find_norm(std::string const& name, std::size_t size) {
  return has(name + ".weight") ? take_norm(name, size) : norm_weights{};
}

void tensor_taker::fail(errc code, std::string what) {
  if (!failure_) failure_ = error(code, "cannot use the model: " + std::move(what), "transformer.load", file_.name());
}

result<void> tensor_taker::finish() {
  auto const tensors = file_.tensors();
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (!taken_[i])
      fail(errc::unsupported,
           "its tensor '" + tensors[i].name + "' has no place in the architectures this build knows");
  if (failure_) return *failure_;
  return {};
}

tensor_info const* tensor_taker::take(std::string const& name, std::vector<std::uint64_t> shape) {
  auto const* tensor = file_.find_tensor(name);
  if (!tensor) {
    fail(errc::corrupt_file, "its tensor '" + name + "' is missing");
    return nullptr;
  }
  taken_[static_cast<std::size_t>(tensor - file_.tensors().data())] = true;
  if (tensor->shape == shape) return tensor;
  // A single row may be stored as a vector.
  if (shape.size() == 2 && shape[1] == 1 && tensor->shape == std::vector{shape[0]}) return tensor;
  fail(errc::corrupt_file, "its tensor '" + name + "' has shape " + shape_text(tensor->shape) +
                               " where its metadata asks for " + shape_text(shape));
  return nullptr;
}

}  // namespace wherry::inline v0::engine
