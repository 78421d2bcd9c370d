#pragma once
// An inspection as data, and as a page that shows it: one file, no network.

#include <wherry/llm/inspect.hpp>

#include <string>

namespace wherry::cli {

/// Everything an inspection holds, as JSON.
std::string explain_json(inspection const& seen);

/// A page with tables of pieces and next tokens, and an attention map with a choice of layer and head.
std::string explain_page(inspection const& seen);

}  // namespace wherry::cli
