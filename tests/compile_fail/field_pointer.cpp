// a pointer has no JSON form; hold the value itself
#include <wherry/llm/schema.hpp>
struct in {
  int* count;
};
auto const& s = wherry::schema_of<in>();
