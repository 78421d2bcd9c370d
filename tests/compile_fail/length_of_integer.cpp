// length(min, max) is for strings; use range(min, max) for a number
#include <wherry/llm/schema.hpp>
struct in {
  int count;
};
template <>
inline constexpr auto wherry::describe<in> = std::tuple{wherry::field<&in::count>("Count").length(1, 9)};
auto const& s = wherry::schema_of<in>();
