#pragma once
// The ground's views of JSON, under the names of this room.

#include <wherry/core/json_view.hpp>

namespace wherry::inline v0::mcp::detail {
using namespace json_view;
}
