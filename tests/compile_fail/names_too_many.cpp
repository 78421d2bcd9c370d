// too many parameter names; give one name for each parameter of the function
#include <wherry/tools/tool.hpp>
int twice(int a);
auto const t = wherry::tool("twice", "Twice.", {"a", "b"}, twice);
