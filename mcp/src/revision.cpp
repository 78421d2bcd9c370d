#include <wherry/mcp/revision.hpp>

#include <algorithm>
#include <array>

namespace wherry::inline v0::mcp {
namespace {

constexpr std::array<revision, 5> table{
    revision{.name = "2026-07-28",
             .stateless = true,
             .structured = true,
             .any_structured = true,
             .icons = true,
             .url_elicitation = true,
             .sampling_tools = true,
             .resource_not_found = rpc_code::invalid_params},
    revision{.name = "2025-11-25",
             .structured = true,
             .icons = true,
             .url_elicitation = true,
             .sampling_tools = true,
             .polling = true},
    revision{.name = "2025-06-18", .structured = true},
    revision{.name = "2025-03-26"},
    revision{.name = "2024-11-05"},
};

}  // namespace

std::span<revision const> revisions() noexcept { return table; }

revision const* find_revision(std::string_view name) noexcept {
  auto const at = std::ranges::find(table, name, &revision::name);
  return at == table.end() ? nullptr : &*at;
}

revision const& newest_stateless() noexcept { return table[0]; }
revision const& newest_handshake() noexcept { return table[1]; }

}  // namespace wherry::inline v0::mcp
