// Runs a fuzz entry over a generated corpus: the seeds below, and mutations of them. In ctest this takes about two
// seconds; with a fuzzing engine the same entry is LLVMFuzzerTestOneInput.
//   replay_ENTRY [SECONDS [SEED]]

#include <wherry/core/random.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

int WHERRY_FUZZ_ENTRY(std::uint8_t const* data, std::size_t size);
std::vector<std::string> fuzz_seeds();

int main(int argc, char** argv) {
  double const seconds = argc > 1 ? std::atof(argv[1]) : 2.0;
  std::uint64_t const seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  auto const seeds = fuzz_seeds();
  auto const feed = [](std::string const& s) {
    WHERRY_FUZZ_ENTRY(reinterpret_cast<std::uint8_t const*>(s.data()), s.size());
  };
  for (auto const& s : seeds) feed(s);
  auto const until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  std::uint32_t runs = 0;
  for (; std::chrono::steady_clock::now() < until; ++runs) {
    std::uint32_t lane = 0;
    auto const draw = [&](std::uint64_t below) {
      return below == 0 ? 0 : wherry::random_bits({.run = seed, .step = 0, .position = runs}, lane++) % below;
    };
    std::string input = seeds[draw(seeds.size())];
    for (std::uint64_t changes = 1 + draw(6); changes > 0 && !input.empty(); --changes) {
      std::size_t const at = draw(input.size());
      switch (draw(5)) {
        case 0: input[at] = static_cast<char>(draw(256)); break;
        case 1: input.erase(at, 1 + draw(16)); break;
        case 2: input.insert(at, input.substr(draw(input.size()), draw(32))); break;
        case 3: input[at] = static_cast<char>(input[at] ^ (1 << draw(8))); break;
        default: {
          auto const& other = seeds[draw(seeds.size())];
          if (!other.empty()) input.insert(at, other.substr(draw(other.size()), draw(64)));
        }
      }
    }
    feed(input);
  }
  std::printf("%u inputs, seed %llu\n", runs, static_cast<unsigned long long>(seed));
}
