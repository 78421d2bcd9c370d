#include <wherry/tools/tool_registry.hpp>

#include <algorithm>
#include <string>

namespace wherry::inline v0 {

struct tool_registry::state {
  std::vector<tool> tools;
  std::shared_ptr<std::vector<tool_spec> const> specs = std::make_shared<std::vector<tool_spec> const>();
};

namespace {

bool is_name(std::string_view name) {
  auto const allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= tool_name_bytes_max && std::ranges::all_of(name, allowed);
}

}  // namespace

tool_registry::tool_registry() : state_(std::make_shared<state const>()) {}

result<tool_registry> tool_registry::make(std::vector<tool> tools) {
  std::ranges::sort(tools, {}, &tool::name);
  std::vector<tool_spec> specs;
  for (auto const& t : tools) {
    if (!is_name(t.name()))
      return error(errc::invalid_argument,
                   "cannot register the tool \"" + t.name() + "\": a name is 1 to " +
                       std::to_string(tool_name_bytes_max) + " letters, digits, '_' or '-'",
                   "tool_registry.make", t.name());
    if (!specs.empty() && specs.back().name == t.name())
      return error(errc::already_exists, "two tools are named \"" + t.name() + "\"; rename one of them",
                   "tool_registry.make", t.name());
    specs.push_back(t.spec());
  }
  return tool_registry(std::make_shared<state const>(
      state{std::move(tools), std::make_shared<std::vector<tool_spec> const>(std::move(specs))}));
}

tool const* tool_registry::find(std::string_view name) const noexcept {
  auto const& all = state_->tools;
  auto const at = std::ranges::lower_bound(all, name, {}, [](tool const& t) { return std::string_view(t.name()); });
  return at != all.end() && at->name() == name ? &*at : nullptr;
}

std::span<tool const> tool_registry::tools() const noexcept { return state_->tools; }

std::shared_ptr<std::vector<tool_spec> const> tool_registry::specs() const noexcept { return state_->specs; }

}  // namespace wherry::inline v0
