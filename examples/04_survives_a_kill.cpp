// A session survives the death of its process. The child process below talks, then kills itself without a farewell in
// the middle of its second run; the parent opens the store and goes on where the first run ended.

#include "example_model.hpp"

#include <wherry/agent/agent.hpp>
#include <wherry/memory/store.hpp>

#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <string>

namespace w = wherry;

std::string note_down(std::string text) {
  if (text == "the second thing") std::raise(SIGKILL);  // power cut, out of memory, a bug: it does not matter
  return "noted: " + text;
}

w::agent secretary(std::initializer_list<w::script_line> script) {
  return w::agent{w::scripted_model{script}, "Take notes."}.with(
      w::tool("note", "Writes a note down.", {"text"}, note_down));
}

void first_process(std::filesystem::path const& where) {
  w::store db{where};
  auto session = db.scope({.tenant = "acme", .user = "user-7"}).session("notes");
  auto desk = secretary({w::call("note", R"({"text":"the first thing"})"), w::say("I have noted the first thing."),
                         w::call("note", R"({"text":"the second thing"})")});
  (void)desk.run("Note the first thing", session);
  (void)desk.run("Note the second thing", session);  // never returns
}

int second_process(std::filesystem::path const& where) {
  w::store db{where};
  auto scope = db.scope({.tenant = "acme", .user = "user-7"});
  auto session = scope.session("notes");

  std::cout << "history after the crash:\n";
  for (auto const& message : session.history().value())
    if (!message.text().empty()) std::cout << "  " << to_string(message.role) << ": " << message.text() << '\n';
  std::cout << "runs that never ended: " << session.open_runs()->size() << '\n';
  for (auto const& effect : scope.unfinished_effects().value())
    std::cout << "perhaps done, perhaps not: " << effect.call << '\n';

  auto desk = secretary({w::say("The first thing, and we were just at the second.")});
  auto r = desk.run("Where were we?", session);
  if (!r) {
    std::cerr << r.error() << '\n';
    return 1;
  }
  std::cout << "assistant: " << r->output << '\n';
  return 0;
}

int main() {
  auto const where = std::filesystem::temp_directory_path() / ("wherry-example-" + std::to_string(getpid()));
  if (pid_t const child = fork(); child == 0) {
    first_process(where);
    return 1;  // not reached
  } else {
    int status = 0;
    waitpid(child, &status, 0);
    std::cout << "the first process ended by signal " << WTERMSIG(status) << '\n';
  }
  int const outcome = second_process(where);
  std::filesystem::remove_all(where);
  return outcome;
}

// Expected output:
//   the first process ended by signal 9
//   history after the crash:
//     user: Note the first thing
//     assistant: I have noted the first thing.
//   runs that never ended: 1
//   perhaps done, perhaps not: {"id":"call-3-1","name":"note","arguments":"{\"text\":\"the second thing\"}"}
//   assistant: The first thing, and we were just at the second.
