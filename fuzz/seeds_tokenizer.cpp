// Seeds for the tokenizer entry: a byte for the vocabulary, one for the cut, then text. The text of the last begins
// with a table of normalisation: two units of a trie, and one replacement.

#include <string>
#include <vector>

std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> const texts{
      "ab aab <|im_start|>user\n<think> it's 12345, isn't it?  \t\r\n ab",
      "\xEC\x84\x9C\xEC\x9A\xB8 \xE4\xB8\xAD\xE6\x96\x87 caf\xC3\xA9 e\xCC\x81 \xF0\x9F\x98\x80\xE2\x80\x8D "
      "\xE2\x96\x81"
      "a",
      "<|im_<|im_start|>\xFF\xC3 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'LL camelCaseHTTP/\n\n",
      std::string("\0\x01\x7F\xC2\x85\xEF\xBB\xBF", 8) + "[MASK] [UNK] a.b 'S n't",
      std::string("\x08\x00\x00\x00\x61\x05\x00\x00\x00\x00\x00\x80"
                  "b\x00",
                  14) +
          "aab"};
  std::vector<std::string> seeds;
  for (char kind = 0; kind < 17; ++kind)
    for (auto const& text : texts) seeds.push_back(std::string{kind, 14} + text);
  return seeds;
}
