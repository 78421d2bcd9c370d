#include "vector_set.hpp"

#include <algorithm>
#include <cstring>

namespace wherry::inline v0::memory_detail {
namespace {

/// How many records are looked at to learn what share a filter lets through.
constexpr std::size_t filter_samples = 512;

double admitted_share(record_filter const& filter, std::vector<known_record> const& records) {
  if (filter.kinds.empty() && filter.tags.empty() && !filter.as_of && !filter.known_at && !filter.nothing) return 1;
  std::size_t seen = 0, admitted = 0;
  for (std::size_t i = 0; i < records.size(); i += records.size() / filter_samples + 1) {
    if (!records[i].exists()) continue;
    ++seen;
    admitted += filter.admits(records[i]);
  }
  return seen ? static_cast<double>(admitted) / static_cast<double>(seen) : 0;
}

}  // namespace

std::size_t vector_set::size() const { return graph_ ? graph_->size() - graph_->removed() : numbers_.size(); }

bool vector_set::contains(std::uint32_t number) const {
  return graph_ ? graph_->contains(number) : place_.contains(number);
}

void vector_set::add(std::uint32_t number, std::string_view packed) {
  if (packed.size() != stride() || contains(number)) return;
  ++changes_;
  if (graph_) return graph_->add(number, packed.data());
  place_[number] = numbers_.size();
  numbers_.push_back(number);
  plain_ += packed;
}

void vector_set::remove(std::uint32_t number) {
  if (!contains(number)) return;
  ++changes_;
  if (graph_) return graph_->remove(number);
  auto const at = place_[number], last = numbers_.size() - 1;
  if (at != last) {
    numbers_[at] = numbers_[last];
    place_[numbers_[at]] = at;
    std::memcpy(plain_.data() + at * stride(), plain_.data() + last * stride(), stride());
  }
  place_.erase(number);
  numbers_.pop_back();
  plain_.resize(last * stride());
}

double vector_set::removed_share() const {
  return graph_ && graph_->size() ? static_cast<double>(graph_->removed()) / static_cast<double>(graph_->size()) : 0;
}

template <class Visit>
void vector_set::each(Visit visit) const {
  if (graph_) {
    for (auto const number : graph_->numbers()) visit(number, graph_->packed(number));
  } else {
    for (std::size_t i = 0; i < numbers_.size(); ++i) visit(numbers_[i], plain_.data() + i * stride());
  }
}

std::pair<std::vector<std::uint32_t>, std::string> vector_set::copy() const {
  std::pair<std::vector<std::uint32_t>, std::string> out;
  out.first.reserve(size());
  out.second.reserve(size() * stride());
  each([&](std::uint32_t number, char const* packed) {
    out.first.push_back(number);
    out.second.append(packed, stride());
  });
  return out;
}

void vector_set::take(vector_graph graph) {
  // What came, went or changed while the graph was built.
  for (auto const number : graph.numbers())
    if (!contains(number)) graph.remove(number);
  each([&](std::uint32_t number, char const* packed) {
    if (!graph.holds(number, {packed, stride()})) graph.add(number, packed);
  });
  graph_ = std::move(graph);
  numbers_ = {};
  plain_ = {};
  place_ = {};
  ++changes_;
}

std::vector<scored_number> vector_set::search(std::string_view packed, std::size_t count, record_filter const& filter,
                                              std::vector<known_record> const& records) const {
  if (count == 0 || packed.size() != stride()) return {};
  if (!graph_ || admitted_share(filter, records) < graph_filter_share_min) return scan(packed, count, filter, records);
  auto found = graph_->search(packed.data(), count, [&](std::uint32_t number) {
    return number < records.size() && filter.admits(records[number]);
  });
  // A filter that the sample took for wide may still starve the walk.
  if (found.size() < std::min(count, size())) return scan(packed, count, filter, records);
  return found;
}

std::vector<scored_number> vector_set::scan(std::string_view packed, std::size_t count, record_filter const& filter,
                                            std::vector<known_record> const& records) const {
  std::vector<scored_number> out;
  auto const score = [&](std::uint32_t number, char const* vector) {
    if (number < records.size() && filter.admits(records[number]))
      out.push_back({number, packed_dot(generation_.form, generation_.dimensions, packed.data(), vector)});
  };
  out.reserve(size());
  each(score);
  count = std::min(count, out.size());
  std::partial_sort(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count), out.end(),
                    [](scored_number const& a, scored_number const& b) {
                      return a.score != b.score ? a.score > b.score : a.number > b.number;
                    });
  out.resize(count);
  return out;
}

}  // namespace wherry::inline v0::memory_detail
