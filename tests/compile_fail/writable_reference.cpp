// a tool's parameter cannot be a reference to something writable; take it by value or const&
#include <wherry/tools/tool.hpp>
void fill(std::string& out);
auto const t = wherry::tool("fill", "Fills.", {"out"}, fill);
