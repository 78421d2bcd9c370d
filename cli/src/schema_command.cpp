#include "commands.hpp"
#include "outcome.hpp"
#include "terminal.hpp"

#include <wherry/core/json.hpp>
#include <wherry/llm/grammar.hpp>
#include <wherry/llm/json_validator.hpp>

#include <array>
#include <fstream>
#include <iterator>

namespace wherry::cli {
namespace {

constexpr std::size_t file_bytes_max = std::size_t{64} << 20;

result<std::string> read_whole(std::string const& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return error(errc::not_found, "cannot open " + path, "cli.schema");
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (text.size() > file_bytes_max) return error(errc::limit_reached, path + " is larger than 64 MiB", "cli.schema");
  return text;
}

// Whether a schema can be a constraint does not depend on a model; bytes are the smallest vocabulary.
grammar::vocabulary byte_vocabulary() {
  std::vector<std::string> bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.emplace_back(1, static_cast<char>(byte));
  bytes.emplace_back();
  std::array<token_id, 1> const end{256};
  return grammar::vocabulary::build(std::move(bytes), {}, end).value();
}

// A shortest answer: with no budget to spare every choice leads to one.
std::string shortest_text(grammar::program const& p) {
  grammar::matcher m(p);
  std::string text;
  for (std::size_t left = p.shortest_answer(); left > 0; --left) {
    auto const mask = m.allowed(left);
    token_id next = -1;
    for (token_id id = 0; id < 256 && next < 0; ++id) {
      if (grammar::is_allowed(mask, id)) next = id;
    }
    if (next < 0 || !m.accept(next)) break;
    text += static_cast<char>(next);
  }
  return text;
}

}  // namespace

int schema_check_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto const text = read_whole(given.file);
  if (!text) return report(text.error(), as_json);
  auto const validator = json_validator::make({*text});
  if (!validator) return report(validator.error(), as_json);
  json out{{"schema", given.file}};
  int code = exit_ok;
  auto const program = grammar::compile(grammar::json_schema({*text}), byte_vocabulary());
  out["constraint"] = program.has_value();
  if (!program) {
    out["refused"] = program.error().message;
    out["at"] = program.error().path;
    code = exit_failed;
  }
  json instances = json::array();
  for (auto const& path : given.texts) {
    auto const instance = read_whole(path);
    if (!instance) return report(instance.error(), as_json);
    auto const found = validator->validate(*instance);
    json one{{"instance", path}};
    if (!found) {
      one["valid"] = false;
      one["violations"] = json::array({found.error().message});
    } else {
      one["valid"] = found->empty();
      one["violations"] = json::array();
      for (auto const& violation : *found) one["violations"].push_back(to_string(violation));
    }
    if (one["valid"] == json(false)) code = exit_failed;
    instances.push_back(std::move(one));
  }
  out["instances"] = instances;
  if (as_json) {
    put_raw(to_text(out) + '\n');
    return code;
  }
  put(program ? "a model can be held to it\n" : "no model can be held to it: " + program.error().message + '\n');
  for (auto const& one : instances) {
    put(one["instance"].get<std::string>() + (one["valid"] == json(true) ? ": valid\n" : ": not valid\n"));
    for (auto const& violation : one["violations"]) put("  " + violation.get<std::string>() + '\n');
  }
  return code;
}

int schema_explain_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto const text = read_whole(given.file);
  if (!text) return report(text.error(), as_json);
  auto const program = grammar::compile(grammar::json_schema({*text}), byte_vocabulary());
  if (!program) return report(program.error(), as_json);
  grammar::matcher m(*program);
  std::string const begins = m.forced(), shortest = shortest_text(*program);
  grammar::bounds const bounds;
  if (as_json) {
    json const out{{"schema", given.file},
                   {"shortest_answer", shortest},
                   {"shortest_answer_bytes", program->shortest_answer()},
                   {"every_answer_begins_with", begins},
                   {"bounds",
                    {{"string_bytes", bounds.string_bytes},
                     {"array_items", bounds.array_items},
                     {"object_members", bounds.object_members},
                     {"depth", bounds.depth}}}};
    put_raw(to_text(out) + '\n');
    return exit_ok;
  }
  put("answers are compact JSON: no white space, members in the order of \"properties\"\n");
  put("a shortest answer (" + std::to_string(program->shortest_answer()) + " bytes): " + shortest + '\n');
  put(begins.empty() ? "nothing is fixed at the beginning\n" : "every answer begins with: " + begins + '\n');
  put("what the schema leaves open is bounded: strings " + std::to_string(bounds.string_bytes) + " bytes, arrays " +
      std::to_string(bounds.array_items) + " items, " + std::to_string(bounds.object_members) +
      " members beyond those declared, recursion " + std::to_string(bounds.depth) + " deep\n");
  return exit_ok;
}

}  // namespace wherry::cli
