// an enum needs a fixed underlying type
#include <wherry/llm/schema.hpp>
enum color { red, green };
auto const& s = wherry::schema_of<color>();
