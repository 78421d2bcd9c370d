#pragma once
// What the scenarios of the stdio suite stand on: a server as a child process, spoken to by lines, with nothing of the
// library between but its JSON parser. Every wait has a deadline, and every line a server writes must be a message.

#include <wherry/core/json.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace stdio_suite {

using wherry::json;
using namespace std::chrono_literals;

inline constexpr auto patience = 10s;  ///< For whatever a server has to do.

/// A scenario did not hold; `why` says what was seen.
struct failure {
  std::string why;
};
/// A scenario cannot be played: the server lacks what it needs.
struct skipped {
  std::string why;
};

void require(bool holds, std::string const& otherwise);

/// The server: its process and its two pipes. What it writes to standard error goes to ours.
class child {
 public:
  explicit child(std::span<std::string const> command);
  child(child const&) = delete;
  ~child();

  void write(std::string_view bytes);
  void send(json const& message) { write(wherry::to_text(message) + "\n"); }
  /// The next message; fails after `time`.
  json next(std::chrono::milliseconds time = patience);
  /// Whether nothing comes for so long.
  bool silent_for(std::chrono::milliseconds time);
  void close_input();
  void terminate();
  /// Its exit status once it has ended; 128 + n for signal n. Fails after `time`.
  int ended(std::chrono::milliseconds time);

 private:
  bool fill(std::chrono::steady_clock::time_point until);
  pid_t pid_ = -1;
  int to_ = -1, from_ = -1;
  std::string rest_;
  std::deque<std::string> lines_;
};

enum class era { handshake, stateless };

/// One connection in one era.
class dialogue {
 public:
  dialogue(std::span<std::string const> command, era in) : server(command), in_(in) {}

  child server;
  std::vector<json> beside;  ///< Notifications that came while an answer was waited for.
  /// Answers the server's own requests (handshake era). Without it they are a failure.
  std::function<json(std::string const& method, json const& params)> client;

  bool stateless() const { return in_ == era::stateless; }
  /// Shakes hands, where the era does that. Returns: the result of initialize.
  json begin(json capabilities = json::object(), std::string const& revision = "2025-11-25");

  /// A request as the era wants it, ready to be sent.
  json request(json id, std::string const& method, json params = json::object()) const;
  json next_id() { return ++ids_; }
  /// The answer with this id.
  json answer_of(json const& id, std::chrono::milliseconds time = patience);

  json exchange(std::string const& method, json params = json::object());
  /// Its result; an error is a failure.
  json result(std::string const& method, json params = json::object());
  /// Its error; a result is a failure.
  json error(std::string const& method, json params = json::object());
  json call(std::string const& tool, json arguments = json::object());

  /// Skips the scenario where the server has no such thing. `list` is "tools", "prompts" or "resources".
  void needs(std::string const& list, std::string const& name);
  /// Capabilities of the client that stateless requests carry.
  json capabilities = json::object();

 private:
  era in_;
  int ids_ = 0;
};

struct scenario {
  std::string_view name;
  std::string_view promise;  ///< What holds, as a sentence.
  bool handshake, stateless;
  void (*play)(dialogue&);
  bool begun = true;  ///< Hands are shaken before.
};

std::span<scenario const> lifecycle_scenarios();
std::span<scenario const> framing_scenarios();
std::span<scenario const> feature_scenarios();
std::span<scenario const> asking_scenarios();

/// The text of the first content block of a tool's result.
std::string text_of(json const& result);

}  // namespace stdio_suite
