#include "commands.hpp"
#include "desk.hpp"
#include "event_printer.hpp"
#include "model_choice.hpp"
#include "outcome.hpp"
#include "standard_input.hpp"
#include "store_place.hpp"

#include <wherry/core/text.hpp>
#include <wherry/llm/grammar.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace wherry::cli {
namespace {

/// Longest question, standard input included.
constexpr std::size_t question_bytes_max = std::size_t{16} << 20;

// A pipe or a file was put there on purpose; a terminal, /dev/null or nothing was not.
bool input_was_redirected() {
  struct stat what{};
  return fstat(STDIN_FILENO, &what) == 0 && (S_ISFIFO(what.st_mode) || S_ISREG(what.st_mode));
}

// TEXT, or standard input, or both with an empty line between them.
result<std::string> question_of(settings const& given) {
  bool const only_input = !given.text || *given.text == "-";
  std::string question = only_input ? "" : *given.text;
  if (only_input || input_was_redirected()) {
    auto input = read_standard_input(question_bytes_max, "cli.ask");
    if (!input) return input;
    while (!input->empty() && input->back() == '\n') input->pop_back();
    if (!input->empty()) question += (question.empty() ? "" : "\n\n") + *input;
  }
  if (question.empty())
    return error{errc::invalid_argument, "there is nothing to ask; for example: wherry ask \"What is a wherry?\"",
                 "cli.ask"};
  if (!is_valid_utf8(question))
    return error{errc::invalid_argument,
                 "the question is not UTF-8 at byte " + std::to_string(utf8_error_at(question)) +
                     "; convert it first, for example with iconv",
                 "cli.ask"};
  return question;
}

result<std::string> read_file(std::string const& path, char const* what) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return error{errc::not_found, "cannot open the " + std::string(what) + ' ' + path, "cli.ask"};
  return std::string{std::istreambuf_iterator<char>(in), {}};
}

// What the answer must be. Mistakes in it are told before a model is loaded.
result<output_contract> contract_of(settings const& given) {
  output_contract contract;
  if (!given.schema.empty()) {
    auto schema = read_file(given.schema, "schema");
    if (!schema) return std::move(schema).error();
    contract.schema = raw_json{std::move(*schema)};
    return contract;
  }
  std::optional<grammar::expr> language;
  if (given.regex) language = grammar::regex("^(?:" + *given.regex + ")$");
  if (!given.choices.empty()) {
    std::vector<grammar::expr> texts;
    for (auto const& text : given.choices) texts.push_back(grammar::literal(text));
    language = grammar::choice(std::move(texts));
  }
  if (!given.grammar.empty()) {
    auto text = read_file(given.grammar, "grammar");
    if (!text) return std::move(text).error();
    auto read = grammar::ebnf(*text);
    if (!read) return error{read.error().code, given.grammar + ": " + read.error().message, "cli.ask"};
    language = std::move(*read);
  }
  if (!language) return contract;
  if (auto good = grammar::recogniser::make(*language); !good) return std::move(good).error();
  return output_contract::text_in(std::move(*language));
}

json answer_json(settings const& given, local_model const& llm, run_result<std::string> const& r,
                 event_printer const& printer) {
  json j;
  j["answer"] = utf8_repaired(r.output);
  j["status"] = r.status;
  j["run"] = r.id.text();
  if (!given.session.empty()) j["session"] = given.session;
  j["model"] = std::shared_ptr<model>(llm)->info().name;
  j["seed"] = r.seed;
  j["steps"] = r.steps.size();
  j["calls"] = calls_json(printer.calls());
  j["usage"] = usage_json(r.usage);
  if (auto const speed = printer.tokens_per_second()) j["tokens_per_second"] = *speed;
  json notices = json::array();
  for (auto const& n : r.notices) notices.push_back(n.feature + ": " + n.effect);
  j["notices"] = std::move(notices);
  return j;
}

}  // namespace

int ask_command(settings const& given) {
  auto const& output = given.output;
  auto question = question_of(given);
  if (!question)
    return question.error().is(errc::invalid_argument) ? (report(question.error(), output.as_json), exit_usage)
                                                       : report(question.error(), output.as_json);
  std::optional<session> in;
  if (!given.session.empty()) {
    auto scope = open_scope(given.store, access::write);
    if (!scope) return report(scope.error(), output.as_json);
    in = scope->session(given.session);
  }
  auto contract = contract_of(given);
  if (!contract) return report(contract.error(), output.as_json);
  auto llm = load_model(given.model);
  if (!llm) return report(llm.error(), output.as_json);

  auto const desk = make_desk(with_named_adapters(*llm, given.model), given.agent);
  bool const stream = output_is_terminal() && !output.as_json && !output.events;
  event_printer printer({.stream = stream, .events = output.events, .verbose = output.verbose});
  auto under_way = desk.start(message::user(std::move(*question)), in, std::move(*contract));
  auto answer = drive(under_way, printer);
  if (printer.line_is_open()) put_raw("\n");
  if (!answer) return report(answer.error(), output.as_json);

  if (output.as_json)
    put_raw(to_text(answer_json(given, *llm, *answer, printer)) + '\n');
  else if (!stream && !output.events)
    put(answer->output + '\n');
  return exit_ok;
}

}  // namespace wherry::cli
