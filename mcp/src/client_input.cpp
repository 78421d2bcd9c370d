// What a server asks of its client: forms, answers of a model, roots.

#include "client_impl.hpp"

#include <boost/asio/post.hpp>

namespace wherry::inline v0::mcp {

using namespace detail;

namespace {

error refuse(std::string what) { return make_rpc_error(rpc_code::method_not_found, std::move(what)); }

/// The content with the schema's defaults for what the user left out (SEP-1034).
std::string with_defaults(std::string_view content, std::string_view schema) {
  std::string out = "{";
  if (is_object(content))
    each_member(content, [&](std::string_view key, std::string_view value) { return put_raw(out, key, value), true; });
  auto const properties = member(schema, "properties");
  if (is_object(properties))
    each_member(properties, [&](std::string_view key, std::string_view property) {
      auto const value = member(property, "default");
      if (!value.empty() && member(content, key).empty()) put_raw(out, key, value);
      return true;
    });
  return out + "}";
}

task<result<std::string>> fill_in(client_options const& options, std::string params) {
  if (!options.elicit) co_return refuse("this client shows no forms");
  elicitation form{.message = string_member(params, "message").value_or("")};
  form.schema.text = std::string(member(params, "requestedSchema"));
  form.url = string_member(params, "url").value_or("");
  auto const schema = form.schema.text;
  auto answered = co_await options.elicit(std::move(form));
  if (!answered) co_return std::move(answered).error();
  static constexpr char const* actions[] = {"accept", "decline", "cancel"};
  std::string out = R"({"action":")" + std::string(actions[static_cast<int>(answered->action)]) + '"';
  bool const accepted = answered->action == elicited<raw_json>::action_type::accept;
  if (accepted && !schema.empty()) out += R"(,"content":)" + with_defaults(answered->content.text, schema);
  co_return out + "}";
}

result<sample_request> read_sample_request(std::string_view params) {
  sample_request out{.messages = {}};
  std::optional<error> wrong;
  auto const messages = member(params, "messages");
  if (is_array(messages))
    each_item(messages, [&](std::string_view item) {
      // Several blocks in one message: each becomes a message of its own.
      auto const role = member(item, "role");
      auto const block = member(item, "content");
      auto const take = [&](std::string_view one) {
        auto read = read_prompt_message(R"({"role":)" + std::string(role) + R"(,"content":)" + std::string(one) + "}");
        if (!read) return wrong = read.error(), false;
        return out.messages.push_back(std::move(*read)), true;
      };
      return is_array(block) ? each_item(block, take) : take(block);
    });
  if (wrong) return *wrong;
  out.max_tokens =
      static_cast<std::size_t>(std::max<std::int64_t>(1, integer_member(params, "maxTokens").value_or(1024)));
  out.system = string_member(params, "systemPrompt").value_or("");
  out.temperature = number_in(member(params, "temperature"));
  if (auto const stop = member(params, "stopSequences"); is_array(stop))
    each_item(stop, [&](std::string_view item) { return out.stop.push_back(unquoted(item)), true; });
  return out;
}

constexpr std::size_t sample_tokens_max = 8192;

task<result<sampled>> ask_model(std::shared_ptr<model> llm, sample_request request) {
  model_request ask;
  if (!request.system.empty()) ask.messages.push_back(message::system(request.system));
  for (auto& m : request.messages) {
    if (m.content.kind != content::kind_type::text)
      co_return error(errc::model_refused_part, "only text can be sampled from here", "mcp.client");
    ask.messages.push_back(m.from_user ? message::user(std::move(m.content.data))
                                       : message::assistant(std::move(m.content.data)));
  }
  ask.max_tokens = std::min(request.max_tokens, sample_tokens_max);
  ask.stop = std::move(request.stop);
  if (request.temperature) ask.sampling.temperature = static_cast<float>(*request.temperature);
  auto stream = llm->submit(std::move(ask));
  if (!stream) co_return std::move(stream).error();
  auto ended = co_await async_collect(std::move(*stream));
  if (!ended) co_return std::move(ended).error();
  sampled out{.content = content::text(ended->answer.text()), .model = llm->info().name};
  out.stop_reason = ended->reason == finish_reason::length ? "maxTokens" : "endTurn";
  co_return out;
}

task<result<std::string>> sample_answer(client_options const& options, std::string params) {
  if (!options.sample && !options.sampling_model) co_return refuse("this client lets no model answer");
  auto request = read_sample_request(params);
  if (!request) co_return std::move(request).error();
  auto work =
      options.sample ? options.sample(std::move(*request)) : ask_model(options.sampling_model, std::move(*request));
  auto answered = co_await std::move(work);
  if (!answered) co_return std::move(answered).error();
  std::string out = R"({"role":"assistant","content":)";
  append_content(out, answered->content);
  put_string(out, "model", answered->model.empty() ? "unknown" : answered->model);
  put_text(out, "stopReason", answered->stop_reason);
  co_return out + "}";
}

std::string roots_json(std::vector<root> const& roots) {
  std::string out = R"({"roots":[)";
  bool first = true;
  for (auto const& r : roots) {
    if (!std::exchange(first, false)) out += ',';
    out += '{';
    put_string(out, "uri", r.uri);
    put_text(out, "name", r.name);
    out += '}';
  }
  return out + "]}";
}

}  // namespace

task<result<std::string>> client::impl::answer(std::string method, std::string params) {
  auto const self = shared_from_this();
  if (method == "elicitation/create") {
    auto done = co_await fill_in(options, std::move(params));
    co_return done;
  }
  if (method == "sampling/createMessage") {
    auto done = co_await sample_answer(options, std::move(params));
    co_return done;
  }
  if (method == "roots/list") {
    if (!options.roots) co_return refuse("this client tells no roots");
    co_return roots_json(*options.roots);
  }
  if (method == "ping") co_return std::string("{}");
  co_return refuse("this client has no method \"" + method + "\"");
}

task<result<std::string>> client::impl::answer_all(std::string requests) {
  auto const self = shared_from_this();
  std::vector<std::pair<std::string, std::string>> questions;  // key, request
  each_member(requests, [&](std::string_view key, std::string_view value) {
    return questions.emplace_back(std::string(key), std::string(value)), true;
  });
  std::string out = "{";
  for (auto const& [key, request] : questions) {
    auto const method = string_member(request, "method").value_or("");
    std::string params(member(request, "params"));
    if (params.empty()) params = "{}";
    auto answered = co_await answer(method, std::move(params));
    if (!answered) co_return std::move(answered).error();
    std::string quoted;
    append_string(quoted, key);
    put_raw(out, std::string_view(quoted).substr(1, quoted.size() - 2), *answered);
  }
  co_return out + "}";
}

task<void> client::impl::answer_request(std::string id, std::string method, std::string params) {
  auto const self = shared_from_this();
  auto const asked_by = generation.load();
  auto answered = co_await answer(method, std::move(params));
  outgoing message{.text = {}, .rev = rev};
  if (answered)
    message.text = rpc_result(id, *answered);
  else
    message.text =
        rpc_error(id, is_rpc_error(answered.error()) ? answered.error().code.value() : -1, answered.error().message);
  if (!gone && asked_by == generation) over->send(std::move(message));  // ids of another start are its own
}

}  // namespace wherry::inline v0::mcp
