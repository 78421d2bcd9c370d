// range(min, max) is for numbers; use length(min, max) for a string
#include <wherry/llm/schema.hpp>
struct in {
  std::string name;
};
template <>
inline constexpr auto wherry::describe<in> = std::tuple{wherry::field<&in::name>("Name").range(1, 9)};
auto const& s = wherry::schema_of<in>();
