// Seeds for the safetensors entry: whole small files.

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

std::vector<std::string> fuzz_seeds() {
  auto const image = [](std::string const& header, std::size_t data_bytes) {
    std::uint64_t const length = header.size();
    std::string bytes(sizeof length, '\0');
    std::memcpy(bytes.data(), &length, sizeof length);
    return bytes + header + std::string(data_bytes, 'w');
  };
  return {image(R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})", 24),
          image(R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[],"data_offsets":[0,2]},)"
                R"("a":{"dtype":"F16","shape":[2],"data_offsets":[2,6]}})",
                6),
          image("{}", 0), ""};
}
