// What a constraint costs while decoding, and what its forced bytes save.
//
//   bench_constrained [--model FILE.gguf] [--threads N] [--rounds N] [--json FILE]
//
// For each schema under bench/schemas the document beside it is decoded three times with the same model: freely (each
// token of the document one after the other), with masks (the same, and a mask before each token), and jumping forward
// (forced bytes are tokenised and read as one small prompt). Without --model a model with random weights is made; its
// passes cost nothing, so only the masks' own time means something then.

#include "bench_report.hpp"

#include "engine/transformer.hpp"
#include "engine/worker_pool.hpp"
#include "grammar/tokenizer_vocabulary.hpp"

#include <wherry/core/json.hpp>
#include <wherry/llm/grammar.hpp>
#include <wherry/llm/kernels.hpp>
#include <wherry/llm/random_model.hpp>
#include <wherry/llm/tokenizer.hpp>

#include <chrono>
#include <filesystem>

using namespace wherry;
namespace fs = std::filesystem;

namespace {

std::string read_file(fs::path const& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct decoder {
  engine::transformer const& model;
  tokenizer const& tokens;
  engine::worker_pool& pool;
  std::vector<token_id> prompt;
  std::vector<float> logits;

  struct outcome {
    double seconds = 0, mask_seconds = 0;
    std::size_t tokens = 0, passes = 0;
  };

  std::vector<token_id> spell(std::string_view text) const {
    auto ids = tokens.encode(text);
    std::string spelled;
    for (token_id const id : ids) spelled += tokens.token_bytes(id);
    if (spelled == text) return ids;
    // A tokenizer that puts a space in front of every text: byte by byte then.
    ids.clear();
    for (char const c : text) {
      auto one = tokens.encode(std::string(1, c));
      ids.push_back(one.back());
    }
    return ids;
  }

  outcome run(std::string const& document, grammar::program const* constraint, bool jump) {
    outcome out;
    auto sequence = model.make_sequence(2'048).value();
    logits.resize(model.configuration().vocabulary);
    model.forward(prompt, sequence, pool, logits).value();
    std::optional<grammar::matcher> m;
    if (constraint) m.emplace(*constraint);
    auto rest = spell(document);
    std::size_t at = 0, read = 0;
    double const begin = now();
    // As the local model does it: what is forced behind a token is computed in the same pass.
    auto const jump_from = [&](std::vector<token_id>& step) {
      std::string const forced = m->forced();
      if (forced.empty()) return;
      auto ahead = spell(forced);
      auto const longer = spell(std::string_view(document).substr(read, forced.size() + 1));
      auto const same = std::mismatch(ahead.begin(), ahead.end(), longer.begin(), longer.end()).first;
      ahead.erase(same, ahead.end());
      for (token_id const id : ahead) {
        if (!m->accept(id)) std::abort();
        read += tokens.token_bytes(id).size();
      }
      if (ahead.empty()) return;
      step.insert(step.end(), ahead.begin(), ahead.end());
      rest = spell(std::string_view(document).substr(read));
      at = 0;
    };
    while (at < rest.size()) {
      std::vector<token_id> step;
      double const mask_begin = now();
      if (m && jump && read == 0) jump_from(step);
      if (step.empty()) {
        if (m) {
          auto const mask = m->allowed(2'048);
          if (!grammar::is_allowed(mask, rest[at]) || !m->accept(rest[at])) std::abort();
        }
        read += tokens.token_bytes(rest[at]).size();
        step = {rest[at++]};
        if (m && jump) jump_from(step);
      }
      out.mask_seconds += now() - mask_begin;
      model.forward(step, sequence, pool, logits).value();
      out.tokens += step.size();
      ++out.passes;
    }
    out.seconds = now() - begin;
    return out;
  }
};

}  // namespace

int main(int argc, char** argv) {
  std::string file, folder = WHERRY_BENCH_SCHEMAS;
  unsigned threads = 2;
  std::size_t rounds = 3;
  for (int i = 1; i + 1 < argc; ++i) {
    std::string const name = argv[i];
    if (name == "--model")
      file = argv[++i];
    else if (name == "--threads")
      threads = static_cast<unsigned>(std::stoul(argv[++i]));
    else if (name == "--rounds")
      rounds = std::stoul(argv[++i]);
  }
  auto opened = file.empty() ? make_random_model() : gguf_file::open(file);
  if (!opened) {
    std::fprintf(stderr, "bench_constrained: %s\n", opened.error().message.c_str());
    return 2;
  }
  auto const tokens = tokenizer::from(*opened).value();
  auto const model = engine::transformer::load(*opened, choose_kernels("auto").value()).value();
  auto const vocabulary = grammar::vocabulary_of(tokens).value();
  engine::worker_pool pool(threads);
  wherry_bench::report report(
      "constrained decoding: " + (file.empty() ? std::string("random weights") : fs::path(file).filename().string()) +
          ", " + std::to_string(tokens.size()) + " tokens",
      argc, argv);
  for (std::string const name : {"flat", "nested", "enum"}) {
    auto const schema = read_file(fs::path(folder) / (name + ".json"));
    auto const document = read_file(fs::path(folder) / (name + ".document.json"));
    auto const program = grammar::compile(grammar::json_schema({schema}), vocabulary);
    if (!program) {
      std::fprintf(stderr, "bench_constrained: %s\n", program.error().message.c_str());
      return 2;
    }
    decoder d{*model, tokens, pool, {}, {}};
    d.prompt = d.spell("Answer with JSON: ");
    std::vector<double> free, masked, jumping, share;
    decoder::outcome last;
    for (std::size_t round = 0; round < rounds; ++round) {
      auto const a = d.run(document, nullptr, false);
      auto const b = d.run(document, &*program, false);
      last = d.run(document, &*program, true);
      free.push_back(a.seconds / static_cast<double>(a.tokens));
      masked.push_back(b.seconds / static_cast<double>(b.tokens));
      share.push_back(b.mask_seconds / (b.seconds - b.mask_seconds));
      jumping.push_back(a.seconds / last.seconds);
    }
    using wherry_bench::quantile;
    report.inform(name + ": tokens/s, free", 1 / quantile(free, .5), "1/s");
    report.inform(name + ": tokens/s, masked", 1 / quantile(masked, .5), "1/s");
    bool const real = !file.empty();
    if (real)
      report.at_most(name + ": masks, share of decoding", 100 * quantile(share, .5), "%", 3);
    else
      report.inform(name + ": masks, share of decoding", 100 * quantile(share, .5), "%");
    double const skipped = 100.0 * static_cast<double>(last.tokens - last.passes) / static_cast<double>(last.tokens);
    if (name == "enum")
      report.inform(name + ": tokens without a pass of their own", skipped, "%");
    else
      report.at_least(name + ": tokens without a pass of their own", skipped, "%", 25);
    if (real && name == "nested")
      report.at_least(name + ": jumping forward, times faster than free", quantile(jumping, .5), "x", 1.3);
    else
      report.inform(name + ": jumping forward, times faster than free", quantile(jumping, .5), "x");
  }
  return report.finish();
}
