#include "scope_commit.hpp"
#include "vector_set.hpp"

#include <filesystem>
#include <shared_mutex>

namespace wherry::inline v0 {

using namespace memory_detail;

namespace {

/// Expired records are taken away in commits of so many.
constexpr std::size_t expired_per_commit = 256;

/// One commit's worth of expired records. Returns: how many went.
result<std::size_t> sweep_some(scope_state& scope, scope_handle const& handle) {
  std::vector<ulid> gone;
  {
    std::lock_guard const lock(scope.mutex);
    std::string until;
    put_be(until, scope.store->options.time_source->now() + 1);
    auto const end = prefix(*scope.id, 'X') + until;
    auto listed = scope.store->scan(family::mem, prefix(*scope.id, 'X'), end,
                                    [&](std::string_view key, std::string_view) -> result<bool> {
                                      gone.push_back(byte_reader(rest_of_key(key).substr(sizeof(utc_ms))).id());
                                      return gone.size() < expired_per_commit;
                                    });
    if (!listed) return listed.error();
  }
  if (gone.empty()) return std::size_t{0};
  transaction tx{handle};
  for (auto const& id : gone) tx.forget(id);
  if (auto done = tx.commit(); !done) return done.error();
  return gone.size();
}

result<void> write_image(scope_state& scope, scope_index& index, vector_set& set) {
  std::string image;
  {
    std::shared_lock const reading(index.mutex);
    image = set.image();
    set.mark_written();
  }
  auto const generation = set.generation().number;
  auto const path = scope.store->image_path(*scope.id, generation);
  std::error_code failure;
  std::filesystem::create_directories(path.parent_path(), failure);
  if (failure)
    return error{failure, "could not make a directory: " + failure.message(), "maintain", path.parent_path().string()};
  auto const sealed = scope.store->sealed_file(*scope.id, std::move(image), image_name(generation));
  if (!sealed) return sealed.error();
  auto const checksum = write_image_file(path, *sealed);
  if (!checksum) return checksum.error();
  std::lock_guard const lock(scope.mutex);
  scope_commit commit(scope);
  if (auto said = commit.image_written(generation, *checksum); !said) return said;
  if (auto done = commit.write(durability::synced); !done) return done.error();
  return {};
}

void build_graph(scope_index& index, vector_set& set) {
  std::shared_lock reading(index.mutex);
  auto [numbers, packed] = set.copy();
  reading.unlock();
  auto const& generation = set.generation();
  auto const stride = packed_bytes(generation.form, generation.dimensions);
  vector_graph graph(generation.form, generation.dimensions, numbers.size() + numbers.size() / 4);
  for (std::size_t i = 0; i < numbers.size(); ++i) graph.add(numbers[i], packed.data() + i * stride);
  packed = {};
  std::unique_lock const writing(index.mutex);
  set.take(std::move(graph));
}

}  // namespace

result<std::vector<ulid>> scope_handle::records_without_vector(std::string const& fingerprint,
                                                               std::size_t limit) const {
  std::lock_guard const lock(state_->mutex);
  if (auto ready = state_->load_locked(); !ready) return ready.error();
  std::vector<ulid> out;
  if (!state_->id || limit == 0) return out;
  auto const set = state_->vectors_locked(fingerprint);
  if (!set) return set.error();
  auto const index = state_->index_locked();
  if (!index) return index.error();
  std::shared_lock const reading((*index)->mutex);
  auto const& records = (*index)->records();
  for (std::uint32_t number = 0; number < records.size() && out.size() < limit; ++number)
    if (records[number].exists() && !(*set && (*set)->contains(number))) out.push_back(records[number].id);
  return out;
}

result<std::vector<embedding>> scope_handle::embeddings(ulid const& record) const {
  std::lock_guard const lock(state_->mutex);
  if (auto ready = state_->load_locked(); !ready) return ready.error();
  std::vector<embedding> out;
  auto const known = state_->record_locked(record);
  if (!known) return known.error();
  if (!*known) return out;
  if (auto ready = state_->load_totals_locked(); !ready) return ready.error();
  auto const& store = *state_->store;
  for (auto const& generation : state_->generations) {
    auto const row = store.get(family::vec, vector_key(*state_->id, generation.number, (*known)->number));
    if (!row) return row.error();
    if (!*row) continue;
    auto const packed = decode_vector(**row);
    if (!packed || packed->size() != packed_bytes(generation.form, generation.dimensions))
      return store.damaged("a vector of record " + record.text() + " fails its checksum");
    out.push_back({generation.fingerprint, unpacked(generation.form, generation.dimensions, packed->data())});
  }
  return out;
}

result<maintenance_report> scope_handle::maintain(maintenance_options options) const {
  auto& scope = *state_;
  std::lock_guard const one_at_a_time(scope.maintenance_mutex);
  maintenance_report report;
  {
    std::lock_guard const lock(scope.mutex);
    if (auto ready = scope.load_locked(); !ready) return ready.error();
    if (!scope.id) return report;
  }
  for (;;) {
    auto const swept = sweep_some(scope, *this);
    if (!swept) return swept.error();
    report.expired += *swept;
    if (*swept < expired_per_commit) break;
  }
  std::unique_lock lock(scope.mutex);
  if (auto ready = scope.load_totals_locked(); !ready) return ready.error();
  auto const generations = scope.generations;
  lock.unlock();
  for (auto const& generation : generations) {
    lock.lock();
    auto const loaded = scope.vectors_locked(generation.fingerprint);
    auto const held = scope.index;
    lock.unlock();
    if (!loaded) return loaded.error();
    auto& set = **loaded;
    auto& index = *held;
    std::shared_lock reading(index.mutex);
    bool const grown = !set.has_graph() && set.size() > scope.store->options.vectors_exact_max;
    bool const worn = set.has_graph() && set.removed_share() > options.removed_share_before_rebuild;
    reading.unlock();
    if (grown || worn) {
      build_graph(index, set);
      ++report.graphs_built;
    }
    reading.lock();
    bool const changed = set.has_graph() && (grown || worn || set.changes() >= options.changes_before_image);
    reading.unlock();
    if (!changed) continue;
    if (auto written = write_image(scope, index, set); !written) return written.error();
    ++report.images_written;
  }
  return report;
}

}  // namespace wherry::inline v0
