#include "approval_dialogue.hpp"
#include "commands.hpp"
#include "desk.hpp"
#include "event_printer.hpp"
#include "learner.hpp"
#include "line_reader.hpp"
#include "model_choice.hpp"
#include "outcome.hpp"
#include "relayed_chat.hpp"
#include "shared_server.hpp"
#include "store_place.hpp"

#include <wherry/agent/memory_context.hpp>
#include <wherry/core/text.hpp>
#include <wherry/mcp/memory_server.hpp>

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>

namespace wherry::cli {
namespace {

enum class next_line { read, leave };

/// A conversation: one session, one agent, and the commands that begin with a slash.
class conversation {
 public:
  /// With `elsewhere`, another process holds the store and `kept` is the local end of the session. `bell` rings when
  /// others have brought something to learn from.
  conversation(settings const& given, local_model llm, session kept, std::optional<relayed_chat> elsewhere,
               std::shared_ptr<learner_bell> bell)
      : given_(given),
        elsewhere_(std::move(elsewhere)),
        llm_(std::move(llm)),
        dialogue_(given.agent.confirm),
        desk_(make_desk(with_named_adapters(llm_, given.model), given.agent).approvals(dialogue_.policy())),
        session_(std::move(kept)),
        bell_(std::move(bell)) {
    if (!given.agent.memory) return;
    auto const scope = session_.scope();
    desk_ = desk_.with(elsewhere_ ? elsewhere_->memory() : memory_context(scope)).learns();
    if (elsewhere_) return;  // what was said is learnt from where the store is
    learner_.emplace(scope, choose_model(given.model).source == model_source::random ? nullptr : desk_.llm());
    bell_->heard_by(&*learner_);
  }

  conversation(conversation const&) = delete;
  conversation& operator=(conversation const&) = delete;
  ~conversation() { bell_->heard_by(nullptr); }

  int hold();

 private:
  struct command {
    std::string_view name;
    std::string_view argument;
    std::string_view help;
    next_line (conversation::*act)(std::string const& argument);
  };
  static std::array<command, 8> const& commands();

  next_line obey(std::string const& line);
  next_line answer(std::string const& text);
  next_line go_on_with_waiting_calls();
  next_line carry(run<std::string> under_way);
  std::optional<run<std::string>> decide_on_calls();
  void tell(std::string const& line) const { say(styled(style::dim, line)); }
  void fail(error const& e) { last_exit_ = report(e, given_.output.as_json); }

  next_line help(std::string const&);
  next_line show_context(std::string const&);
  next_line show_tools(std::string const&);
  next_line show_memory(std::string const&);
  next_line undo(std::string const&);
  next_line fork(std::string const& name);
  next_line save(std::string const& file);
  next_line quit(std::string const&);

  /// Brings a session that another process keeps to it. False: it could not be, and the person was told.
  bool keep();
  result<chat_wire::records_out> newest_records(int most) const;

  settings const& given_;
  std::optional<relayed_chat> elsewhere_;  ///< Before what looks into its folder.
  local_model llm_;
  approval_dialogue dialogue_;
  agent desk_;
  session session_;
  line_reader lines_;
  std::optional<learner> learner_;  ///< With --memory.
  std::shared_ptr<learner_bell> bell_;
  std::uint64_t turns_ = 0;
  int last_exit_ = exit_ok;  ///< Of the last message; what the command ends with.
};

std::array<conversation::command, 8> const& conversation::commands() {
  static constexpr std::array<command, 8> all{{
      {"/help", "", "these lines", &conversation::help},
      {"/context", "", "what the next request holds and how much fits", &conversation::show_context},
      {"/tools", "", "the tools the model may call", &conversation::show_tools},
      {"/memory", "", "what is remembered, and what was learnt from this conversation", &conversation::show_memory},
      {"/undo", "", "takes the last turn back", &conversation::undo},
      {"/fork", "NAME", "goes on in a new session that begins as this one", &conversation::fork},
      {"/save", "FILE", "writes the session's events to a file, as JSON lines", &conversation::save},
      {"/quit", "", "leaves; the session is kept", &conversation::quit},
  }};
  return all;
}

int conversation::hold() {
  if (go_on_with_waiting_calls() == next_line::leave) return last_exit_;
  while (auto line = lines_.next("> ")) {
    if (line->empty()) continue;
    if ((line->front() == '/' ? obey(*line) : answer(*line)) == next_line::leave) break;
  }
  return last_exit_;
}

next_line conversation::answer(std::string const& text) {
  if (!is_valid_utf8(text)) {
    fail({errc::invalid_argument, "the message is not UTF-8; type it again", "cli.chat"});
    return next_line::read;
  }
  auto const& seed = given_.agent.seed;
  auto const speaker = seed ? desk_.seed(*seed + turns_++) : desk_;  // a run of its own needs a seed of its own
  return carry(speaker.start(text, session_));
}

/// A session that was left while calls waited goes on with them.
next_line conversation::go_on_with_waiting_calls() {
  auto const waiting = session_.pending();
  if (!waiting) fail(waiting.error());
  if (!waiting || waiting->empty() || !input_is_terminal()) return next_line::read;
  auto under_way = decide_on_calls();
  return under_way ? carry(std::move(*under_way)) : next_line::leave;
}

/// Absent: the person left, or the calls cannot be read.
std::optional<run<std::string>> conversation::decide_on_calls() {
  auto const waiting = session_.pending();
  if (!waiting) {
    fail(waiting.error());
    return std::nullopt;
  }
  auto decided = dialogue_.ask(*waiting, lines_);
  if (!decided) return std::nullopt;
  desk_ = desk_.approvals(dialogue_.policy());
  return desk_.resume(session_, std::move(*decided));
}

/// Shows a run to its outcome. Calls that need approval are asked about; from a pipe nobody can be asked.
next_line conversation::carry(run<std::string> under_way) {
  auto const& output = given_.output;
  bool const stream = !output.events && !output.as_json;
  event_printer printer({.stream = stream, .events = output.events, .verbose = output.verbose});
  auto answered = drive(under_way, printer);
  while (!answered && answered.error().is(errc::needs_approval) && input_is_terminal()) {
    if (printer.line_is_open()) put_raw("\n");
    auto resumed = decide_on_calls();
    if (!resumed) {
      keep();
      fail(answered.error());
      return next_line::leave;
    }
    under_way = std::move(*resumed);
    answered = drive(under_way, printer);
  }
  if (printer.line_is_open()) put_raw("\n");
  bool const kept = keep();
  if (!answered) {
    fail(answered.error());
    return next_line::read;
  }
  if (!kept) return next_line::read;
  last_exit_ = exit_ok;
  if (learner_) learner_->wake();
  if (output.as_json) {
    json j;
    j["answer"] = utf8_repaired(answered->output);
    j["run"] = answered->id.text();
    j["session"] = session_.name();
    j["calls"] = calls_json(printer.calls());
    j["usage"] = usage_json(answered->usage);
    put_raw(to_text(j) + '\n');
  }
  if (!output.verbose) tell(printer.speed_text());
  return next_line::read;
}

bool conversation::keep() {
  if (!elsewhere_) return true;
  auto const kept = elsewhere_->keep();
  if (!kept) fail(kept.error());
  return kept.has_value();
}

next_line conversation::obey(std::string const& line) {
  auto const space = line.find(' ');
  auto const name = line.substr(0, space);
  auto const argument = space == std::string::npos ? "" : line.substr(space + 1);
  for (auto const& c : commands()) {
    if (c.name != name) continue;
    if (!c.argument.empty() && argument.empty()) {
      tell(std::string(c.name) + " needs a name: " + std::string(c.name) + ' ' + std::string(c.argument));
      return next_line::read;
    }
    return (this->*c.act)(argument);
  }
  tell("there is no " + name + "; /help lists what there is");
  return next_line::read;
}

next_line conversation::help(std::string const&) {
  for (auto const& c : commands()) {
    std::string left = "  " + std::string(c.name) + ' ' + std::string(c.argument);
    left.resize(16, ' ');
    tell(left + std::string(c.help));
  }
  tell("  Ctrl-C ends an answer, Ctrl-D leaves.");
  return next_line::read;
}

next_line conversation::show_context(std::string const&) {
  auto history = session_.history();
  if (!history) {
    fail(history.error());
    return next_line::read;
  }
  model_request request;
  if (!desk_.instructions().empty()) request.messages.push_back(message::system(desk_.instructions()));
  request.messages.insert(request.messages.end(), history->begin(), history->end());
  if (!desk_.tools().empty()) request.tools = std::make_shared<std::vector<tool_spec> const>(desk_.tools());
  // A request ends with what the user says; the empty message counts the template's words around it.
  request.messages.push_back(message::user(""));
  auto const rendered = desk_.llm()->render(request);
  if (!rendered) {
    fail(rendered.error());
    return next_line::read;
  }
  auto const& d = llm_.description();
  tell("session " + session_.name() + ": " + std::to_string(history->size()) + " messages");
  tell("the next request takes " + std::to_string(rendered->ids ? rendered->ids->size() : 0) + " of " +
       std::to_string(d.context) + " tokens before you say anything");
  tell(context_text(d));
  return next_line::read;
}

next_line conversation::show_tools(std::string const&) {
  if (desk_.tools().empty()) tell("none; start with --tools weather,dice,convert_length");
  for (auto const& t : desk_.tools()) tell("  " + t.name + ": " + t.description);
  return next_line::read;
}

result<chat_wire::records_out> conversation::newest_records(int most) const {
  return elsewhere_ ? elsewhere_->records(most) : chat_wire::newest_records(session_.scope(), {most});
}

next_line conversation::show_memory(std::string const&) {
  if (!given_.agent.memory) {
    tell("start with --memory: then what is remembered is recalled, and facts are learnt");
    return next_line::read;
  }
  constexpr int shown_max = 10;
  auto const some = newest_records(shown_max);
  if (!some) {
    fail(some.error());
    return next_line::read;
  }
  tell(counted(some->count, "record") + (some->count > some->newest.size() ? ", the newest:" : ""));
  for (auto const& r : some->newest) tell("  " + one_line(r.kind, 12) + ": " + one_line(r.text, 100));
  if (!learner_) tell("another process holds the store: facts are learnt by a chat that holds it");
  if (learner_)
    for (auto const& line : learner_->told()) tell(line);
  return next_line::read;
}

next_line conversation::undo(std::string const&) {
  if (auto done = session_.undo(); !done)
    done.error().is(errc::not_found) ? tell("there is no turn to take back") : fail(done.error());
  else if (keep())
    tell("the last turn is taken back");
  return next_line::read;
}

next_line conversation::fork(std::string const& name) {
  auto forked = elsewhere_ ? elsewhere_->fork(name) : session_.fork(name);
  if (!forked) {
    fail(forked.error());
    return next_line::read;
  }
  session_ = std::move(*forked);
  if (keep()) tell("now in session " + name);
  return next_line::read;
}

next_line conversation::save(std::string const& file) {
  auto const text = session_.export_json();
  if (!text) {
    fail(text.error());
    return next_line::read;
  }
  std::ofstream out(file, std::ios::binary);
  out << *text << std::flush;
  if (!out)
    fail({errc::io_failed, "the session could not be written to " + file + "; name another file", "cli.chat", file});
  else
    tell("written to " + file);
  return next_line::read;
}

next_line conversation::quit(std::string const&) { return next_line::leave; }

}  // namespace

namespace {

/// Where a chat's session is: in the store, which others may then share, or at the process that holds it.
struct chat_place {
  std::shared_ptr<learner_bell> bell = std::make_shared<learner_bell>();
  std::optional<mcp::store_share> share = {};
  std::optional<relayed_chat> elsewhere = {};
  session kept;
};

result<chat_place> open_place(settings const& given, std::string const& name) {
  auto scope = parse_scope(given.store.scope);
  if (!scope) return std::move(scope).error();
  auto db = open_store(given.store, access::write);
  if (!db && db.error().is(errc::store_busy)) {
    auto relayed = relayed_chat::open(given.store, name);
    if (!relayed) {
      auto busy = std::move(db).error();
      busy.message += "; it could not be shared with that process: " + relayed.error().message;
      return busy;
    }
    auto local = relayed->local();
    return chat_place{.elsewhere = std::move(*relayed), .kept = std::move(local)};
  }
  if (!db) return std::move(db).error();
  auto secrets = mcp::kept_request_secrets(db->path());
  if (!secrets) return std::move(secrets).error();
  chat_place place{.kept = db->scope(std::move(*scope)).session(name)};
  auto ring = [bell = place.bell] { bell->ring(); };
  auto share = mcp::store_share::start(*db, shared_server(std::move(*secrets), std::move(ring)));
  if (!share) return std::move(share).error();
  place.share.emplace(std::move(*share));
  return place;
}

}  // namespace

int chat_command(settings const& given) {
  auto const name = given.session.empty() ? "chat-" + ulid::fresh().text() : given.session;
  auto place = open_place(given, name);
  if (!place) return report(place.error(), given.output.as_json);
  auto llm = load_model(given.model);
  if (!llm) return report(llm.error(), given.output.as_json);
  auto const last = place->kept.last_seq();
  if (!last) return report(last.error(), given.output.as_json);
  say(styled(style::dim, "wherry: session " + name + (*last ? ", continued" : "") + "; " +
                             (place->elsewhere ? "another process holds the store and keeps each turn; " : "") +
                             context_text(llm->description()) + "; /help lists commands"));
  return conversation(given, std::move(*llm), std::move(place->kept), std::move(place->elsewhere), place->bell).hold();
}

}  // namespace wherry::cli
