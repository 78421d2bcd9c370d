// this class has no JSON form; use an aggregate
#include <any>
#include <wherry/llm/schema.hpp>
struct in {
  std::string name;
  std::any what;
};
auto const& s = wherry::schema_of<in>();
