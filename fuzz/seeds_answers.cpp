// Seeds for the entry that reads answers: for each family two calls as it writes them, after two bytes that choose the
// family and how it is read.

#include <wherry/llm/chat_answer.hpp>

#include <string>
#include <vector>

std::vector<std::string> fuzz_seeds() {
  using namespace wherry;
  std::vector<std::string> out = {std::string(2, '\0')};
  std::vector<tool_call> const calls = {
      {"", "f", R"({"city": "Seoul \"x\"", "n": -2.5, "list": [1, true, null], "o": {"k": "v"}})"}, {"", "g-2", "{}"}};
  auto const families = answer_families();
  for (std::size_t i = 0; i < families.size(); ++i) {
    message spoken{role::assistant, {reasoning_part{"Think.", ""}, text_part{"Say."}}};
    std::string const head = {static_cast<char>(i), i % 2 ? '\1' : '\x21'};  // some with schemas
    out.push_back(head + families[i].call_text(calls));
    out.push_back(head + joined(families[i].replay(spoken)));
    spoken.parts.insert(spoken.parts.end(), calls.begin(), calls.end());
    out.push_back(head + joined(families[i].replay(spoken)));
  }
  return out;
}
