// a pointer has no JSON form; hold the value itself
#include <wherry/tools/tool.hpp>
int length(char const* text);
auto const t = wherry::tool("length", "Length.", {"text"}, length);
