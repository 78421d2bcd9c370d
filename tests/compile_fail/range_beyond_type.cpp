// a bound in describe<T> lies outside what the field's type can hold
#include <wherry/llm/schema.hpp>
struct in {
  std::uint8_t count;
};
template <>
inline constexpr auto wherry::describe<in> = std::tuple{wherry::field<&in::count>("Count").range(0, 300)};
auto const& s = wherry::schema_of<in>();
