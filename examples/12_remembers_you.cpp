// An agent that remembers across conversations. It keeps facts with the tool "remember", finds them in a later session
// with "recall", and a newer fact ends the older one without erasing it.

#include "example_model.hpp"

#include <wherry/agent/agent.hpp>
#include <wherry/agent/memory_tools.hpp>
#include <wherry/memory/store.hpp>

#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <string>

namespace w = wherry;

w::agent friend_of(w::scope_handle const& scope, std::initializer_list<w::script_line> script) {
  auto out = w::agent{model_or(w::scripted_model{script}), "You are a friend with a good memory."};
  for (auto& tool : w::memory_tools(scope)) out = out.with(std::move(tool));
  return out;
}

void say(w::agent const& who, std::string const& text, w::session const& in) {
  auto r = who.run(text, in);
  if (r)
    std::cout << "user: " << text << "\nassistant: " << r->output << '\n';
  else
    std::cerr << r.error() << '\n';
}

int main() {
  auto const where = std::filesystem::temp_directory_path() / ("wherry-example-" + std::to_string(::getpid()));
  {
    w::store db{where};
    auto const scope = db.scope({.tenant = "acme", .user = "user-7"});
    auto const seoul = R"({"fact":"The user lives in Seoul.","subject":"user","attribute":"home city"})";
    auto const busan = R"({"fact":"The user lives in Busan.","subject":"user","attribute":"home city"})";
    say(friend_of(scope, {w::call("remember", seoul), w::say("Good to know.")}), "I live in Seoul.",
        scope.session("monday"));
    say(friend_of(scope, {w::call("remember", busan), w::say("Busan, by the sea!")}), "I have moved to Busan.",
        scope.session("tuesday"));
    say(friend_of(scope,
                  {w::call("recall", R"({"question":"Where does the user live?"})"), w::say("You live in Busan.")}),
        "Where do I live?", scope.session("friday"));

    for (auto const& hit : scope.recall({.text = "where does the user live"}).value().hits)
      std::cout << "recalled: " << hit.record.text << '\n';
    for (auto const& r : scope.records().value())
      if (r.superseded_at) std::cout << "ended, not erased: " << r.text << '\n';
  }
  std::filesystem::remove_all(where);
}

// Expected output:
//   user: I live in Seoul.
//   assistant: Good to know.
//   user: I have moved to Busan.
//   assistant: Busan, by the sea!
//   user: Where do I live?
//   assistant: You live in Busan.
//   recalled: The user lives in Busan.
//   ended, not erased: The user lives in Seoul.
