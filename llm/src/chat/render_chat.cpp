// Messages and tools as the context that Hugging Face's apply_chat_template builds.
#include "chat/chat_template_impl.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>
#include <array>

namespace wherry::inline v0 {
namespace {

constexpr char const* where = "chat.render";

// Templates disagree on how a call looks: some test whether the content is none, some fail when it is; some paste
// arguments as text. See shape_for.
struct call_shape {
  bool null_content;
  bool text_arguments;
};
constexpr std::array<call_shape, 4> call_shapes = {{{false, false}, {true, false}, {false, true}, {true, true}}};

json call_json(tool_call const& call, call_shape shape) {
  json arguments = call.arguments;
  if (!shape.text_arguments)
    if (auto parsed = parse_json(call.arguments)) arguments = std::move(*parsed);
  json function = {{"name", call.name}};
  function["arguments"] = std::move(arguments);
  return {{"id", call.id}, {"type", "function"}, {"function", std::move(function)}};
}

result<json> message_json(message const& m, call_shape shape) {
  std::string text;
  std::string reasoning;
  json calls = json::array();
  for (auto const& part : m.parts) {
    if (auto const* written = std::get_if<text_part>(&part))
      text += written->text;
    else if (auto const* thought = std::get_if<reasoning_part>(&part))
      reasoning += thought->text;
    else if (auto const* call = std::get_if<tool_call>(&part))
      calls.push_back(call_json(*call, shape));
    else if (auto const kind = kind_of(part);
             kind == part_kind::image || kind == part_kind::audio || kind == part_kind::file)
      return error(errc::model_refused_part,
                   std::string("a chat template takes text; the message holds a part of kind ") + to_string(kind),
                   where);
  }
  json out = {{"role", to_string(m.role)}};
  if (text.empty() && !calls.empty() && shape.null_content)
    out["content"] = nullptr;
  else
    out["content"] = std::move(text);
  if (!reasoning.empty()) out["reasoning_content"] = std::move(reasoning);
  if (!calls.empty()) out["tool_calls"] = std::move(calls);
  return out;
}

json result_json(tool_result const& r) {
  return {{"role", to_string(role::tool)}, {"content", r.content}, {"name", r.name}, {"tool_call_id", r.call_id}};
}

result<json> messages_json(std::span<message const> messages, call_shape shape) {
  json out = json::array();
  for (auto const& m : messages) {
    std::size_t results = 0;
    for (auto const& part : m.parts)
      if (auto const* r = std::get_if<tool_result>(&part)) {
        out.push_back(result_json(*r));
        ++results;
      }
    if (results > 0 && results == m.parts.size()) continue;
    auto converted = message_json(m, shape);
    if (!converted) return converted.error();
    out.push_back(std::move(*converted));
  }
  return out;
}

result<json> tools_json(std::span<tool_spec const> tools) {
  json out = json::array();
  for (auto const& tool : tools) {
    auto schema = parse_json(tool.input_schema.text);
    if (!schema)
      return error(errc::parse_error, "the input schema is no JSON: " + schema.error().message, where, tool.name);
    json function = {{"name", tool.name}, {"description", tool.description}};
    function["parameters"] = std::move(*schema);
    out.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return out;
}

result<json> context_json(std::span<message const> messages, std::span<tool_spec const> tools,
                          render_options const& options, call_shape shape) {
  json context = json::object();
  if (!options.variables.text.empty()) {
    auto variables = parse_json(options.variables.text);
    if (!variables || !variables->is_object())
      return error(errc::parse_error, "render_options::variables is no JSON object", where);
    context = std::move(*variables);
  }
  auto converted = messages_json(messages, shape);
  if (!converted) return converted.error();
  context["messages"] = std::move(*converted);
  if (!tools.empty()) {
    auto specs = tools_json(tools);
    if (!specs) return specs.error();
    context["tools"] = std::move(*specs);
  }
  if (options.output_schema) {
    auto schema = parse_json(options.output_schema->text);
    if (!schema) return error(errc::parse_error, "the output schema is no JSON: " + schema.error().message, where);
    context["output_schema"] = std::move(*schema);
  }
  context["add_generation_prompt"] = options.add_generation_prompt;
  return context;
}

// The first shape in which this template shows a call with its arguments, found by rendering a tiny conversation.
call_shape shape_for(chat_template::impl const& chat, render_options const& options) {
  constexpr std::string_view marker = "wherry-probe";
  std::vector<message> const probe = {
      message::user("-"),
      {role::assistant, {tool_call{"callprobe", "probe", R"({"probe":"wherry-probe"})"}}},
      {role::tool, {tool_result{"callprobe", "probe", "-"}}},
  };
  for (auto const shape : call_shapes) {
    auto const context = context_json(probe, {}, options, shape);
    if (!context) break;
    auto const pieces = chat.render(*context, options, detail::chat::context_trust::roles_are_template);
    if (pieces && joined(*pieces).find(marker) != std::string::npos) return shape;
  }
  return call_shapes[0];
}

bool any_call(std::span<message const> messages) {
  return std::any_of(messages.begin(), messages.end(), [](message const& m) {
    return std::any_of(m.parts.begin(), m.parts.end(),
                       [](content_part const& part) { return std::holds_alternative<tool_call>(part); });
  });
}

}  // namespace

result<std::vector<prompt_piece>> render_chat(chat_template const& chat, std::span<message const> messages,
                                              std::span<tool_spec const> tools, render_options const& options) {
  auto const shape = any_call(messages) ? shape_for(*chat.impl_, options) : call_shapes[0];
  auto const context = context_json(messages, tools, options, shape);
  if (!context) return context.error();
  return chat.impl_->render(*context, options, detail::chat::context_trust::roles_are_template);
}

}  // namespace wherry::inline v0
