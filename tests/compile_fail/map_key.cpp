// the keys of a map must be std::string
#include <wherry/llm/schema.hpp>
struct in {
  std::map<int, std::string> names;
};
auto const& s = wherry::schema_of<in>();
