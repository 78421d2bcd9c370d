// describe<T> names a field twice; keep one line for each field
#include <wherry/llm/schema.hpp>
struct in {
  int a;
};
template <>
inline constexpr auto wherry::describe<in> = std::tuple{wherry::field<&in::a>("one"), wherry::field<&in::a>("two")};
auto const& s = wherry::schema_of<in>();
