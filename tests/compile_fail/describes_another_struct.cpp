// describe<T> may only hold lines field<&T::name>
#include <wherry/llm/schema.hpp>
struct in {
  int a;
};
struct other {
  int a;
};
template <>
inline constexpr auto wherry::describe<in> = std::tuple{wherry::field<&other::a>("one")};
auto const& s = wherry::schema_of<in>();
