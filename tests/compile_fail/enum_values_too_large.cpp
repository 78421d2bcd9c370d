// an enum needs an enumerator with a value from 0 to 63
#include <wherry/llm/schema.hpp>
enum class color { red = 100, green };
auto const& s = wherry::schema_of<color>();
