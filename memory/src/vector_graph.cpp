#include "vector_graph.hpp"

#include "bytes.hpp"

// hnswlib's prefetches read a link past the end of a node's list; distances are ours, so nothing else is lost.
#define NO_MANUAL_VECTORIZATION
#include <hnswlib/hnswlib.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <queue>

namespace wherry::inline v0::memory_detail {
namespace {

struct space_shape {
  vector_form form;
  std::size_t dimensions;
};

float distance(void const* a, void const* b, void const* shape) {
  auto const& s = *static_cast<space_shape const*>(shape);
  return 1 - packed_dot(s.form, s.dimensions, static_cast<char const*>(a), static_cast<char const*>(b));
}

class packed_space final : public hnswlib::SpaceInterface<float> {
 public:
  packed_space(vector_form form, std::size_t dimensions) : shape_{form, dimensions} {}
  size_t get_data_size() override { return packed_bytes(shape_.form, shape_.dimensions); }
  hnswlib::DISTFUNC<float> get_dist_func() override { return distance; }
  void* get_dist_func_param() override { return &shape_; }

 private:
  space_shape shape_;
};

class number_filter final : public hnswlib::BaseFilterFunctor {
 public:
  explicit number_filter(vector_graph::admits const& admits) : admits_(admits) {}
  bool operator()(hnswlib::labeltype label) override { return admits_(static_cast<std::uint32_t>(label)); }

 private:
  vector_graph::admits const& admits_;
};

using graph = hnswlib::HierarchicalNSW<float>;

constexpr std::size_t growth_min = 1024;
constexpr int level_max = 64;

error damaged(char const* what) {
  return error{errc::store_damaged, std::string("an image of a vector graph ") + what, "vector_graph"};
}

}  // namespace

struct vector_graph::impl {
  packed_space space;
  std::unique_ptr<graph> index;

  impl(vector_form form, std::size_t dimensions, std::size_t capacity)
      : space(form, dimensions),
        index(
            std::make_unique<graph>(&space, std::max(capacity, growth_min), graph_links, graph_construction_breadth)) {
    index->setEf(graph_search_breadth);
  }
};

vector_graph::vector_graph(vector_form form, std::size_t dimensions, std::size_t capacity)
    : impl_(std::make_unique<impl>(form, dimensions, capacity)) {}
vector_graph::vector_graph(vector_graph&&) noexcept = default;
vector_graph& vector_graph::operator=(vector_graph&&) noexcept = default;
vector_graph::~vector_graph() = default;

std::size_t vector_graph::size() const { return impl_->index->cur_element_count; }
std::size_t vector_graph::removed() const { return impl_->index->num_deleted_; }

std::vector<std::uint32_t> vector_graph::numbers() const {
  std::vector<std::uint32_t> out;
  for (auto const& [label, place] : impl_->index->label_lookup_)
    if (!impl_->index->isMarkedDeleted(place)) out.push_back(static_cast<std::uint32_t>(label));
  std::sort(out.begin(), out.end());
  return out;
}

bool vector_graph::contains(std::uint32_t number) const {
  auto const at = impl_->index->label_lookup_.find(number);
  return at != impl_->index->label_lookup_.end() && !impl_->index->isMarkedDeleted(at->second);
}

bool vector_graph::holds(std::uint32_t number, std::string_view packed) const {
  auto const at = impl_->index->label_lookup_.find(number);
  return at != impl_->index->label_lookup_.end() && !impl_->index->isMarkedDeleted(at->second) &&
         packed.size() == impl_->space.get_data_size() &&
         std::memcmp(impl_->index->getDataByInternalId(at->second), packed.data(), packed.size()) == 0;
}

void vector_graph::add(std::uint32_t number, char const* packed) {
  auto& index = *impl_->index;
  if (auto const known = index.label_lookup_.find(number); known != index.label_lookup_.end()) {
    if (index.isMarkedDeleted(known->second)) index.unmarkDelete(number);
    index.addPoint(packed, number);  // takes the new vector and mends the links
    return;
  }
  if (index.cur_element_count == index.max_elements_) index.resizeIndex(index.max_elements_ * 3 / 2);
  index.addPoint(packed, number);
}

void vector_graph::remove(std::uint32_t number) {
  if (contains(number)) impl_->index->markDelete(number);
}

char const* vector_graph::packed(std::uint32_t number) const {
  auto const at = impl_->index->label_lookup_.find(number);
  return at == impl_->index->label_lookup_.end() ? nullptr : impl_->index->getDataByInternalId(at->second);
}

std::vector<scored_number> vector_graph::search(char const* packed, std::size_t count, admits const& filter) const {
  if (size() == 0 || count == 0) return {};
  number_filter functor(filter);
  auto found = impl_->index->searchKnn(packed, count, filter ? &functor : nullptr);
  std::vector<scored_number> out(found.size());
  for (auto place = out.size(); place-- > 0; found.pop())
    out[place] = {static_cast<std::uint32_t>(found.top().second), 1 - found.top().first};
  return out;
}

std::string vector_graph::image() const {
  auto const& index = *impl_->index;
  std::size_t const count = index.cur_element_count;
  std::size_t levels_above = 0;
  for (std::size_t i = 0; i < count; ++i) levels_above += static_cast<std::size_t>(index.element_levels_[i]);
  std::string out;
  out.reserve((5 + count) * sizeof(std::uint32_t) + count * index.size_data_per_element_ +
              levels_above * index.size_links_per_element_);
  put_be(out, static_cast<std::uint32_t>(count));
  put_be(out, static_cast<std::uint32_t>(index.size_data_per_element_));
  put_be(out, static_cast<std::uint32_t>(index.size_links_per_element_));
  put_be(out, static_cast<std::uint32_t>(index.maxlevel_));
  put_be(out, static_cast<std::uint32_t>(index.enterpoint_node_));
  out.append(index.data_level0_memory_, count * index.size_data_per_element_);
  for (std::size_t i = 0; i < count; ++i) {
    auto const levels = static_cast<std::uint32_t>(index.element_levels_[i]);
    put_be(out, levels);
    if (levels) out.append(index.linkLists_[i], levels * index.size_links_per_element_);
  }
  return out;
}

namespace {

/// Whether every link of every level names a vector that is there on that level.
bool links_hold(graph& index) {
  auto const count = static_cast<hnswlib::tableint>(index.cur_element_count);
  for (hnswlib::tableint i = 0; i < count; ++i)
    for (int level = 0; level <= index.element_levels_[i]; ++level) {
      auto* const list = index.get_linklist_at_level(i, level);
      auto const links = index.getListCount(list);
      if (links > (level == 0 ? index.maxM0_ : index.maxM_)) return false;
      auto const* const to = reinterpret_cast<hnswlib::tableint const*>(list + 1);
      for (std::size_t k = 0; k < links; ++k)
        if (to[k] >= count || to[k] == i || index.element_levels_[to[k]] < level) return false;
    }
  return true;
}

std::optional<std::uint32_t> read_number(image_source& image) {
  std::string bytes(sizeof(std::uint32_t), '\0');
  if (!image.read(bytes)) return std::nullopt;
  return byte_reader(bytes).be<std::uint32_t>();
}

/// Reads the links of a vector above the lowest level. Returns: what is wrong with them, or null.
char const* read_links(graph& index, std::uint32_t i, image_source& image) {
  auto const levels = read_number(image);
  if (!levels || *levels > static_cast<std::uint32_t>(level_max)) return "has a level that cannot be";
  index.element_levels_[i] = static_cast<int>(*levels);
  index.linkLists_[i] = nullptr;
  if (*levels == 0) return nullptr;
  auto const bytes = *levels * index.size_links_per_element_;
  if (image.left() < bytes) return "is cut short";
  index.linkLists_[i] = static_cast<char*>(std::malloc(bytes));  // hnswlib frees it
  if (!index.linkLists_[i]) return "needs more memory than there is";
  return image.read({index.linkLists_[i], bytes}) ? nullptr : "is cut short";
}

}  // namespace

result<vector_graph> vector_graph::from_image(vector_form form, std::size_t dimensions, image_source& image) {
  std::string head(5 * sizeof(std::uint32_t), '\0');
  if (!image.read(head)) return damaged("is cut short");
  byte_reader in(head);
  auto const count = in.be<std::uint32_t>(), element = in.be<std::uint32_t>(), links = in.be<std::uint32_t>(),
             max_level = in.be<std::uint32_t>(), enter = in.be<std::uint32_t>();
  if (std::uint64_t{count} * packed_bytes(form, dimensions) > image.left()) return damaged("is cut short");
  vector_graph out(form, dimensions, count + count / 4);
  auto& index = *out.impl_->index;
  if (element != index.size_data_per_element_ || links != index.size_links_per_element_)
    return damaged("has vectors of another shape");
  if (!image.read({index.data_level0_memory_, std::size_t{count} * element})) return damaged("is cut short");
  index.label_lookup_.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    auto const* const wrong = read_links(index, i, image);
    index.cur_element_count = i + 1;  // so that what was allocated is given back
    if (wrong) return damaged(wrong);
    if (!index.label_lookup_.emplace(index.getExternalLabel(i), i).second) return damaged("has a vector twice");
    if (index.isMarkedDeleted(i)) ++index.num_deleted_;
  }
  if (image.left() > 0) return damaged("is longer than it says");
  if (count > 0 && (enter >= count || max_level > static_cast<std::uint32_t>(level_max) ||
                    index.element_levels_[enter] != static_cast<int>(max_level)))
    return damaged("begins at a vector that is not there");
  index.enterpoint_node_ = enter;
  index.maxlevel_ = static_cast<int>(max_level);
  if (count == 0) index.maxlevel_ = -1;
  if (!links_hold(index)) return damaged("has a link to a vector that is not there");
  return out;
}

}  // namespace wherry::inline v0::memory_detail
