// How fast text becomes ids and comes back, on one core: 10 MB of mixed English, Korean, code and emoji through each
// byte-level vocabulary (exact round trip, 5 MB/s); hostile text of 0.5 and 1 MB through every kind of tokenizer (time
// grows with the length, not its square); and how long a vocabulary of 150,000 tokens takes to read.
//
//   bench_tokenizer [--json FILE] [--seed N] [--bytes N] [--only NAME] [--model FILE]
//
// Any vocabulary can be measured with --model. Complete vocabularies come from $WHERRY_SHARED/data/tokenizers; those
// that are not there are named and left out. A large artificial one is made here and serves with several
// pre-tokenizers. The exit status is 1 when a bar does not hold.

#include <wherry/core/random.hpp>
#include <wherry/llm/tokenizer.hpp>

#include "bench_report.hpp"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>

namespace {

using namespace wherry;
using wherry_bench::report;

constexpr double speed_min_mb = 5;  // MB/s, encoding and decoding together
// Time of 1 MB over that of 0.5 MB: 2, and what it costs that the work on the longer fits the caches less; a square
// would be 4.
constexpr double growth_max = 3;
constexpr double hostile_seconds_max = 2;  // for 1 MB, whatever it is
constexpr double load_ms_max = 100;
constexpr std::size_t hostile_bytes = 1'000'000;
constexpr double clock_floor = 0.004;  // seconds below which growth is not judged

class dice {
 public:
  explicit dice(std::uint64_t seed) : seed_(seed) {}
  std::size_t below(std::size_t bound) { return random_bits({.run = seed_, .position = drawn_++}) % bound; }
  // Small numbers are likelier, as words are: about 1 / n.
  std::size_t skewed(std::size_t bound) {
    auto const u = uniform({.run = seed_, .position = drawn_++});
    return std::min(bound - 1, static_cast<std::size_t>(std::pow(static_cast<double>(bound), u)) - 1);
  }

 private:
  std::uint64_t seed_;
  std::uint32_t drawn_ = 0;
};

std::string utf8(char32_t c) {
  auto const byte = [](char32_t bits) { return static_cast<char>(bits); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xC0 | c >> 6), byte(0x80 | (c & 0x3F))};
  if (c < 0x10000) return {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F))};
  return {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 0x3F)), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F))};
}

// Sentences of four sorts. Words come from lists that the seed makes, the front of a list far more often than its end.
class text_maker {
 public:
  explicit text_maker(std::uint64_t seed) : d_(seed) {
    static constexpr char const* onsets[]{"b", "c", "d", "f",  "g",  "h",  "l",  "m",  "n",  "p",  "r",  "s",
                                          "t", "v", "w", "st", "tr", "ch", "th", "sh", "pl", "gr", "qu", ""};
    static constexpr char const* rimes[]{"a",    "e",  "i",   "o",    "u",    "an",  "er",  "in",
                                         "on",   "at", "ing", "ed",   "ly",   "ion", "est", "ound",
                                         "ight", "ea", "oo",  "ment", "ness", "al",  "ive"};
    for (std::size_t i = 0; i < words_; ++i) {
      std::string word;
      for (auto left = 1 + d_.below(1 + std::min<std::size_t>(3, i / 40)); left > 0; --left)
        word += std::string(onsets[d_.below(std::size(onsets))]) + rimes[d_.below(std::size(rimes))];
      english_.push_back(word);
      std::string korean;
      for (auto left = 1 + d_.below(4); left > 0; --left)
        korean += utf8(static_cast<char32_t>(0xAC00 + 28 * d_.below(399) + (d_.below(3) ? 0 : d_.below(28))));
      korean_.push_back(korean);
    }
  }

  std::string make(std::size_t bytes) {
    std::string text;
    text.reserve(bytes + 512);
    while (text.size() < bytes) {
      auto const sort = d_.below(20);
      sort < 8 ? add_english(text) : sort < 14 ? add_korean(text) : sort < 19 ? add_code(text) : add_emoji(text);
    }
    auto end = bytes;
    while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text.resize(end);
    return text;
  }

 private:
  std::string const& english() { return english_[d_.skewed(english_.size())]; }

  void add_english(std::string& text) {
    auto const count = 5 + d_.below(16);
    for (std::size_t i = 0; i < count; ++i) {
      auto word = english();
      if (i == 0 || d_.below(24) == 0) word[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(word[0])));
      text += word;
      if (d_.below(30) == 0) text += "'s";
      if (d_.below(12) == 0) text += ",";
      if (d_.below(40) == 0) text += " " + std::to_string(d_.below(10'000));
      text += i + 1 == count ? (d_.below(6) ? ". " : d_.below(2) ? "? " : "!\n\n") : " ";
    }
  }

  void add_korean(std::string& text) {
    static constexpr char const* particles[]{"\xEC\x9D\x80", "\xEB\x8A\x94", "\xEC\x9D\x84", "\xEB\xA5\xBC",
                                             "\xEC\x97\x90", "\xEC\x9D\x98", "\xEB\xA1\x9C", ""};
    for (auto left = 4 + d_.below(10); left > 0; --left)
      text += korean_[d_.skewed(korean_.size())] + particles[d_.below(std::size(particles))] + " ";
    text += "\xEB\x8B\xA4. ";
  }

  void add_code(std::string& text) {
    std::string const indent(4 * (1 + d_.below(3)), ' ');
    auto const a = english(), b = english(), n = std::to_string(d_.below(1000));
    switch (d_.below(5)) {
      case 0:
        text += indent + "for (int i = 0; i < " + n + "; ++i) {\n" + indent + "  " + a + "[i] += " + b + "(i);\n";
        break;
      case 1: text += "def " + a + "_" + b + "(self, x=" + n + "):\n" + indent + "return x + 1  # " + a + "\n\n"; break;
      case 2: text += indent + "auto const " + a + " = std::max<std::size_t>(" + b + ".size(), 0x" + n + ");\n"; break;
      case 3: text += "{\"" + a + "\": [" + n + ", 1.5, null, true], \"" + b + "\": \"v\\n\"}\n"; break;
      default: text += "https://example.com/" + a + "/" + b + "?c=" + n + "&e=f#g\n"; break;
    }
  }

  void add_emoji(std::string& text) {
    for (auto left = 1 + d_.below(4); left > 0; --left) {
      text += utf8(static_cast<char32_t>(0x1F600 + d_.below(80)));
      if (d_.below(4) == 0) text += utf8(0x200D) + utf8(static_cast<char32_t>(0x1F466 + d_.below(4)));
      if (d_.below(5) == 0) text += utf8(0x1F1F0) + utf8(0x1F1F7);
    }
    text += " ";
  }

  static constexpr std::size_t words_ = 30'000;
  dice d_;
  std::vector<std::string> english_, korean_;
};

std::string byte_character(unsigned byte) {
  char32_t beyond = 0x100;
  for (unsigned b = 0; b < 256; ++b) {
    bool const printable = (b > 0x20 && b < 0x7F) || (b > 0xA0 && b != 0xAD);
    char32_t const c = printable ? char32_t{b} : beyond++;
    if (b == byte) return utf8(c);
  }
  return {};
}

// A byte-level vocabulary of 150,000 tokens as a file image: the pieces of words that the text maker makes, merged as
// training would, only in a cruder order.
std::vector<std::uint8_t> artificial_vocabulary(std::string const& pre, std::string const& sample) {
  constexpr std::size_t tokens_wanted = 150'000;
  std::vector<std::string> spelled(256), tokens, merges;
  for (unsigned b = 0; b < 256; ++b) tokens.push_back(spelled[b] = byte_character(b));
  std::set<std::string> known(tokens.begin(), tokens.end());
  auto const learn = [&](std::string const& left, std::string const& right) {
    if (!known.insert(left + right).second) return;
    tokens.push_back(left + right);
    merges.push_back(left + " " + right);
  };
  for (std::size_t at = 0; at < sample.size() && tokens.size() < tokens_wanted;) {
    auto end = sample.find(' ', at + 1);
    if (end == sample.npos) end = sample.size();
    auto const word = sample.substr(at, std::min<std::size_t>(end - at, 16));
    std::string left = spelled[static_cast<unsigned char>(word[0])];
    for (std::size_t i = 1; i < word.size(); ++i) {
      auto const& right = spelled[static_cast<unsigned char>(word[i])];
      learn(left, right);
      left += right;
    }
    at = end;
  }
  for (std::size_t i = 0; tokens.size() < tokens_wanted; ++i) learn(tokens[i], tokens[256 + i % 4096]);
  gguf_writer writer;
  writer.add("general.architecture", "llama");
  writer.add("tokenizer.ggml.model", "gpt2");
  writer.add("tokenizer.ggml.pre", pre);
  writer.add("tokenizer.ggml.token_type", std::vector<std::int32_t>(tokens.size() + 1, 1));
  tokens.push_back("<|im_start|>");
  writer.add("tokenizer.ggml.tokens", tokens);
  writer.add("tokenizer.ggml.merges", merges);
  return writer.bytes();
}

// A Unigram vocabulary from the words of a sample.
std::vector<std::uint8_t> artificial_unigram(std::string const& sample) {
  std::vector<std::string> tokens{"<pad>", "</s>", "<unk>", "\xE2\x96\x81"};
  std::vector<std::int32_t> kinds{3, 3, 2, 1};
  std::set<std::string> known(tokens.begin(), tokens.end());
  for (std::size_t at = 0; at < sample.size() && tokens.size() < 150'000;) {
    auto end = sample.find_first_of(" \n", at);
    if (end == sample.npos) end = sample.size();
    auto word = sample.substr(at, end - at);
    for (auto cut = word.size(); cut > 0; cut /= 2) {
      auto length = cut;
      while (length < word.size() && (static_cast<unsigned char>(word[length]) & 0xC0) == 0x80) ++length;
      for (auto const& piece : {word.substr(0, length), "\xE2\x96\x81" + word.substr(0, length), word.substr(length)})
        if (!piece.empty() && known.insert(piece).second) tokens.push_back(piece), kinds.push_back(1);
    }
    at = end + 1;
  }
  std::vector<float> scores;
  for (std::size_t i = 0; i < tokens.size(); ++i) scores.push_back(-std::log(static_cast<float>(i + 1)) - 1);
  gguf_writer writer;
  writer.add("general.architecture", "t5");
  writer.add("tokenizer.ggml.model", "t5");
  writer.add("tokenizer.ggml.tokens", tokens);
  writer.add("tokenizer.ggml.token_type", kinds);
  writer.add("tokenizer.ggml.scores", scores);
  return writer.bytes();
}

double seconds_of(std::function<void()> const& work, int times = 1) {
  double best = 1e30;
  for (int i = 0; i < times; ++i) {
    auto const begin = wherry_bench::cpu_seconds();
    work();
    best = std::min(best, wherry_bench::cpu_seconds() - begin);
  }
  return best;
}

struct subject {
  std::string name;
  gguf_file file;
  bool byte_level;
};

void measure_loading(report& out, subject const& s) {
  std::size_t tokens = 0;
  auto const seconds = seconds_of([&] { tokens = tokenizer::from(s.file).value().size(); }, 3);
  auto const name = s.name + ": read " + std::to_string(tokens) + " tokens";
  if (tokens <= 160'000)
    out.at_most(name, seconds * 1e3, "ms", load_ms_max);
  else
    out.inform(name, seconds * 1e3, "ms");
}

void measure_speed(report& out, subject const& s, tokenizer const& t, std::string const& text) {
  std::vector<token_id> ids;
  std::string back;
  auto const encoding = seconds_of([&] { ids = t.encode(text); }, 2);
  auto const decoding = seconds_of([&] { back = t.decode(ids); }, 2);
  auto const mb = static_cast<double>(text.size()) / 1e6;
  out.inform(s.name + ": encode", mb / encoding, "MB/s");
  out.inform(s.name + ": decode", mb / decoding, "MB/s");
  out.inform(s.name + ": bytes per token", static_cast<double>(text.size()) / static_cast<double>(ids.size()), "bytes");
  if (s.byte_level) {
    out.at_least(s.name + ": encode and decode", mb / (encoding + decoding), "MB/s", speed_min_mb);
    out.at_most(s.name + ": round trip differs", back != text, "", 0.5);
  }
}

// The worst growth and time over texts that tempt an implementation into quadratic time.
void measure_hostile(report& out, subject const& s, tokenizer const& t) {
  struct {
    char const* name;
    std::string unit;
  } const texts[]{{"one letter", "a"},
                  {"spaces", " "},
                  {"newlines", "\n"},
                  {"space and newline", " \n"},
                  {"combining marks", "\xCC\x81"},
                  {"two combining marks", "\xCC\x81\xCC\xA3"},
                  {"a word without spaces", "thequickbrownfoxjumps"},
                  {"capitals and small letters", "aB"},
                  {"digits", "1"},
                  {"apostrophes", "'"},
                  {"Hangul without spaces", "\xEC\x84\x9C\xEC\x9A\xB8"},
                  {"prefixes of a control token", "<|im_start|"},
                  {"angle brackets", "<"},
                  {"broken bytes", "\xFF"},
                  {"letters of two alphabets", "a\xEC\x84\x9C"}};
  double worst_growth = 0, worst_seconds = 0;
  std::string steepest, slowest;
  for (auto const& [name, unit] : texts) {
    std::string whole;
    while (whole.size() < hostile_bytes) whole += unit;
    whole += 'x';
    auto const half = whole.substr(0, whole.size() / unit.size() / 2 * unit.size());
    auto const time = [&](std::string const& text) {
      return seconds_of([&] { static_cast<void>(t.encode(text, {.parse_special = true})); }, 3);
    };
    auto const short_time = time(half), long_time = time(whole);
    auto const growth = long_time < clock_floor ? 0 : long_time / std::max(short_time, clock_floor / 2);
    if (growth > worst_growth) worst_growth = growth, steepest = name;
    if (long_time > worst_seconds) worst_seconds = long_time, slowest = name;
  }
  out.at_most(s.name + ": 1 MB against 0.5 MB of " + steepest, worst_growth, "times", growth_max);
  out.at_most(s.name + ": 1 MB of " + slowest, worst_seconds, "s", hostile_seconds_max);
}

std::vector<subject> subjects(std::string const& sample) {
  std::vector<subject> all;
  char const* named = std::getenv("WHERRY_SHARED");
  auto const folder = std::filesystem::path(named && *named ? named : "../shared") / "data/tokenizers";
  for (std::string const name : {"gpt-2", "falcon", "starcoder", "deepseek-llm", "llama-spm", "bert-bge"}) {
    auto const path = folder / ("ggml-vocab-" + name + ".gguf");
    if (auto file = gguf_file::open(path))
      all.push_back({name, *file, name != "llama-spm" && name != "bert-bge"});
    else
      std::printf("left out: %s (set WHERRY_SHARED)\n", path.c_str());
  }
  for (std::string const pre : {"llama-bpe", "qwen2", "gpt-4o", "tekken", "deepseek-v3", "smollm"})
    all.push_back({pre + " (artificial)", gguf_file::from_bytes(artificial_vocabulary(pre, sample)).value(), true});
  all.push_back({"unigram (artificial)", gguf_file::from_bytes(artificial_unigram(sample)).value(), false});
  return all;
}

char const* option(int argc, char** argv, char const* name) {
  for (int i = 1; i + 1 < argc; ++i)
    if (std::strcmp(argv[i], name) == 0) return argv[i + 1];
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  report out("tokenizers, one core, processor time", argc, argv);
  auto const* seed = option(argc, argv, "--seed");
  auto const* bytes = option(argc, argv, "--bytes");
  auto const* only = option(argc, argv, "--only");
  text_maker maker(seed ? std::strtoull(seed, nullptr, 10) : 1);
  auto const sample = maker.make(4'000'000);
  auto const text = maker.make(bytes ? std::strtoull(bytes, nullptr, 10) : 10'000'000);
  std::vector<subject> chosen;
  if (auto const* path = option(argc, argv, "--model")) {
    auto const file = gguf_file::open(path);
    if (!file) {
      std::printf("%s: %s\n", path, file.error().message.c_str());
      return 1;
    }
    chosen.push_back(
        {std::filesystem::path(path).filename(), *file, file->find_string("tokenizer.ggml.model") == "gpt2"});
  } else {
    chosen = subjects(sample);
  }
  for (auto const& s : chosen) {
    if (only && s.name.find(only) == s.name.npos) continue;
    auto const t = tokenizer::from(s.file);
    if (!t) {
      std::printf("%s: %s\n", s.name.c_str(), t.error().message.c_str());
      return 1;
    }
    measure_loading(out, s);
    measure_speed(out, s, *t, text);
    measure_hostile(out, s, *t);
  }
  return out.finish();
}
