#pragma once
// From floats to blocks: the other direction of block_formats.hpp. Each function packs one block of the format's
// columns; the values are finite and at most 65504 in magnitude, so that every scale fits an f16. The result depends on
// the values alone.

namespace wherry::inline v0::engine {

/// Q8_0: scale = largest magnitude / 127, numbers rounded half away from zero.
void pack_q8_0(float const* values, unsigned char* block);

/// Q4_0, Q5_0: the value of the largest magnitude, with its sign, becomes the number -8 (-16); the others are rounded
/// half up and cut at 7 (15).
void pack_q4_0(float const* values, unsigned char* block);
void pack_q5_0(float const* values, unsigned char* block);

/// Q4_1, Q5_1: the smallest value becomes 0, the largest 15 (31).
void pack_q4_1(float const* values, unsigned char* block);
void pack_q5_1(float const* values, unsigned char* block);

/// Q4_K, Q5_K: each of eight parts of 32 values gets the scale and offset of least weighted squared error, found by
/// trying steps around the one that spans its range and solving the least squares for each. An error weighs as much as
/// the value's magnitude plus the mean magnitude of its part. Scales and offsets are then rounded to 6 bits, and their
/// neighbours are tried. The idea of the search: llama.cpp, pull request 1684 ("k-quants", 2023).
void pack_q4_k(float const* values, unsigned char* block);
void pack_q5_k(float const* values, unsigned char* block);

/// Q6_K: sixteen parts of 16 values with a scale each, found in the same way; an error weighs as the value squared.
void pack_q6_k(float const* values, unsigned char* block);

}  // namespace wherry::inline v0::engine
