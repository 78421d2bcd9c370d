#include <wherry/core/random.hpp>

namespace wherry::inline v0 {

std::array<std::uint32_t, 4> philox(std::uint64_t key, std::array<std::uint32_t, 4> c) noexcept {
  constexpr std::uint32_t m0 = 0xD2511F53, m1 = 0xCD9E8D57, w0 = 0x9E3779B9, w1 = 0xBB67AE85;
  auto k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    std::uint64_t const p0 = std::uint64_t{m0} * c[0], p1 = std::uint64_t{m1} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(p0)};
    k0 += w0;
    k1 += w1;
  }
  return c;
}

std::uint64_t random_bits(draw_key const& key, std::uint32_t lane) noexcept {
  auto const r =
      philox(key.run, {key.step, key.position, lane, 0x77687279});  // "whry": apart from other users of philox
  return (std::uint64_t{r[0]} << 32) | r[1];
}

double uniform(draw_key const& key, std::uint32_t lane) noexcept {
  return static_cast<double>(random_bits(key, lane) >> 11) * 0x1.0p-53;
}

}  // namespace wherry::inline v0
