#include <wherry/llm/model.hpp>

#include <utility>

namespace wherry::inline v0 {

char const* to_string(finish_reason reason) noexcept {
  switch (reason) {
    case finish_reason::stop: return "stop";
    case finish_reason::tool_calls: return "tool_calls";
    case finish_reason::length: return "length";
    case finish_reason::cancelled: return "cancelled";
  }
  return "unknown";
}

result<rendered_request> model::render(model_request const& request) const {
  rendered_request out;
  out.messages = request.messages;
  out.notices.push_back(
      {"render", "the model " + info().name + " does not show its prompt; these are the messages alone"});
  return out;
}

std::size_t model::count_tokens(std::string_view text) const { return (text.size() + 3) / 4; }

result<void> check_parts(model_info const& info, std::vector<message> const& messages) {
  for (std::size_t i = 0; i < messages.size(); ++i)
    for (auto const& part : messages[i].parts)
      if (!info.can.takes(kind_of(part)))
        return error{errc::model_refused_part,
                     "the model " + info.name + " cannot take a part of kind \"" + to_string(kind_of(part)) +
                         "\"; remove it or use a model that takes it",
                     "model.submit", "/messages/" + std::to_string(i)};
  return {};
}

result<void> check_constraint(model_request const& request) {
  if (!request.constraint || !request.output_schema) return {};
  return error{errc::invalid_argument,
               "the request has an output schema and a constraint; an answer can be under one of them", "model.submit"};
}

std::vector<notice> missing_features(model_info const& info, model_request const& request) {
  std::vector<notice> out;
  bool const has_tools = request.tools && !request.tools->empty() && request.choice != tool_choice::none;
  if (has_tools && !info.can.tools)
    out.push_back({"tools", "the model " + info.name + " takes no tools; the request goes out without them"});
  if ((has_tools || request.output_schema || request.constraint) && !info.can.grammar)
    out.push_back(
        {"grammar", "the model " + info.name +
                        " does not decode under a grammar; calls and output are checked when they are complete"});
  if ((request.sampling.logprobs || request.sampling.top_logprobs > 0) && !info.can.logits)
    out.push_back({"logprobs", "the model " + info.name + " reports no log-probabilities"});
  if (!request.adapters.empty() && !info.can.adapters)
    out.push_back({"adapters", "the model " + info.name + " applies no adapters; it answers as it is"});
  return out;
}

task<result<response_end>> async_collect(std::unique_ptr<model_stream> stream) {
  for (;;) {
    auto event = co_await stream->async_next();
    if (!event) co_return std::move(event).error();
    if (auto* end = std::get_if<response_end>(&*event)) co_return std::move(*end);
  }
}

}  // namespace wherry::inline v0
