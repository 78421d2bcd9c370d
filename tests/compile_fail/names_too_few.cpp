// too few parameter names; give one name for each parameter of the function
#include <wherry/tools/tool.hpp>
double convert(double amount, std::string from, std::string to);
auto const t = wherry::tool("convert", "Convert money.", {"amount", "from"}, convert);
