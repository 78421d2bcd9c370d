// a tool is made from a function, or from a function object with exactly one operator()
#include <wherry/tools/tool.hpp>
auto const t = wherry::tool("same", "Same.", [](auto const& in) { return in; });
