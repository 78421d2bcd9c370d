// this class has no JSON form; use an aggregate
#include <wherry/llm/schema.hpp>
class in {
 public:
  in();

 private:
  int hidden;
};
auto const r = wherry::decode<in>("{}");
