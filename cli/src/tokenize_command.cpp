#include "commands.hpp"
#include "model_choice.hpp"
#include "outcome.hpp"
#include "standard_input.hpp"
#include "terminal.hpp"

#include <wherry/core/hash.hpp>
#include <wherry/core/json.hpp>
#include <wherry/core/text.hpp>
#include <wherry/llm/tokenizer.hpp>

#include <cstdio>

namespace wherry::cli {
namespace {

/// Longest text, from the command line or standard input.
constexpr std::size_t text_bytes_max = std::size_t{64} << 20;

char const* name_of(token_kind kind) {
  switch (kind) {
    case token_kind::normal: return "normal";
    case token_kind::unknown: return "unknown";
    case token_kind::control: return "control";
    case token_kind::user_defined: return "user-defined";
    case token_kind::unused: return "unused";
    case token_kind::byte: return "byte";
  }
  return "";
}

// The bytes of a token between quotes; what is no printable character is escaped.
std::string in_quotes(std::string_view bytes) {
  std::string out = "\"";
  while (!bytes.empty()) {
    auto const valid = bytes.substr(0, utf8_error_at(bytes));
    for (char const c : valid) {
      if (c == '\n')
        out += "\\n";
      else if (c == '\t')
        out += "\\t";
      else if (c == '\r')
        out += "\\r";
      else if (c == '"' || c == '\\')
        out += {'\\', c};
      else
        out += c;
    }
    bytes.remove_prefix(valid.size());
    if (bytes.empty()) break;
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\x%02X", static_cast<unsigned char>(bytes.front()));
    out += escaped;
    bytes.remove_prefix(1);
  }
  return out + '"';
}

struct named_id {
  char const* name;
  std::optional<token_id> id;
};

std::vector<named_id> special_ids(tokenizer const& t) {
  std::vector<named_id> all{{"bos", t.bos()}, {"eos", t.eos()}, {"unknown", t.unknown()}, {"cls", t.cls()},
                            {"sep", t.sep()}, {"pad", t.pad()}, {"mask", t.mask()}};
  std::erase_if(all, [](named_id const& n) { return !n.id; });
  return all;
}

json tokens_json(tokenizer const& t, std::string const& file, std::string_view text, std::vector<token_id> const& ids) {
  json j;
  j["model"] = file;
  j["tokenizer"] = std::string(t.family());
  j["vocabulary"] = t.size();
  for (auto const& [name, id] : special_ids(t))
    j["special_tokens"][name] = {{"id", *id}, {"piece", utf8_repaired(t.piece(*id))}};
  j["bytes"] = text.size();
  j["count"] = ids.size();
  json tokens = json::array();
  for (auto const id : ids) {
    json token;
    token["id"] = id;
    token["kind"] = name_of(t.kind(id));
    token["piece"] = utf8_repaired(t.piece(id));
    auto const bytes = t.token_bytes(id, {.show_special = true});
    token["text"] = utf8_repaired(bytes);
    token["bytes_hex"] = to_hex(bytes);
    tokens.push_back(std::move(token));
  }
  j["tokens"] = std::move(tokens);
  return j;
}

void show_tokens(tokenizer const& t, std::string_view text, std::vector<token_id> const& ids) {
  auto const width = std::to_string(t.size()).size();
  std::string out;
  for (auto const id : ids) {
    auto number = std::to_string(id);
    out += std::string(width - std::min(width, number.size()), ' ') + number + "  ";
    auto const bytes = harmless(in_quotes(t.token_bytes(id, {.show_special = true})));
    auto const kind = t.kind(id);
    bool const plain = kind == token_kind::normal || kind == token_kind::byte;
    out += plain ? bytes : styled_output(style::bold, bytes) + "  " + name_of(kind);
    out += '\n';
  }
  out += std::to_string(ids.size()) + (ids.size() == 1 ? " token" : " tokens") + " for " + std::to_string(text.size()) +
         (text.size() == 1 ? " byte; " : " bytes; ") + std::string(t.family()) + ", " + std::to_string(t.size()) +
         " entries\n";
  std::string specials;
  for (auto const& [name, id] : special_ids(t))
    specials +=
        (specials.empty() ? "" : ", ") + std::string(name) + ' ' + std::to_string(*id) + ' ' + in_quotes(t.piece(*id));
  if (!specials.empty()) out += "special tokens: " + harmless(specials) + '\n';
  put_raw(out);
}

result<std::string> text_of(settings const& given) {
  if (given.text && *given.text != "-") return *given.text;
  return read_standard_input(text_bytes_max, "cli.tokenize");
}

}  // namespace

int tokenize_command(settings const& given) {
  auto const choice = choose_model(given.model);
  if (choice.source == model_source::random) {
    say("wherry: tokenize needs a vocabulary: name a GGUF with --model FILE or WHERRY_MODEL=FILE");
    return exit_usage;
  }
  auto const path = model_file(given.model);
  if (!path) return report(path.error(), given.output.as_json);
  auto const file = gguf_file::open(*path);
  if (!file) return report(file.error(), given.output.as_json);
  auto const t = tokenizer::from(*file);
  if (!t) return report(t.error(), given.output.as_json);
  auto const text = text_of(given);
  if (!text) return report(text.error(), given.output.as_json);

  auto const ids = t->encode(*text, {.add_special = given.special, .parse_special = given.special});
  if (given.output.as_json) {
    put_raw(to_text(tokens_json(*t, choice.file, *text, ids)) + '\n');
  } else if (given.ids_only) {
    std::string out;
    for (auto const id : ids) out += (out.empty() ? "" : " ") + std::to_string(id);
    put_raw(out + '\n');
  } else {
    show_tokens(*t, *text, ids);
  }
  return exit_ok;
}

}  // namespace wherry::cli
