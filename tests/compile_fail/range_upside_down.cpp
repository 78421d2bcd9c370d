// a bound in describe<T> has its minimum above its maximum
#include <wherry/llm/schema.hpp>
struct in {
  int count;
};
template <>
inline constexpr auto wherry::describe<in> = std::tuple{wherry::field<&in::count>("Count").range(9, 1)};
auto const& s = wherry::schema_of<in>();
