#pragma once
// Content hashes (SHA-256) and checksums (CRC-32C is RocksDB's own; this one is for our records).

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace wherry::inline v0 {

/// A SHA-256 digest.
using digest = std::array<std::uint8_t, 32>;

/// SHA-256 (FIPS 180-4) of the bytes.
digest sha256(std::string_view bytes);

/// Lower-case hexadecimal of any bytes.
std::string to_hex(std::string_view bytes);
std::string to_hex(digest const& d);

/// SHA-256 as 64 hexadecimal digits: the content hash used in records, reports and file names.
std::string content_hash(std::string_view bytes);

/// CRC-32 (IEEE 802.3, reflected), the checksum of event records.
std::uint32_t crc32(std::string_view bytes) noexcept;

/// The CRC-32 of two texts one after the other, from those of each and the second one's length in bytes.
std::uint32_t crc32_joined(std::uint32_t first, std::uint32_t second, std::uint64_t second_bytes) noexcept;

}  // namespace wherry::inline v0
