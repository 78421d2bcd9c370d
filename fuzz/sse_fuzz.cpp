// Event streams from anywhere: however the bytes are cut, the same events come out, or the same failure; and an event
// that was read can be written and read again.
#include <wherry/http/sse.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

struct outcome {
  std::vector<wherry::sse_event> events;
  bool failed = false;
  friend bool operator==(outcome const&, outcome const&) = default;
};

outcome read(std::string_view text, std::size_t piece) {
  wherry::sse_parser parser{{.line_bytes_max = 64, .event_bytes_max = 200}};
  outcome out;
  for (; !text.empty() && !out.failed; text.remove_prefix(std::min(piece, text.size()))) {
    out.failed = !parser.feed(text.substr(0, piece));
    while (auto event = parser.next()) out.events.push_back(std::move(*event));
  }
  return out;
}

}  // namespace

int wherry_fuzz_sse(std::uint8_t const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  auto const whole = read(text, size + 1);
  for (std::size_t const piece : {1, 2, 7})
    if (read(text, piece) != whole) std::abort();
  for (auto const& event : whole.events) {
    std::string written;
    if (!wherry::append_sse(written, event)) std::abort();
    wherry::sse_parser again;
    if (!again.feed(written)) std::abort();
    auto const back = again.next();
    if (!back || *back != event || again.next()) std::abort();
  }
  return 0;
}
