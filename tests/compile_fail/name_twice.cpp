// a parameter name stands twice; each parameter needs a name of its own
#include <wherry/tools/tool.hpp>
int add(int a, int b);
auto const t = wherry::tool("add", "Adds.", {"a", "a"}, add);
