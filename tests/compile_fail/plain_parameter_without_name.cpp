// the one parameter of a tool must be a struct of fields
#include <wherry/tools/tool.hpp>
int twice(int a);
auto const t = wherry::tool("twice", "Twice.", twice);
