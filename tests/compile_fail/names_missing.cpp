// a function of several parameters needs their names
#include <wherry/tools/tool.hpp>
int add(int a, int b);
auto const t = wherry::tool("add", "Adds.", add);
