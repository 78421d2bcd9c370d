#include "commands.hpp"
#include "desk.hpp"
#include "event_printer.hpp"
#include "model_choice.hpp"
#include "outcome.hpp"
#include "standard_input.hpp"
#include "store_place.hpp"

#include <wherry/core/text.hpp>

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

result<std::string> read_schema(std::string const& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return error{errc::not_found, "cannot open the schema " + path, "cli.ask"};
  return std::string{std::istreambuf_iterator<char>(in), {}};
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
  auto llm = load_model(given.model);
  if (!llm) return report(llm.error(), output.as_json);

  output_contract contract;
  if (!given.schema.empty()) {
    auto schema = read_schema(given.schema);
    if (!schema) return report(schema.error(), output.as_json);
    contract.schema = raw_json{std::move(*schema)};
  }

  auto const desk = make_desk(with_named_adapters(*llm, given.model), given.agent);
  bool const stream = output_is_terminal() && !output.as_json && !output.events;
  event_printer printer({.stream = stream, .events = output.events, .verbose = output.verbose});
  auto under_way = desk.start(message::user(std::move(*question)), in, std::move(contract));
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
