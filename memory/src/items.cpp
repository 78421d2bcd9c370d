#include "scope_commit.hpp"

#include <wherry/core/json.hpp>
#include <wherry/memory/items.hpp>

#include <algorithm>
#include <cmath>

namespace wherry::inline v0 {

using namespace memory_detail;

namespace {

/// Every text in a JSON value, keys included, one a line.
void collect_text(json const& value, std::string& out) {
  if (value.is_string()) (out += value.get<std::string>()) += '\n';
  if (value.is_number() || value.is_boolean()) (out += value.dump()) += '\n';
  if (value.is_object())
    for (auto const& [key, member] : value.items()) {
      (out += key) += '\n';
      collect_text(member, out);
    }
  if (value.is_array())
    for (auto const& element : value) collect_text(element, out);
}

std::optional<item> live(std::optional<item> found, utc_ms now) {
  if (found && found->expires && found->expires <= now) return std::nullopt;
  return found;
}

}  // namespace

item_space::item_space(std::shared_ptr<scope_state> scope, std::string name)
    : scope_(std::move(scope)), name_(std::move(name)) {}

result<std::uint64_t> item_space::put(std::string const& key, std::string const& json_text,
                                      item_options options) const {
  std::lock_guard const lock(scope_->mutex);
  scope_commit commit(*scope_);
  auto const version = commit.put_item(name_, key, json_text, options);
  if (!version) return version.error();
  auto const how = options.how.value_or(scope_->store->options.commit_durability);
  if (auto written = commit.write(how); !written) return written.error();
  return *version;
}

result<bool> item_space::remove(std::string const& key, item_options options) const {
  std::lock_guard const lock(scope_->mutex);
  scope_commit commit(*scope_);
  auto const there = commit.remove_item(name_, key, options);
  if (!there || !*there) return there;
  auto const how = options.how.value_or(scope_->store->options.commit_durability);
  if (auto written = commit.write(how); !written) return written.error();
  return true;
}

result<std::optional<item>> item_space::get(std::string const& key) const {
  std::lock_guard const lock(scope_->mutex);
  if (auto ready = scope_->load_locked(); !ready) return ready.error();
  if (auto wrong = refuse_name(name_, "a namespace")) return *wrong;
  if (auto wrong = refuse_name(key, "an item's key")) return *wrong;
  auto found = scope_->item_locked(name_, key);
  if (!found) return found.error();
  return live(std::move(*found), scope_->store->options.time_source->now());
}

result<std::vector<item>> item_space::list(std::string const& prefix, std::string const& after,
                                           std::size_t limit) const {
  std::lock_guard const lock(scope_->mutex);
  if (auto ready = scope_->load_locked(); !ready) return ready.error();
  if (auto wrong = refuse_name(name_, "a namespace")) return *wrong;
  std::vector<item> out;
  if (!scope_->id || limit == 0) return out;
  auto const now = scope_->store->options.time_source->now();
  auto const begin = item_prefix(*scope_->id, name_);
  auto const first = !after.empty() && after >= prefix ? begin + after + '\0' : begin + prefix;
  auto listed = scope_->store->scan(
      family::item, first, item_prefix_end(*scope_->id, name_),
      [&](std::string_view key, std::string_view value) -> result<bool> {
        auto const name = key.substr(begin.size());
        if (!name.starts_with(prefix)) return false;
        auto found = decode_item(value, name);
        if (!found) return scope_->store->damaged("an item of namespace \"" + name_ + "\" fails its checksum");
        if (auto held = live(std::move(found), now)) out.push_back(std::move(*held));
        return out.size() < limit;
      });
  if (!listed) return listed.error();
  return out;
}

result<std::vector<item>> item_space::search(std::string const& question, std::size_t limit) const {
  auto all = list({}, {}, item_search_max);
  if (!all) return all.error();
  auto const analyser = scope_->store->analysers.borrow();
  std::map<std::string, std::size_t> wanted;
  for (auto const& at : analyser->question(question)) wanted.emplace(at.term, 0);
  std::vector<std::set<std::string>> held(all->size());
  for (std::size_t i = 0; i < all->size(); ++i) {
    std::string text = (*all)[i].key + '\n';
    if (auto const value = parse_json((*all)[i].value)) collect_text(*value, text);
    for (auto& at : analyser->document(text).terms)
      if (wanted.contains(at.term)) held[i].insert(std::move(at.term));
    for (auto const& term : held[i]) ++wanted[term];
  }
  std::vector<std::pair<double, std::size_t>> ranked;
  for (std::size_t i = 0; i < held.size(); ++i) {
    double score = 0;
    for (auto const& term : held[i])
      score += std::log(1 + static_cast<double>(all->size()) / static_cast<double>(wanted[term]));
    if (score > 0) ranked.emplace_back(-score, i);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<item> out;
  for (std::size_t i = 0; i < std::min(limit, ranked.size()); ++i) out.push_back(std::move((*all)[ranked[i].second]));
  return out;
}

item_space scope_handle::items(std::string space) const { return {state_, std::move(space)}; }

namespace memory_detail {

result<std::optional<item>> scope_state::item_locked(std::string_view space, std::string_view called) const {
  if (!id) return std::optional<item>{};
  auto const value = store->get(family::item, item_key(*id, space, called));
  if (!value) return value.error();
  if (!*value) return std::optional<item>{};
  auto found = decode_item(**value, called);
  if (!found) return store->damaged("the item \"" + std::string(called) + "\" fails its checksum");
  return found;
}

/// The item as this commit finds it, when its version is the expected one.
result<std::optional<item>> scope_commit::expect_item(std::string const& space, std::string const& name,
                                                      item_options const& options) {
  auto const refuse = [](errc code, std::string message) { return error{code, std::move(message), "items"}; };
  if (auto wrong = refuse_name(space, "a namespace")) return *wrong;
  if (auto wrong = refuse_name(name, "an item's key")) return *wrong;
  if (auto ready = scope_.load_locked(); !ready) return ready.error();
  std::optional<item> before;
  auto const key = new_scope_ || !scope_.id ? std::string() : item_key(*scope_.id, space, name);
  if (auto const staged = items_.find({space, name}); staged != items_.end()) {
    before = staged->second;
  } else if (!key.empty()) {
    auto found = scope_.item_locked(space, name);
    if (!found) return found.error();
    before = std::move(*found);
  }
  bool const expired = before && before->expires && before->expires <= now_;
  auto const version = before && !expired ? before->version : 0;
  if (options.expected_version && *options.expected_version != version)
    return refuse(errc::conflict, "item \"" + name + "\" has version " + std::to_string(version) + ", not " +
                                      std::to_string(*options.expected_version) + "; read it again");
  return before;
}

result<std::uint64_t> scope_commit::put_item(std::string const& space, std::string const& name,
                                             std::string const& json_text, item_options const& options) {
  if (json_text.size() > item_bytes_max)
    return error{errc::limit_reached,
                 "the value of item \"" + name + "\" is " + std::to_string(json_text.size()) +
                     " bytes long; the most is " + std::to_string(item_bytes_max),
                 "items"};
  if (auto const parsed = parse_json(json_text); !parsed) return parsed.error();
  auto const before = expect_item(space, name, options);
  if (!before) return before.error();
  if (auto ready = begin(); !ready) return ready.error();
  item next{.key = name,
            .value = json_text,
            .version = *before ? (*before)->version + 1 : 1,
            .created = *before ? (*before)->created : now_,
            .updated = now_,
            .expires = options.expires};
  if (auto put = put_value(family::item, item_key(*scope_.id, space, name), encode_item(next)); !put)
    return put.error();
  auto const version = next.version;
  items_[{space, name}] = std::move(next);
  return version;
}

result<bool> scope_commit::remove_item(std::string const& space, std::string const& name, item_options const& options) {
  auto const before = expect_item(space, name, options);
  if (!before) return before.error();
  if (!*before) return false;
  if (auto ready = begin(); !ready) return ready.error();
  if (auto gone = erase_key(family::item, item_key(*scope_.id, space, name)); !gone) return gone.error();
  items_[{space, name}] = std::nullopt;
  return true;
}

}  // namespace memory_detail
}  // namespace wherry::inline v0
