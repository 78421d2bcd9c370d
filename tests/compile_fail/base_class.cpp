// a described struct cannot have a base class; hold the base as a field
#include <wherry/llm/schema.hpp>
struct common {
  int id;
};
struct in : common {
  int count;
};
auto const& s = wherry::schema_of<in>();
