// What the memory is worth: how well it finds, how fast it is, what it costs to be durable.
//
//   bench_memory quality [--only locomo|beam|cranfield] [--embedder FILE | --embedder-program COMMAND]
//                        [--reranker FILE] [--set NAME=VALUE]...
//   bench_memory durability
//   bench_memory speed [--only recall|graph|open] [--vectors N] [--records N]
//   bench_memory size [--vectors N]
//
// --set changes a knob of recall (k1_short b_short k1_long b_long title phrase neighbour thread recency
// own_words, and the arms' weights text vector entity), to see what each is worth. Quality needs $WHERRY_SHARED;
// --embedder and --reranker are GGUF files; bench/embedder has a program for --embedder-program. Exit status 1 when a
// bar does not hold.

#include "bench_memory.hpp"
#include "program_embedder.hpp"

#include <wherry/llm/local_encoder.hpp>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>

namespace {

void set(bench_memory::quality_options& o, std::string const& assignment) {
  auto const equals = assignment.find('=');
  std::map<std::string, double*> const knobs{{"k1_short", &o.tuning.short_texts.k1},
                                             {"b_short", &o.tuning.short_texts.b},
                                             {"k1_long", &o.tuning.long_texts.k1},
                                             {"b_long", &o.tuning.long_texts.b},
                                             {"title", &o.tuning.title_weight},
                                             {"phrase", &o.tuning.phrase_weight},
                                             {"neighbour", &o.tuning.neighbour_weight},
                                             {"thread", &o.tuning.thread_weight},
                                             {"recency", &o.boosts.recency},
                                             {"own_words", &o.boosts.own_words},
                                             {"text", &o.weights.text},
                                             {"vector", &o.weights.vector},
                                             {"entity", &o.weights.entity}};
  auto const knob = knobs.find(assignment.substr(0, equals));
  if (knob == knobs.end() || equals == std::string::npos) {
    std::cerr << "bench_memory: no knob \"" << assignment << "\"\n";
    std::exit(2);
  }
  *knob->second = std::strtod(assignment.c_str() + equals + 1, nullptr);
}

int usage() {
  std::cerr << "usage: bench_memory quality|durability|speed|size [--only NAME] [--embedder FILE] [--embedder-program "
               "COMMAND]"
               " [--reranker FILE] [--set KNOB=VALUE]...\n";
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return usage();
  std::string const part = argv[1];
  bench_memory::quality_options quality;
  quality.models.model_time = std::chrono::hours(1);
  bench_memory::speed_options speed;
  for (int i = 2; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--only") == 0) quality.only = speed.only = argv[i + 1];
    if (std::strcmp(argv[i], "--vectors") == 0) speed.vectors = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--records") == 0) speed.records = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--set") == 0) set(quality, argv[i + 1]);
    if (std::strcmp(argv[i], "--embedder") == 0)
      quality.models.embedder = wherry::local_encoder(argv[i + 1]).as_embedder().value();
    if (std::strcmp(argv[i], "--embedder-program") == 0)
      quality.models.embedder = bench_memory::start_program_embedder(argv[i + 1]);
    if (std::strcmp(argv[i], "--reranker") == 0)
      quality.models.reranker = wherry::local_encoder(argv[i + 1]).as_reranker().value();
  }
  auto name = (std::filesystem::temp_directory_path() / "bench_memory-XXXXXX").string();
  if (!::mkdtemp(name.data())) return 2;
  bool held = false;
  if (part == "quality")
    held = bench_memory::quality(name, quality);
  else if (part == "durability")
    held = bench_memory::durability(name);
  else if (part == "speed")
    held = bench_memory::speed(name, speed);
  else if (part == "size")
    held = bench_memory::size(name, speed.vectors);
  else
    return usage();
  std::filesystem::remove_all(name);
  return held ? 0 : 1;
}
