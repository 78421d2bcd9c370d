#include "dialogue.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace stdio_suite {
namespace {

using clock = std::chrono::steady_clock;

int left(clock::time_point until) {
  auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now()).count();
  return ms < 0 ? 0 : static_cast<int>(ms);
}

std::string shown(std::string const& text) { return text.size() <= 300 ? text : text.substr(0, 300) + "..."; }

}  // namespace

void require(bool holds, std::string const& otherwise) {
  if (!holds) throw failure{otherwise};
}

// ---------------------------------------------------------------- the process

child::child(std::span<std::string const> command) {
  int in[2], out[2];
  require(::pipe2(in, O_CLOEXEC) == 0 && ::pipe2(out, O_CLOEXEC) == 0, "no pipes");
  std::vector<char*> words;
  for (auto const& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_ = ::fork();
  require(pid_ >= 0, "no process");
  if (pid_ == 0) {
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    ::execvp(words[0], words.data());
    std::perror(words[0]);
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  to_ = in[1];
  from_ = out[0];
  ::fcntl(to_, F_SETFL, O_NONBLOCK);
}

child::~child() {
  close_input();
  ::close(from_);
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void child::close_input() {
  if (to_ >= 0) ::close(std::exchange(to_, -1));
}

void child::terminate() { ::kill(pid_, SIGTERM); }

// Writes all of it; reads meanwhile, so that neither side waits for the other for ever.
void child::write(std::string_view bytes) {
  auto const until = clock::now() + patience;
  while (!bytes.empty()) {
    auto const n = ::write(to_, bytes.data(), bytes.size());
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    require(n < 0 && (errno == EAGAIN || errno == EINTR),
            std::string("the server does not read any more: ") + std::strerror(errno));
    require(left(until) > 0, "the server does not read what it is sent");
    pollfd p[2] = {{to_, POLLOUT, 0}, {from_, POLLIN, 0}};
    ::poll(p, 2, left(until));
    if (p[1].revents != 0) fill(clock::now());
  }
}

// Reads what is there, or what comes until then. False: nothing came.
bool child::fill(clock::time_point until) {
  pollfd p{from_, POLLIN, 0};
  if (::poll(&p, 1, left(until)) <= 0) return false;
  char buffer[64 * 1024];
  auto const n = ::read(from_, buffer, sizeof buffer);
  if (n <= 0) {
    require(rest_.empty(), "the server ended in the middle of a line: " + shown(rest_));
    throw failure{"the server closed its output"};
  }
  rest_.append(buffer, static_cast<std::size_t>(n));
  std::size_t from = 0;
  for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', from)) {
    lines_.push_back(rest_.substr(from, end - from));
    from = end + 1;
  }
  rest_.erase(0, from);
  return true;
}

json child::next(std::chrono::milliseconds time) {
  auto const until = clock::now() + time;
  while (lines_.empty())
    require(fill(until), "nothing came from the server for " + std::to_string(time.count()) + " ms");
  auto line = std::move(lines_.front());
  lines_.pop_front();
  auto message = wherry::parse_json(line);
  require(message.has_value(), "a line on standard output is no message: " + shown(line));
  require(message->is_object() && message->value("jsonrpc", "") == "2.0",
          "a line on standard output is no JSON-RPC 2.0: " + shown(line));
  return std::move(*message);
}

bool child::silent_for(std::chrono::milliseconds time) {
  return lines_.empty() && !fill(clock::now() + time) && rest_.empty();
}

int child::ended(std::chrono::milliseconds time) {
  auto const until = clock::now() + time;
  for (int status = 0; left(until) > 0; ::poll(nullptr, 0, 5)) {
    if (::waitpid(pid_, &status, WNOHANG) != pid_) continue;
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  throw failure{"the server did not end within " + std::to_string(time.count()) + " ms"};
}

// ---------------------------------------------------------------- the dialogue

json dialogue::begin(json can, std::string const& revision) {
  capabilities = std::move(can);
  if (stateless()) return {};
  auto agreed = result("initialize", {{"protocolVersion", revision},
                                      {"capabilities", capabilities},
                                      {"clientInfo", {{"name", "stdio-suite"}, {"version", "1"}}}});
  server.send({{"jsonrpc", "2.0"}, {"method", "notifications/initialized"}});
  return agreed;
}

json dialogue::request(json id, std::string const& method, json params) const {
  if (stateless() && !params.contains("_meta")) {
    params["_meta"] = {{"io.modelcontextprotocol/protocolVersion", "2026-07-28"},
                       {"io.modelcontextprotocol/clientInfo", {{"name", "stdio-suite"}, {"version", "1"}}},
                       {"io.modelcontextprotocol/clientCapabilities", capabilities}};
  }
  return {{"jsonrpc", "2.0"}, {"id", std::move(id)}, {"method", method}, {"params", std::move(params)}};
}

json dialogue::answer_of(json const& id, std::chrono::milliseconds time) {
  auto const until = clock::now() + time;
  for (;;) {
    auto message = server.next(std::chrono::milliseconds(left(until)));
    if (message.contains("method")) {
      if (!message.contains("id")) {
        beside.push_back(std::move(message));
        continue;
      }
      require(!stateless(), "a server has no requests of its own in this revision: " + shown(wherry::to_text(message)));
      require(static_cast<bool>(client), "nobody expected this request: " + shown(wherry::to_text(message)));
      server.send({{"jsonrpc", "2.0"},
                   {"id", message["id"]},
                   {"result", client(message["method"], message.value("params", json::object()))}});
      continue;
    }
    require(message.contains("id") && message["id"] == id,
            "an answer to something else: " + shown(wherry::to_text(message)) + ", wanted " + wherry::to_text(id));
    require(message.contains("result") != message.contains("error"), "an answer is a result or an error, not both");
    return message;
  }
}

json dialogue::exchange(std::string const& method, json params) {
  auto const id = next_id();
  server.send(request(id, method, std::move(params)));
  return answer_of(id);
}

json dialogue::result(std::string const& method, json params) {
  auto answer = exchange(method, std::move(params));
  require(answer.contains("result"), method + " failed: " + shown(wherry::to_text(answer)));
  if (stateless()) require(answer["result"].contains("resultType"), "a result of " + method + " lacks resultType");
  return answer["result"];
}

json dialogue::error(std::string const& method, json params) {
  auto answer = exchange(method, std::move(params));
  require(answer.contains("error"), method + " should have failed: " + shown(wherry::to_text(answer)));
  auto const& e = answer["error"];
  require(e.contains("code") && e["code"].is_number_integer() && e.contains("message") && e["message"].is_string(),
          "an error has an integer code and a message");
  return e;
}

json dialogue::call(std::string const& tool, json arguments) {
  return result("tools/call", {{"name", tool}, {"arguments", std::move(arguments)}});
}

void dialogue::needs(std::string const& list, std::string const& name) {
  json params = json::object();
  for (int page = 0; page < 100; ++page) {
    auto const answer = exchange(list + "/list", params);
    if (!answer.contains("result")) break;
    for (auto const& item : answer["result"].value(list, json::array()))
      if (item.value(list == "resources" ? "uri" : "name", "") == name) return;
    auto const cursor = answer["result"].value("nextCursor", "");
    if (cursor.empty()) break;
    params = {{"cursor", cursor}};
  }
  throw skipped{"the server has no " + name + " among its " + list};
}

std::string text_of(json const& result) {
  auto const content = result.value("content", json::array());
  require(!content.empty() && content[0].value("type", "") == "text", "the first content block should be text");
  return content[0].value("text", "");
}

}  // namespace stdio_suite
