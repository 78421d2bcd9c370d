#include "engine/pack_blocks.hpp"

#include "engine/block_formats.hpp"

#include <algorithm>
#include <cmath>
#include <span>

namespace wherry::inline v0::engine {
namespace {

void put_half(unsigned char* at, float value) {
  std::uint16_t const bits = f32_to_f16(value);
  std::memcpy(at, &bits, sizeof bits);
}

// Blocks whose largest value or range is below this become zeros (their scale would be zero as an f16 anyway), so that
// no reciprocal is infinite.
constexpr float negligible = 1e-30f;

float reciprocal(float scale) { return std::abs(scale) > negligible ? 1 / scale : 0; }

// Four floats at once, in the compiler's own notation: every x86-64 has them.
using four = float __attribute__((vector_size(16)));

four all(float value) { return four{value, value, value, value}; }

four load_four(float const* at) {
  four v;
  std::memcpy(&v, at, sizeof v);
  return v;
}

// Nearest integers, ties to even; cut to [least, most]. Large values stay large, so that cutting is right for them.
four nearest(four v, float least, float most) {
  four const round_to_integer = all(0x1.8p23f), low = all(least), high = all(most);
  v = (v + round_to_integer) - round_to_integer;
  v = v < low ? low : v;
  return v > high ? high : v;
}

int nearest(float value, int least, int most) {
  return static_cast<int>(nearest(all(value), static_cast<float>(least), static_cast<float>(most))[0]);
}

four magnitude(four v) { return v < 0 ? -v : v; }
float sum(four v) { return (v[0] + v[2]) + (v[1] + v[3]); }

// --- blocks of 32 ---------------------------------------------------------------------------------------------------

// The value of the largest magnitude; the first of equals.
float largest_value(float const* values, int count) {
  float largest = 0;
  for (int i = 0; i < count; ++i)
    if (std::abs(values[i]) > std::abs(largest)) largest = values[i];
  return largest;
}

// Numbers of 4 bits, or of 5 with the fifth ones apart: number(i) for columns 0 to 31.
template <class Number>
void put_halves(unsigned char* halves, unsigned char* fifth_bits, Number number) {
  std::uint32_t fifth = 0;
  for (unsigned i = 0; i < 16; ++i) {
    auto const low = static_cast<unsigned>(number(i)), high = static_cast<unsigned>(number(16 + i));
    halves[i] = static_cast<unsigned char>((low & 15) | (high & 15) << 4);
    fifth |= (low >> 4 & 1) << i | (high >> 4 & 1) << (16 + i);
  }
  if (fifth_bits) std::memcpy(fifth_bits, &fifth, sizeof fifth);
}

void pack_symmetric(float const* values, unsigned char* block, int half, unsigned char* fifth_bits,
                    unsigned char* halves) {
  float const scale = largest_value(values, 32) / static_cast<float>(-half), inverse = reciprocal(scale);
  put_half(block, scale);
  put_halves(halves, fifth_bits, [=](unsigned i) {
    return std::min(2 * half - 1, static_cast<int>(values[i] * inverse + (static_cast<float>(half) + 0.5f)));
  });
}

void pack_from_least(float const* values, unsigned char* block, int most, unsigned char* fifth_bits,
                     unsigned char* halves) {
  auto const [least, largest] = std::minmax_element(values, values + 32);
  float const from = *least, scale = (*largest - from) / static_cast<float>(most), inverse = reciprocal(scale);
  put_half(block, scale);
  put_half(block + 2, from);
  put_halves(halves, fifth_bits,
             [=](unsigned i) { return std::min(most, static_cast<int>((values[i] - from) * inverse + 0.5f)); });
}

// --- blocks of 256: Q4_K, Q5_K --------------------------------------------------------------------------------------

constexpr int part_columns = 32, parts = 8, scale_most = 63;

// value = scale * number - offset, offset >= 0.
struct affine {
  float scale = 0, offset = 0;
};

// Thirty-two values, and what an error of each weighs.
struct weighted_part {
  four values[part_columns / 4];
  four weights[part_columns / 4];
  float least = 0, largest = 0;
};

weighted_part weigh(float const* values) {
  weighted_part part;
  four squares{};
  for (int i = 0; i < part_columns / 4; ++i) {
    part.values[i] = load_four(values + 4 * i);
    squares += part.values[i] * part.values[i];
  }
  float const mean = std::sqrt(sum(squares) / part_columns);
  for (int i = 0; i < part_columns / 4; ++i) part.weights[i] = mean + magnitude(part.values[i]);
  part.least = *std::min_element(values, values + part_columns);
  part.largest = *std::max_element(values, values + part_columns);
  return part;
}

// The weighted squared error when every value takes its nearest number.
float error_of(weighted_part const& part, affine a, int most) {
  float const inverse = reciprocal(a.scale);
  four error{};
  for (int i = 0; i < part_columns / 4; ++i) {
    four const number = nearest((part.values[i] + a.offset) * inverse, 0, static_cast<float>(most));
    four const off = a.scale * number - a.offset - part.values[i];
    error += part.weights[i] * off * off;
  }
  return sum(error);
}

struct solution {
  affine a;
  float gain = 0;  // the error is what it is with all numbers and the offset zero, less this
};

// Scale and offset of least weighted squared error for the numbers that a step of 1 / inverse gives.
solution least_squares(weighted_part const& part, float from, float inverse, int most) {
  four w{}, wx{}, wn{}, wnn{}, wxn{};
  for (int i = 0; i < part_columns / 4; ++i) {
    four const number = nearest((part.values[i] - from) * inverse, 0, static_cast<float>(most));
    four const weight = part.weights[i], weighted = weight * number;
    w += weight;
    wx += weight * part.values[i];
    wn += weighted;
    wnn += weighted * number;
    wxn += weighted * part.values[i];
  }
  float const sw = sum(w), sx = sum(wx), sn = sum(wn), snn = sum(wnn), sxn = sum(wxn);
  float const determinant = sw * snn - sn * sn;
  if (!(determinant > 0)) return {};
  affine const free{(sw * sxn - sx * sn) / determinant, (sn * sxn - snn * sx) / determinant};
  if (free.offset >= 0) return {free, free.scale * sxn - free.offset * sx};
  return {{sxn / snn, 0}, sxn / snn * sxn};  // an offset is stored without a sign
}

affine fit(weighted_part const& part, int most) {
  float const from = std::min(part.least, 0.0f), range = part.largest - from;
  if (!(range > negligible)) return {0, -from};
  affine best{range / static_cast<float>(most), -from};
  float best_gain = 0;
  constexpr int steps = 20;
  for (int step = 0; step <= steps; ++step) {  // from one number fewer than there are to one more
    float const numbers = static_cast<float>(most) - 1.0f + 0.1f * static_cast<float>(step);
    auto const [tried, gain] = least_squares(part, from, numbers / range, most);
    if (!(tried.scale > 0 && gain > best_gain)) continue;
    best = tried;
    best_gain = gain;
  }
  return best;
}

// The scales and offsets of a block in 6 bits, and what one of their steps stands for.
struct packed_scales {
  float d, d_offset;
  int scale[parts], offset[parts];
  affine at(int i) const { return {d * static_cast<float>(scale[i]), d_offset * static_cast<float>(offset[i])}; }
};

packed_scales round_scales(float const* values, int most) {
  weighted_part part[parts];
  affine exact[parts];
  affine largest;
  for (int i = 0; i < parts; ++i) {
    part[i] = weigh(values + i * part_columns);
    exact[i] = fit(part[i], most);
    largest.scale = std::max(largest.scale, exact[i].scale);
    largest.offset = std::max(largest.offset, exact[i].offset);
  }
  packed_scales packed{
      f16_to_f32(f32_to_f16(largest.scale / scale_most)), f16_to_f32(f32_to_f16(largest.offset / scale_most)), {}, {}};
  for (int i = 0; i < parts; ++i) {
    int const scale = packed.d > 0 ? nearest(exact[i].scale / packed.d, 0, scale_most) : 0;
    int const offset = packed.d_offset > 0 ? nearest(exact[i].offset / packed.d_offset, 0, scale_most) : 0;
    packed.scale[i] = scale;
    packed.offset[i] = offset;
    float best_error = error_of(part[i], packed.at(i), most);
    for (int s = std::max(scale - 1, 0); s <= std::min(scale + 1, scale_most); ++s)
      for (int o = std::max(offset - 1, 0); o <= std::min(offset + 1, scale_most); ++o) {
        affine const tried{packed.d * static_cast<float>(s), packed.d_offset * static_cast<float>(o)};
        if (float const error = error_of(part[i], tried, most); error < best_error) {
          packed.scale[i] = s;
          packed.offset[i] = o;
          best_error = error;
        }
      }
  }
  return packed;
}

void put_scales(packed_scales const& packed, unsigned char* block) {
  put_half(block, packed.d);
  put_half(block + 2, packed.d_offset);
  unsigned char* const bytes = block + 4;
  for (int i = 0; i < 4; ++i) {
    int const late_scale = packed.scale[i + 4], late_offset = packed.offset[i + 4];
    bytes[i] = static_cast<unsigned char>(packed.scale[i] | late_scale >> 4 << 6);
    bytes[i + 4] = static_cast<unsigned char>(packed.offset[i] | late_offset >> 4 << 6);
    bytes[i + 8] = static_cast<unsigned char>((late_scale & 15) | (late_offset & 15) << 4);
  }
}

// numbers[i] = the nearest number of value i.
void number_parts(float const* values, packed_scales const& packed, int most, unsigned char* numbers) {
  for (int p = 0; p < parts; ++p) {
    auto const [scale, offset] = packed.at(p);
    float const inverse = reciprocal(scale);
    for (int i = p * part_columns; i < (p + 1) * part_columns; ++i)
      numbers[i] = static_cast<unsigned char>(nearest((values[i] + offset) * inverse, 0, most));
  }
}

// The low 4 bits of 256 numbers: 64 columns in 32 bytes.
void put_long_halves(unsigned char const* numbers, unsigned char* halves) {
  for (int i = 0; i < 128; ++i) {
    unsigned char const* const low = numbers + i / 32 * 64 + i % 32;
    halves[i] = static_cast<unsigned char>((low[0] & 15) | (low[32] & 15) << 4);
  }
}

// --- blocks of 256: Q6_K
// ----------------------------------------------------------------------------------------------

constexpr int short_part = 16, short_parts = 16;

// The scale of least error for numbers from -32 to 31, an error weighing as the value squared.
float fit_symmetric(float const* values) {
  float const largest = largest_value(values, short_part);
  if (std::abs(largest) < negligible) return 0;
  float best = 0, best_gain = -1;
  constexpr int steps = 9;
  for (int step = -steps; step <= steps; ++step) {
    float const inverse = -(32.0f + 0.1f * static_cast<float>(step)) / largest;
    four wxn{}, wnn{};
    for (int i = 0; i < short_part; i += 4) {
      four const value = load_four(values + i), number = nearest(value * inverse, -32, 31);
      four const weighted = value * value * number;
      wxn += weighted * value;
      wnn += weighted * number;
    }
    float const sxn = sum(wxn), snn = sum(wnn);
    if (snn > 0 && sxn * sxn > best_gain * snn) {  // the least error is sum(w x x) - sxn^2 / snn
      best = sxn / snn;
      best_gain = sxn * sxn / snn;
    }
  }
  return best;
}

float symmetric_error(float const* values, float scale) {
  float const inverse = reciprocal(scale);
  four error{};
  for (int i = 0; i < short_part; i += 4) {
    four const value = load_four(values + i), off = scale * nearest(value * inverse, -32, 31) - value;
    error += value * value * off * off;
  }
  return sum(error);
}

}  // namespace

void pack_q8_0(float const* values, unsigned char* block) {
  float const scale = std::abs(largest_value(values, 32)) / 127, inverse = reciprocal(scale);
  put_half(block, scale);
  for (int i = 0; i < 32; ++i) {
    double const scaled = values[i] * inverse;  // in double, so that adding a half does not round
    block[2 + i] = static_cast<unsigned char>(static_cast<int>(scaled + (scaled < 0 ? -0.5 : 0.5)));
  }
}

void pack_q4_0(float const* values, unsigned char* block) { pack_symmetric(values, block, 8, nullptr, block + 2); }
void pack_q5_0(float const* values, unsigned char* block) { pack_symmetric(values, block, 16, block + 2, block + 6); }
void pack_q4_1(float const* values, unsigned char* block) { pack_from_least(values, block, 15, nullptr, block + 4); }
void pack_q5_1(float const* values, unsigned char* block) { pack_from_least(values, block, 31, block + 4, block + 8); }

void pack_q4_k(float const* values, unsigned char* block) {
  auto const scales = round_scales(values, 15);
  unsigned char numbers[q4_k_block::columns];
  number_parts(values, scales, 15, numbers);
  put_scales(scales, block);
  put_long_halves(numbers, block + 16);
}

void pack_q5_k(float const* values, unsigned char* block) {
  auto const scales = round_scales(values, 31);
  unsigned char numbers[q5_k_block::columns];
  number_parts(values, scales, 31, numbers);
  put_scales(scales, block);
  unsigned char* const high = block + 16;
  for (int i = 0; i < 32; ++i) {
    int bits = 0;
    for (int p = 0; p < parts; ++p) bits |= numbers[p * 32 + i] >> 4 << p;
    high[i] = static_cast<unsigned char>(bits);
  }
  put_long_halves(numbers, block + 48);
}

void pack_q6_k(float const* values, unsigned char* block) {
  float exact[short_parts];
  for (int p = 0; p < short_parts; ++p) exact[p] = fit_symmetric(values + p * short_part);
  float const d = f16_to_f32(f32_to_f16(largest_value(exact, short_parts) / -128));
  put_half(block + 208, d);
  unsigned char numbers[q6_k_block::columns];
  for (int p = 0; p < short_parts; ++p) {
    float const* const part = values + p * short_part;
    int const nearest_scale = d != 0 ? nearest(exact[p] / d, -128, 127) : 0;
    int scale = nearest_scale;
    float best_error = symmetric_error(part, d * static_cast<float>(scale));
    for (int tried = std::max(nearest_scale - 1, -128); tried <= std::min(nearest_scale + 1, 127); ++tried)
      if (float const error = symmetric_error(part, d * static_cast<float>(tried)); error < best_error) {
        scale = tried;
        best_error = error;
      }
    block[192 + p] = static_cast<unsigned char>(scale);
    float const step = d * static_cast<float>(scale), inverse = reciprocal(step);
    for (int i = 0; i < short_part; ++i)
      numbers[p * short_part + i] = static_cast<unsigned char>(nearest(part[i] * inverse, -32, 31) + 32);
  }
  for (int half = 0; half < 2; ++half) {
    unsigned char const* const n = numbers + half * 128;
    for (int i = 0; i < 64; ++i) block[half * 64 + i] = static_cast<unsigned char>((n[i] & 15) | (n[64 + i] & 15) << 4);
    for (int i = 0; i < 32; ++i)
      block[128 + half * 32 + i] =
          static_cast<unsigned char>(n[i] >> 4 | n[32 + i] >> 4 << 2 | n[64 + i] >> 4 << 4 | n[96 + i] >> 4 << 6);
  }
}

}  // namespace wherry::inline v0::engine
