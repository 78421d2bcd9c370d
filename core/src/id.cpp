#include <wherry/core/id.hpp>

#include <openssl/rand.h>
#include <pthread.h>

#include <atomic>
#include <cstdlib>

namespace wherry::inline v0 {
namespace {

constexpr char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void put_time(ulid& id, utc_ms time) {
  for (int i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(time) >> (40 - 8 * i));
}

}  // namespace

ulid ulid::draw(utc_ms time, draw_key const& key) {
  ulid id;
  put_time(id, time);
  std::uint64_t const a = random_bits(key, 0xA), b = random_bits(key, 0xB);
  for (int i = 0; i < 8; ++i) id.bytes[6 + i] = static_cast<std::uint8_t>(a >> (56 - 8 * i));
  for (int i = 0; i < 2; ++i) id.bytes[14 + i] = static_cast<std::uint8_t>(b >> (8 - 8 * i));
  return id;
}

namespace {

// A secret key a thread, drawn from the system's random source once (and again after a fork), then counted.
struct fresh_ids {
  unsigned process = 0;
  draw_key next;
};

// Counts the forks that led to this process, from 1: cheaper to look at than a process id.
std::atomic<unsigned> process_generation{0};

unsigned this_process() {
  [[maybe_unused]] static bool const watching = [] {
    process_generation = 1;
    return ::pthread_atfork(nullptr, nullptr, [] { ++process_generation; }) == 0 || (std::abort(), false);
  }();
  return process_generation.load(std::memory_order_relaxed);
}

}  // namespace

ulid ulid::fresh() {
  thread_local fresh_ids ids;
  if (auto const process = this_process(); ids.process != process) {
    ids.process = process;
    auto* const key = reinterpret_cast<unsigned char*>(&ids.next.run);
    if (RAND_bytes(key, sizeof ids.next.run) != 1) std::abort();  // no entropy: nothing is safe
  }
  if (++ids.next.position == 0) ++ids.next.step;
  return draw(clock::system()->now(), ids.next);
}

std::string ulid::text() const {
  std::uint64_t high = 0, low = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    high = (high << 8) | bytes[i];
    low = (low << 8) | bytes[i + 8];
  }
  // 26 characters of five bits, the last first; the first character holds the top three bits.
  std::string out(26, '0');
  for (std::size_t i = out.size(); i-- > 0;) {
    out[i] = alphabet[low & 31];
    low = (low >> 5) | (high << 59);
    high >>= 5;
  }
  return out;
}

std::optional<ulid> ulid::parse(std::string_view text) {
  if (text.size() != 26 || text[0] > '7') return std::nullopt;
  ulid id;
  for (int i = 25, bit = 0; i >= 0; --i, bit += 5) {
    char const* const found = [&]() -> char const* {
      for (char const* p = alphabet; *p; ++p)
        if (*p == text[static_cast<std::size_t>(i)]) return p;
      return nullptr;
    }();
    if (!found) return std::nullopt;
    auto const value = static_cast<unsigned>(found - alphabet);
    for (int k = 0; k < 5; ++k) {
      int const at = bit + k;
      if (at < 128 && (value >> k) & 1) id.bytes[15 - at / 8] |= static_cast<std::uint8_t>(1u << (at % 8));
    }
  }
  return id;
}

}  // namespace wherry::inline v0
