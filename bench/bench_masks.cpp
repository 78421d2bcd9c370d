// JSON Schemas of the real world (MaskBench) as constraints: which compile, whether they accept the valid instances and
// refuse the invalid ones, and what a mask costs.
//
//   bench_masks [--split NAME] [--limit N] [--only ID] [--vocabulary FILE.gguf] [--order any] [--refused] [--wrong]
//               [--slow] [--check]
//
// Data: $WHERRY_SHARED/data/maskbench. Instances are written as compact UTF-8 with their members in the schema's order:
// those in "properties" first, then those only in "required", each schema's own before those of what it combines; with
// --order any as they stand. A schema that is refused counts as failing. Mask time: processor time of one thread from
// accept(token) to the ready bitset, all caches empty when a schema begins. --check makes no good times: it reads every
// valid instance byte by byte and asks for all tokens that spell it, and ends one at random (mask_checks.hpp).

#include "bench_report.hpp"
#include "mask_checks.hpp"

#include "grammar/tokenizer_vocabulary.hpp"
#include "schema/document.hpp"
#include "schema/evaluate.hpp"
#include "schema/pattern.hpp"

#include <wherry/core/json.hpp>
#include <wherry/llm/grammar.hpp>
#include <wherry/llm/tokenizer.hpp>

#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <sstream>

using namespace wherry;
namespace fs = std::filesystem;

namespace {

struct settings {
  std::string split, only;  // only: the schema with this id
  std::size_t limit = 0;
  fs::path data, vocabulary;
  bool any_order = false;
  std::size_t refused = 0;  // of the refused schemas, how many to show
  bool wrong = false;       // show what was judged wrongly
  bool check = false;       // look for missing tokens and dead ends
  bool slow = false;        // show the slowest masks and first masks
};

double thread_microseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

// Members in the order in which a schema declares them. Shares nothing with the grammar's compiler but the reading of
// references.
class arranger {
 public:
  explicit arranger(json const& schema) {
    auto root = known_.add("", schema);
    if (root) root_ = *root;
  }
  json arrange(json const& value) {
    if (!root_.schema) return value;
    return arranged({root_}, value, 0);
  }

 private:
  using places = std::vector<schema::place>;

  static json const* part(json const& s, char const* keyword) {
    if (!s.is_object()) return nullptr;
    auto const it = s.find(keyword);
    return it == s.end() ? nullptr : &*it;
  }
  schema::place at(json const& s, schema::place const& in) const { return {&s, known_.within(s, in.in)}; }

  // Everything that applies to the value itself; of alternatives those that match it.
  void applied(schema::place const& p, json const& value, places& out, int depth) {
    if (depth > 40 || !p.schema->is_object() || out.size() > 200) return;
    json const& s = *p.schema;
    auto const* own = part(s, "$ref");
    bool const alone = own && own->is_string() && p.in->dialect < schema::draft::draft2019;
    if (!alone) out.push_back(p);
    if (auto const* ref = part(s, "$ref"); ref && ref->is_string()) {
      if (auto target = known_.resolve(*p.in, ref->get_ref<std::string const&>()))
        applied(*target, value, out, depth + 1);
    }
    if (alone) return;
    if (auto const* all = part(s, "allOf"); all && all->is_array())
      for (auto const& one : *all) applied(at(one, p), value, out, depth + 1);
    for (char const* keyword : {"anyOf", "oneOf"}) {
      auto const* list = part(s, keyword);
      if (!list || !list->is_array()) continue;
      for (auto const& one : *list) {
        auto const fits = schema::matches(known_, verdict_patterns_, at(one, p), value);
        if (fits && *fits) applied(at(one, p), value, out, depth + 1);
      }
    }
    if (auto const* condition = part(s, "if")) {
      auto const holds = schema::matches(known_, verdict_patterns_, at(*condition, p), value);
      bool const yes = holds && *holds;
      if (yes) applied(at(*condition, p), value, out, depth + 1);
      if (auto const* then = part(s, yes ? "then" : "else")) applied(at(*then, p), value, out, depth + 1);
    }
    for (char const* keyword : {"dependentSchemas", "dependencies"}) {
      auto const* all = part(s, keyword);
      if (!all || !all->is_object() || !value.is_object()) continue;
      for (auto const& [name, one] : all->items())
        if (one.is_object() && value.contains(name)) applied(at(one, p), value, out, depth + 1);
    }
  }
  bool matches(std::string const& pattern, std::string const& name) {
    auto& known = patterns_[pattern];
    if (!known) {
      auto in = std::make_shared<regex::arena>();
      auto parsed = regex::parse_pattern(*in, pattern, regex::spelling::utf8);
      if (!parsed) return false;
      known = std::make_unique<regex::automaton>(in, *parsed);
    }
    return known->matches(name);
  }

  json arranged(places const& roots, json const& value, int depth) {
    if (depth > 200 || !value.is_structured()) return value;
    places all;
    for (auto const& root : roots) applied(root, value, all, 0);
    if (value.is_array()) {
      json out = json::array();
      for (std::size_t i = 0; i < value.size(); ++i) {
        places inner;
        for (auto const& p : all) {
          auto const* items = part(*p.schema, "items");
          auto const* prefix = part(*p.schema, "prefixItems");
          if (items && items->is_array()) prefix = items, items = part(*p.schema, "additionalItems");
          if (prefix && prefix->is_array() && i < prefix->size())
            inner.push_back(at((*prefix)[i], p));
          else if (items && !items->is_array())
            inner.push_back(at(*items, p));
        }
        out.push_back(arranged(inner, value[i], depth + 1));
      }
      return out;
    }
    std::vector<std::string> names;
    std::set<std::string> seen;
    auto const mention = [&](std::string const& name) {
      if (value.contains(name) && seen.insert(name).second) names.push_back(name);
    };
    for (auto const& p : all)
      if (auto const* properties = part(*p.schema, "properties"); properties && properties->is_object())
        for (auto const& [name, unused] : properties->items()) mention(name);
    for (auto const& p : all)
      if (auto const* required = part(*p.schema, "required"); required && required->is_array())
        for (auto const& name : *required)
          if (name.is_string()) mention(name);
    for (auto const& [name, unused] : value.items()) mention(name);
    json out = json::object();
    for (auto const& name : names) {
      places inner;
      for (auto const& p : all) {
        bool known = false;
        if (auto const* properties = part(*p.schema, "properties");
            properties && properties->is_object() && properties->contains(name)) {
          known = true;
          inner.push_back(at((*properties)[name], p));
        }
        if (auto const* patterns = part(*p.schema, "patternProperties"); patterns && patterns->is_object())
          for (auto const& [pattern, one] : patterns->items())
            if (matches(pattern, name)) known = true, inner.push_back(at(one, p));
        if (auto const* more = part(*p.schema, "additionalProperties"); more && !known) inner.push_back(at(*more, p));
      }
      out[name] = arranged(inner, value[name], depth + 1);
    }
    return out;
  }

  schema::documents known_;
  schema::place root_;
  std::map<std::string, std::unique_ptr<regex::automaton>> patterns_;
  schema::pattern_cache verdict_patterns_;
};

struct tally {
  std::size_t schemas = 0, passing = 0, refused = 0, rejects_valid = 0, accepts_invalid = 0;
  std::size_t valid = 0, valid_rejected = 0, invalid = 0, invalid_accepted = 0;
  void add(tally const& t) {
    schemas += t.schemas, passing += t.passing, refused += t.refused, rejects_valid += t.rejects_valid;
    accepts_invalid += t.accepts_invalid, valid += t.valid, valid_rejected += t.valid_rejected;
    invalid += t.invalid, invalid_accepted += t.invalid_accepted;
  }
};

struct times {
  std::vector<double> mask, warm, first;
};

class runner {
 public:
  runner(settings s, tokenizer tokens)
      : settings_(std::move(s)), tokens_(std::move(tokens)), vocabulary_(grammar::vocabulary_of(tokens_).value()) {
    if (settings_.any_order) limits_.order = grammar::member_order::any;
    if (settings_.check) checks.emplace(tokens_);
  }

  tally split(fs::path const& file) {
    std::string const command = "gzip -dc '" + file.string() + "'";
    std::unique_ptr<FILE, int (*)(FILE*)> in(popen(command.c_str(), "r"), pclose);
    tally all;
    if (!in) return all;
    std::string line;
    for (int c; (c = std::fgetc(in.get())) != EOF;) {
      if (c != '\n') {
        line += static_cast<char>(c);
        continue;
      }
      if (settings_.limit > 0 && all.schemas >= settings_.limit) break;
      auto parsed = parse_json(line, repeated_keys::keep_last);
      line.clear();
      if (!parsed || (!settings_.only.empty() && (*parsed)["id"] != settings_.only)) continue;
      one(*parsed, all);
    }
    return all;
  }

  std::map<std::string, std::size_t> refused;
  times taken;
  std::optional<wherry_bench::mask_checks> checks;
  std::vector<std::pair<double, std::string>> slowest, slowest_first;

 private:
  void one(json const& entry, tally& all) {
    ++all.schemas;
    json const& schema = entry["schema"];
    auto const name = entry["id"].get<std::string>();
    std::string const text = to_text(schema);
    double const begin = thread_microseconds();
    auto const compiled = grammar::compile(grammar::json_schema({text}, limits_), vocabulary_);
    if (!compiled) {
      ++all.refused;
      auto const& message = compiled.error().message;
      auto const quote = message.find('"');
      auto const at = message.find("\" at \"");
      std::string keyword = at == std::string::npos ? "(" + message.substr(message.find(':') + 2) + ")"
                                                    : message.substr(quote + 1, at - quote - 1);
      ++refused[keyword];
      if (settings_.refused > 0) std::printf("refused %s: %s\n", name.c_str(), message.substr(0, 300).c_str());
      return;
    }
    grammar::matcher m(*compiled);
    m.allowed();
    taken.first.push_back(thread_microseconds() - begin);
    slowest_first.emplace_back(taken.first.back(), name);
    arranger order(schema);
    bool rejects = false, accepts = false;
    for (auto const& test : entry["tests"]) {
      json const& data = test["data"];
      std::string const written = to_text(settings_.any_order ? data : order.arrange(data));
      std::string stopped;
      bool const fits = reads(m, written, taken.mask, name, stopped);
      if (fits && checks) checks->check(*compiled, written, name);
      if (test["valid"].get<bool>()) {
        ++all.valid;
        if (!fits) {
          ++all.valid_rejected;
          rejects = true;
          if (settings_.wrong)
            std::printf("rejects %s: %s\n    at: %s\n", name.c_str(), test["description"].dump().substr(0, 100).c_str(),
                        stopped.c_str());
        }
      } else {
        ++all.invalid;
        if (fits) {
          ++all.invalid_accepted;
          accepts = true;
          if (settings_.wrong)
            std::printf("accepts %s: %s\n    %s\n", name.c_str(), test["description"].dump().substr(0, 100).c_str(),
                        written.substr(0, 300).c_str());
        }
      }
    }
    for (auto const& test : entry["tests"]) {
      if (!test["valid"].get<bool>()) continue;
      std::string stopped;
      reads(m, to_text(settings_.any_order ? test["data"] : order.arrange(test["data"])), taken.warm, {}, stopped);
      break;
    }
    if (rejects) ++all.rejects_valid;
    if (accepts) ++all.accepts_invalid;
    if (!rejects && !accepts) ++all.passing;
  }

  bool reads(grammar::matcher& m, std::string const& text, std::vector<double>& into, std::string const& name,
             std::string& stopped) {
    m.reset();
    auto const ids = tokens_.encode(text);
    double begin = thread_microseconds();
    std::string read;
    for (token_id const id : ids) {
      auto const mask = m.allowed();
      double const now = thread_microseconds();
      into.push_back(now - begin);
      if (!name.empty() && now - begin > 3'000)
        slowest.emplace_back(now - begin, name + " after " + read.substr(read.size() > 80 ? read.size() - 80 : 0));
      if (!grammar::is_allowed(mask, id)) {
        stopped = read.substr(read.size() > 200 ? read.size() - 200 : 0) + " >>> " + tokens_.token_bytes(id);
        return false;
      }
      read += tokens_.token_bytes(id);
      begin = thread_microseconds();
      if (!m.accept(id)) {
        stopped = read + " >>> was allowed and not accepted";
        std::printf("BROKEN %s: %s\n", name.c_str(), stopped.c_str());
        return false;
      }
    }
    stopped = "(end)";
    return m.is_complete();
  }

  settings settings_;
  tokenizer tokens_;
  grammar::vocabulary vocabulary_;
  grammar::bounds limits_;
};

double percent(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

void line(std::string const& name, tally const& t) {
  std::printf("%-16s %7zu %8.1f %9.1f %10.2f %12.2f %9zu %9zu %9zu %9zu\n", name.c_str(), t.schemas,
              percent(t.passing, t.schemas), percent(t.refused, t.schemas), percent(t.rejects_valid, t.schemas),
              percent(t.accepts_invalid, t.schemas), t.valid, t.valid_rejected, t.invalid, t.invalid_accepted);
}

void slowest(char const* what, std::vector<std::pair<double, std::string>>& all) {
  constexpr std::size_t shown = 25;
  std::sort(all.rbegin(), all.rend());
  if (all.size() > shown) all.resize(shown);
  for (auto const& [time, where] : all) std::printf("%s, %.0f us: %s\n", what, time, where.c_str());
}

double average(std::vector<double> const& v) {
  double sum = 0;
  for (double const x : v) sum += x;
  return v.empty() ? 0 : sum / static_cast<double>(v.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 1 << 16);
  settings s;
  char const* shared = std::getenv("WHERRY_SHARED");
  fs::path const root = shared ? shared : "../shared";
  s.data = root / "data" / "maskbench";
  s.vocabulary = root / "data" / "tokenizers" / "ggml-vocab-deepseek-llm.gguf";
  for (int i = 1; i < argc; ++i) {
    std::string const name = argv[i];
    auto const value = [&]() -> std::string { return i + 1 < argc ? argv[++i] : ""; };
    if (name == "--split")
      s.split = value();
    else if (name == "--limit")
      s.limit = std::stoul(value());
    else if (name == "--vocabulary")
      s.vocabulary = value();
    else if (name == "--order")
      s.any_order = value() == "any";
    else if (name == "--refused")
      s.refused = 1;
    else if (name == "--wrong")
      s.wrong = true;
    else if (name == "--check")
      s.check = true;
    else if (name == "--slow")
      s.slow = true;
    else if (name == "--only")
      s.only = value();
    else {
      std::fprintf(stderr, "bench_masks: unknown argument %s\n", name.c_str());
      return 2;
    }
  }
  if (!fs::exists(s.data)) {
    std::fprintf(stderr, "bench_masks: %s is not there; set WHERRY_SHARED\n", s.data.c_str());
    return 2;
  }
  auto const file = gguf_file::open(s.vocabulary);
  if (!file) {
    std::fprintf(stderr, "bench_masks: %s\n", file.error().message.c_str());
    return 2;
  }
  auto tokens = tokenizer::from(*file);
  if (!tokens) {
    std::fprintf(stderr, "bench_masks: %s\n", tokens.error().message.c_str());
    return 2;
  }
  std::printf("vocabulary: %s, %zu tokens; members in %s order\n\n", s.vocabulary.filename().c_str(), tokens->size(),
              s.any_order ? "their own" : "the schema's");
  runner run(s, *tokens);
  std::printf("%-16s %7s %8s %9s %10s %12s %9s %9s %9s %9s\n", "split", "schemas", "pass %", "refused %", "rejects %",
              "accepts %", "valid", "rejected", "invalid", "accepted");
  tally total;
  std::vector<fs::path> files;
  for (auto const& entry : fs::directory_iterator(s.data))
    if (entry.path().filename().string().ends_with(".jsonl.gz")) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (auto const& path : files) {
    std::string name = path.filename().string();
    name.resize(name.size() - 9);
    if (!s.split.empty() && s.split != name) continue;
    auto const t = run.split(path);
    line(name, t);
    std::fflush(stdout);
    total.add(t);
  }
  line("all", total);
  std::printf("\nvalid instances of compiled schemas rejected: %.3f %%\n", percent(total.valid_rejected, total.valid));
  std::printf("\nrefused, by keyword:\n");
  std::vector<std::pair<std::size_t, std::string>> by_count;
  for (auto const& [keyword, count] : run.refused) by_count.emplace_back(count, keyword);
  std::sort(by_count.rbegin(), by_count.rend());
  for (auto const& [count, keyword] : by_count) std::printf("  %5zu  %s\n", count, keyword.c_str());
  using wherry_bench::quantile;
  auto const row = [](char const* name, std::vector<double> const& v) {
    std::printf("%-28s %9zu %9.1f %9.1f %9.1f %9.1f %10.1f %10.1f\n", name, v.size(), average(v), quantile(v, .5),
                quantile(v, .9), quantile(v, .99), quantile(v, .999), quantile(v, 1));
  };
  std::printf("\n%-28s %9s %9s %9s %9s %9s %10s %10s\n", "us of processor time", "count", "average", "p50", "p90",
              "p99", "p99.9", "max");
  row("mask, caches empty at start", run.taken.mask);
  row("mask, warm", run.taken.warm);
  row("compile and first mask", run.taken.first);
  std::printf(
      "\npublished (March 2025, another machine, us)     pass %%   mask avg / p50 / p99 / p99.9          first mask "
      "p50 / p99\n"
      "  llguidance 0.7.10                             78.8      64 / 46 / 533 / 1,695               1,037 / 17,988\n"
      "  XGrammar 0.1.17                               71.8      728 / 9 / 5,687 / 100,267           919,459 / 900M\n"
      "  Outlines-core 0.2.3                           62.4      1,858 / 34 / 7,184 / 7,820          587,900 / 413M\n"
      "  llama.cpp (python 0.3.8)                      57.5      16,565 / 17,021 / 60,371 / 297,552  312 / 28,558\n");
  if (auto const& c = run.checks) {
    std::printf("\nat %zu places %zu tokens spell what comes next: %zu are missing\n", c->places, c->tokens_asked,
                c->tokens_missing);
    std::printf("%zu generations at random: %zu end whole, %zu at a dead end\n", c->random_masks, c->completions,
                c->dead_ends);
  }
  if (s.slow) {
    slowest("mask", run.slowest);
    slowest("first mask", run.slowest_first);
  }
  return 0;
}
