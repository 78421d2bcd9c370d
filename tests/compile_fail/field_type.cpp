// this class has no JSON form; use an aggregate
#include <wherry/llm/schema.hpp>
#include <any>
struct in { std::string name; std::any what; };
auto const& s = wherry::schema_of<in>();
