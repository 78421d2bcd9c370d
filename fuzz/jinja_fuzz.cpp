// Templates from anywhere: parsing and rendering end with a prompt or an error, and no byte of the context is ever
// passed off as the template's.
#include <wherry/core/json.hpp>
#include <wherry/llm/chat_template.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

int wherry_fuzz_jinja(std::uint8_t const* data, std::size_t size) {
  using namespace wherry;
  constexpr char marker = '\x01';  // stands in the context, and is taken out of the template
  std::string source(reinterpret_cast<char const*>(data), size);
  std::erase(source, marker);
  auto const parsed = chat_template::parse(source);
  if (!parsed) return 0;
  static json const context = {
      {"messages", {{{"role", "user"}, {"content", "\x01one\x01 two"}}, {{"role", "assistant"}, {"content", "\x01"}}}},
      {"tools", {{{"name", "\x01tool"}, {"parameters", {{"\x01key", {1, 2.5, nullptr, true}}}}}}},
      {"n", 3}};
  render_options options;
  options.steps_max = 100'000;
  options.output_bytes_max = 1 << 16;
  auto const pieces = parsed->render(context, options);
  if (!pieces) return 0;
  for (auto const& piece : *pieces) {
    if (piece.text.empty()) std::abort();
    if (piece.origin == text_origin::from_template && piece.text.find(marker) != std::string::npos &&
        source.find('\\') == std::string::npos)  // an escape may spell the marker in the template itself
      std::abort();
  }
  return 0;
}
