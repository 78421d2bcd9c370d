#pragma once
// The vocabulary of random models.

#include <cstdint>
#include <string>
#include <vector>

namespace wherry::inline v0::engine {

/// The three arrays of a SentencePiece vocabulary in GGUF. Ids 0, 1, 2 are unknown, begin and end of text; 3 to 258
/// the bytes.
struct spm_vocabulary {
  std::vector<std::string> tokens;
  std::vector<float> scores;
  std::vector<std::int32_t> types;
};

spm_vocabulary make_random_model_vocabulary();

}  // namespace wherry::inline v0::engine
