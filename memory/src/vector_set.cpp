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

std::pair<std::vector<std::uint32_t>, std::string> vector_set::copy() const {
  if (!graph_) return {numbers_, plain_};
  std::pair<std::vector<std::uint32_t>, std::string> out{graph_->numbers(), {}};
  out.second.reserve(out.first.size() * stride());
  for (auto const number : out.first) out.second.append(graph_->packed(number), stride());
  return out;
}

void vector_set::take(vector_graph graph) {
  // What came or went while the graph was built.
  for (auto const number : graph.numbers())
    if (!contains(number)) graph.remove(number);
  auto const [numbers, packed] = copy();
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (!graph.contains(numbers[i])) graph.add(numbers[i], packed.data() + i * stride());
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
  if (graph_) {
    for (auto const number : graph_->numbers()) score(number, graph_->packed(number));
  } else {
    out.reserve(numbers_.size());
    for (std::size_t i = 0; i < numbers_.size(); ++i) score(numbers_[i], plain_.data() + i * stride());
  }
  count = std::min(count, out.size());
  std::partial_sort(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count), out.end(),
                    [](scored_number const& a, scored_number const& b) {
                      return a.score != b.score ? a.score > b.score : a.number > b.number;
                    });
  out.resize(count);
  return out;
}

}  // namespace wherry::inline v0::memory_detail
