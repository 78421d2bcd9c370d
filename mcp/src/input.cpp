// What a handler asks of its client, in both eras.

#include "content_json.hpp"
#include "server_state.hpp"

#include <wherry/core/hash.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>

namespace wherry::inline v0::mcp {

using namespace detail;

namespace {

constexpr std::array<std::string_view, 8> levels{"debug", "info",     "notice", "warning",
                                                 "error", "critical", "alert",  "emergency"};

constexpr std::string_view elicitation_method = "elicitation/create";
constexpr std::string_view sampling_method = "sampling/createMessage";
constexpr std::string_view roots_method = "roots/list";

/// Whether an answer has the form that its question wants; others are asked for again.
bool fits(std::string_view method, std::string_view answer) {
  if (!is_object(answer)) return false;
  if (method == elicitation_method) {
    auto const action = string_member(answer, "action");
    return action && (*action == "accept" || *action == "decline" || *action == "cancel");
  }
  if (method == sampling_method) return !member(answer, "content").empty();
  if (method == roots_method) return is_array(member(answer, "roots"));
  return true;
}

/// What the client must have declared; empty when it has.
std::string missing_for(input_request const& q, client_capabilities const& can) {
  if (q.method == elicitation_method) {
    bool const url = string_member(q.params.text, "mode") == "url";
    if (url) return can.url_elicitation ? "" : R"("elicitation":{"url":{}})";
    return can.elicitation ? "" : R"("elicitation":{"form":{}})";
  }
  if (q.method == sampling_method) {
    if (!member(q.params.text, "tools").empty() && !can.sampling_tools) return R"("sampling":{"tools":{}})";
    return can.sampling ? "" : R"("sampling":{})";
  }
  if (q.method == roots_method) return can.roots ? "" : R"("roots":{})";
  return "";
}

std::string request_json(input_request const& q) {
  std::string out = R"({"method":")" + q.method + R"(","params":)" + q.params.text + "}";
  return out;
}

/// Names the request that a state belongs to: a state of one call cannot be used for another.
std::string digest_of(call_state const& call) {
  std::string text(call.message.method);
  for (auto const part : {call.params.name, call.params.uri, call.params.arguments}) {
    text += '\0';
    text += part;
  }
  auto const d = sha256(text);
  return {reinterpret_cast<char const*>(d.data()), 16};
}

// A state begins with its kind: 'w' and the handle of a waiting handler, or 'r' and the answers so far.
constexpr std::size_t handle_bytes = 16;

std::string answers_json(std::map<std::string, std::string, std::less<>> const& answers) {
  std::string out = "{";
  for (auto const& [key, value] : answers) {
    std::string quoted;
    append_string(quoted, key);
    put_raw(out, std::string_view(quoted).substr(1, quoted.size() - 2), value);
  }
  return out + "}";
}

/// Ends the round: the client gets the questions, and brings the answers with another request.
void end_round(std::shared_ptr<call_state> const& call, std::vector<input_request> const& questions) {
  auto& s = *call->server;
  auto const until = s.now() + s.options.input_time_limit.count();
  std::string state;
  if (call->repeats) {
    state = s.seals.seal("r" + digest_of(*call) + answers_json(call->answers), until);
  } else {
    auto const handle = random_bytes(handle_bytes);
    state = s.seals.seal("w" + digest_of(*call) + handle, until);
    std::shared_ptr<call_state> given_up;
    {
      std::lock_guard const lock(s.mutex);
      if (!call->waiting_as.empty()) s.waiting.erase(call->waiting_as);
      call->waiting_as = handle;
      s.waiting[handle] = call;
      s.waiting_order.push_back(handle);
      while (s.waiting.size() > s.options.waiting_max || s.waiting_order.size() > 4 * s.options.waiting_max) {
        auto const oldest = s.waiting.find(s.waiting_order.front());
        s.waiting_order.pop_front();
        if (oldest == s.waiting.end()) continue;
        given_up = oldest->second.lock();
        s.waiting.erase(oldest);
      }
    }
    if (given_up) asio::post(given_up->executor, [given_up] { given_up->abandon(); });
  }
  std::string members = R"("inputRequests":{)";
  bool first = true;
  for (auto const& q : questions) {
    if (!std::exchange(first, false)) members += ',';
    append_string(members, q.key);
    members += ':' + request_json(q);
  }
  members += R"(},"requestState":")" + state + '"';
  if (call->session) call->session->calls.erase(call->id);
  call->answer(members, {}, "input_required");
}

void send_questions(std::shared_ptr<call_state> const& call, std::vector<input_request> const& questions) {
  auto& session = *call->session;
  for (auto const& q : questions) {
    auto const id = "\"ask-" + std::to_string(++session.questions_made) + "\"";
    session.questions[id] = {call, q.key};
    if (call->out) call->out->notify(rpc_request(id, q.method, q.params.text));
  }
}

void show_questions(call_state& call, std::vector<input_request> const& questions) {
  std::lock_guard const lock(call.server->mutex);
  auto& t = *call.task;
  if (t.ended()) return;
  for (auto const& q : questions) t.asked[q.key] = request_json(q);
  t.status = task_entry::status_type::input_required;
  t.updated = call.server->now();
}

std::vector<input_request> without_answer(call_state& call, std::vector<input_request> const& questions) {
  std::vector<input_request> open;
  for (auto const& q : questions) {
    auto const at = call.answers.find(q.key);
    if (at != call.answers.end() && !fits(q.method, at->second)) call.answers.erase(at);
    if (!call.answers.contains(q.key) && !call.refusals.contains(q.key)) open.push_back(q);
  }
  return open;
}

std::string next_key(call_state& call) { return "input-" + std::to_string(++call.keys_made); }

std::string capability_data(std::string const& missing) { return R"({"requiredCapabilities":{)" + missing + "}}"; }

}  // namespace

char const* to_string(severity level) noexcept { return levels[static_cast<std::size_t>(level)].data(); }

std::optional<severity> severity_of(std::string_view name) noexcept {
  for (std::size_t i = 0; i < levels.size(); ++i)
    if (levels[i] == name) return static_cast<severity>(i);
  return std::nullopt;
}

// ---------------------------------------------------------------- what a handler sees

revision const& context::protocol() const noexcept { return *call_->rev; }
client_capabilities const& context::client() const noexcept { return call_->client; }
raw_json context::meta() const { return {call_->params.meta.empty() ? "{}" : std::string(call_->params.meta)}; }
std::string context::uri() const { return unquoted(call_->params.uri); }

stop_source context::stop() const {
  if (!call_->stop) call_->stop.emplace();
  return *call_->stop;
}

void context::progress(double done, std::optional<double> total, std::string_view message) const {
  if (call_->progress_token.empty()) return;
  std::string params = R"({"progressToken":)" + call_->progress_token + R"(,"progress":)";
  append_number(params, done);
  if (total) {
    params += R"(,"total":)";
    append_number(params, *total);
  }
  put_text(params, "message", message);
  call_->tell(rpc_notification("notifications/progress", params + "}"));
}

void context::disconnect(std::chrono::milliseconds retry) const { call_->disconnect(retry); }

void context::log(severity level, std::string_view text, std::string_view logger) const {
  raw_json data;
  append_string(data.text, text);
  log(level, data, logger);
}

void context::log(severity level, raw_json const& data, std::string_view logger) const {
  if (!call_->log_from || level < *call_->log_from) return;
  std::string params = "{";
  put_string(params, "level", to_string(level));
  put_text(params, "logger", logger);
  put_raw(params, "data", data.text);
  call_->tell(rpc_notification("notifications/message", params + "}"));
}

task<result<std::vector<raw_json>>> context::ask(std::vector<input_request> questions) const {
  auto const call = call_;
  for (auto& q : questions)
    if (q.key.empty()) q.key = next_key(*call);
  for (auto const& q : questions) {
    auto const missing = missing_for(q, call->client);
    if (!missing.empty())
      co_return make_rpc_error(rpc_code::missing_client_capability, "the client does not take " + q.method,
                               capability_data(missing));
  }
  error const gone(errc::cancelled, "the call was cancelled while its client was asked", "mcp.context.ask");
  bool asked = false;
  for (auto open = without_answer(*call, questions); !open.empty(); open = without_answer(*call, questions)) {
    if (call->cancelled) co_return gone;
    if (call->task) {
      if (!std::exchange(asked, true)) show_questions(*call, open);
    } else if (call->rev->stateless) {
      end_round(call, open);
      // The answers come with another request, which runs the handler again: this run is over.
      if (call->repeats) co_return gone;
    } else if (!call->session) {
      co_return error(errc::unsupported, "the client cannot be asked over this connection", "mcp.context.ask");
    } else if (!std::exchange(asked, true)) {
      send_questions(call, open);
    } else {
      for (auto const& q : open)  // an answer that did not fit cannot be asked for again within the same call
        if (!std::any_of(call->session->questions.begin(), call->session->questions.end(),
                         [&](auto const& s) { return s.second.call.lock() == call && s.second.key == q.key; }))
          co_return error(errc::output_invalid, "the client's answer to " + q.method + " makes no sense",
                          "mcp.context.ask");
    }
    call->disarm();
    if (!call->wake) call->wake.emplace(call->executor);
    call->wake->expires_after(call->server->options.input_time_limit);
    boost::system::error_code ec;
    co_await call->wake->async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (call->cancelled) co_return gone;
    if (!ec) {
      error const late(errc::deadline_exceeded, "the client did not answer in time", "mcp.context.ask");
      call->abandon();
      co_return late;
    }
    call->arm(call->time_limit.count() > 0 ? call->time_limit : call->server->options.time_limit);
  }
  std::vector<raw_json> results;
  for (auto const& q : questions) {
    if (auto const refused = call->refusals.find(q.key); refused != call->refusals.end()) {
      // Its error is not this server's own answer: it is told in words.
      co_return error(errc::denied, "the client refused " + q.method + ": " + refused->second.message,
                      "mcp.context.ask");
    }
    results.push_back({call->answers[q.key]});
  }
  co_return results;
}

input_request context::form(std::string key, std::string message, raw_json schema) {
  input_request q{.key = std::move(key), .method = std::string(elicitation_method), .params = {"{"}};
  put_string(q.params.text, "message", message);
  put_raw(q.params.text, "requestedSchema", schema.text);
  q.params.text += '}';
  return q;
}

input_request context::question(std::string key, sample_request const& request) {
  input_request q{.key = std::move(key), .method = std::string(sampling_method), .params = {R"({"messages":[)"}};
  auto& out = q.params.text;
  bool first = true;
  for (auto const& m : request.messages) {
    if (!std::exchange(first, false)) out += ',';
    append_prompt_message(out, m);
  }
  out += R"(],"maxTokens":)" + std::to_string(request.max_tokens);
  put_text(out, "systemPrompt", request.system);
  if (request.temperature) {
    out += R"(,"temperature":)";
    append_number(out, *request.temperature);
  }
  if (!request.stop.empty()) {
    std::string list = "[";
    for (auto const& stop : request.stop) {
      if (list.size() > 1) list += ',';
      append_string(list, stop);
    }
    put_raw(out, "stopSequences", list + "]");
  }
  out += '}';
  return q;
}

input_request context::roots_request(std::string key) { return {std::move(key), std::string(roots_method), {"{}"}}; }

task<result<elicited_text>> context::elicit_text(std::string message, raw_json schema, std::string key) const {
  std::vector<input_request> questions;
  questions.push_back(form(std::move(key), std::move(message), std::move(schema)));
  auto answers = co_await ask(std::move(questions));
  if (!answers) co_return std::move(answers).error();
  auto const& raw = answers->front().text;
  auto const action = string_member(raw, "action").value_or(std::string{});
  elicited_text out{.action = action == "accept" ? 0 : action == "decline" ? 1 : 2, .content = {}};
  auto const content = member(raw, "content");
  out.content = content.empty() ? "{}" : std::string(content);
  co_return out;
}

task<result<elicited<raw_json>>> context::elicit(std::string message, raw_json schema, std::string key) const {
  auto answer = co_await elicit_text(std::move(message), std::move(schema), std::move(key));
  if (!answer) co_return std::move(answer).error();
  elicited<raw_json> out;
  out.action = static_cast<elicited<raw_json>::action_type>(answer->action);
  if (answer->action == 0) out.content = raw_json{std::move(answer->content)};
  co_return out;
}

task<result<sampled>> context::sample(sample_request request, std::string key) const {
  std::vector<input_request> questions;
  questions.push_back(question(std::move(key), request));
  auto answers = co_await ask(std::move(questions));
  if (!answers) co_return std::move(answers).error();
  auto const& raw = answers->front().text;
  auto block = member(raw, "content");
  sampled out;
  if (is_array(block)) {
    // Several blocks: the first is what a simple question gets.
    each_item(block, [&](std::string_view item) { return out.content = read_content(item), false; });
  } else {
    out.content = read_content(block);
  }
  out.model = string_member(raw, "model").value_or(std::string{});
  out.stop_reason = string_member(raw, "stopReason").value_or(std::string{});
  co_return out;
}

task<result<std::vector<root>>> context::roots(std::string key) const {
  std::vector<input_request> questions;
  questions.push_back(roots_request(std::move(key)));
  auto answers = co_await ask(std::move(questions));
  if (!answers) co_return std::move(answers).error();
  std::vector<root> out;
  each_item(member(answers->front().text, "roots"), [&](std::string_view item) {
    if (auto uri = string_member(item, "uri"))
      out.push_back({std::move(*uri), string_member(item, "name").value_or(std::string{})});
    return true;
  });
  co_return out;
}

task<result<void>> context::continue_as_task() const {
  auto const call = call_;
  if (call->task || !call->rev->stateless || !call->client.tasks) co_return result<void>{};
  auto const t = call->server->make_task(call);
  if (!t) co_return error(errc::limit_reached, "the server keeps too many tasks", "mcp.context.continue_as_task");
  co_return result<void>{};
}

// ---------------------------------------------------------------- answers that come with a request

namespace detail {

bool take_answers(std::shared_ptr<call_state> const& call) {
  auto& c = *call;
  auto const& p = c.params;
  if (!c.rev->stateless || (p.input_responses.empty() && p.request_state.empty())) return true;
  auto const refuse = [&](std::string_view what) {
    c.refuse(rpc_code::invalid_params, what);
    return false;
  };
  std::map<std::string, std::string, std::less<>> brought;
  if (!p.input_responses.empty()) {
    if (!is_object(p.input_responses)) return refuse("\"inputResponses\" must be an object");
    each_member(p.input_responses, [&](std::string_view key, std::string_view value) {
      brought[std::string(key)] = std::string(value);
      return true;
    });
  }
  if (p.request_state.empty()) {
    c.answers = std::move(brought);
    return true;
  }
  auto const payload =
      is_string(p.request_state) ? c.server->seals.open(unquoted(p.request_state), c.server->now()) : std::nullopt;
  if (!payload || payload->size() < 17 || payload->compare(1, 16, digest_of(c)) != 0)
    return refuse("\"requestState\" is not one that this server gave for this request, or it is too old");
  auto const rest = payload->substr(17);
  if (payload->front() == 'r') {
    each_member(rest, [&](std::string_view key, std::string_view value) {
      c.answers[std::string(key)] = std::string(value);
      return true;
    });
    for (auto& [key, value] : brought) c.answers[key] = std::move(value);
    return true;
  }
  std::shared_ptr<call_state> waiting;
  {
    std::lock_guard const lock(c.server->mutex);
    auto const at = c.server->waiting.find(rest);
    if (at != c.server->waiting.end()) {
      waiting = at->second.lock();
      c.server->waiting.erase(at);
      if (waiting) waiting->waiting_as.clear();
    }
  }
  if (!waiting) return refuse("the call that asked is gone; begin it again");
  // The handler that waits goes on, and answers in place of this request.
  auto const to = std::exchange(c.out, nullptr);
  c.answered = true;
  asio::post(waiting->executor,
             [waiting, to, id = c.id, client = c.client, log_from = c.log_from, token = c.progress_token,
              session = c.session, brought = std::move(brought)]() mutable {
               waiting->out = to;
               if (to) to->serves(waiting);
               waiting->id = std::move(id);
               waiting->answered = false;
               waiting->client = client;
               waiting->log_from = log_from;
               waiting->progress_token = std::move(token);
               if (session) session->calls[waiting->id] = waiting;
               waiting->session = session;
               for (auto& [key, value] : brought) waiting->answers[key] = std::move(value);
               if (waiting->wake) waiting->wake->cancel();
             });
  return false;
}

}  // namespace detail
}  // namespace wherry::inline v0::mcp
