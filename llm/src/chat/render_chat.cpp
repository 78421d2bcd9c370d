// Messages and tools as the context that Hugging Face's apply_chat_template builds, and what is done where a template
// has no place for a part of it. What a template shows is found out by rendering tiny conversations with it.
#include "chat/chat_template_impl.hpp"

#include <wherry/core/json.hpp>
#include <wherry/llm/chat_answer.hpp>

#include <algorithm>
#include <array>

namespace wherry::inline v0 {
namespace {

using detail::chat::call_shape;
using detail::chat::context_trust;
using detail::chat::marked_values;
using detail::chat::template_abilities;
using detail::chat::template_access;
using pieces = std::vector<prompt_piece>;

constexpr char const* where = "chat.render";
constexpr char const* marker = "wherry-probe";
constexpr char const* second_marker = "wherry-second";

constexpr std::array<call_shape, 4> call_shapes = {{{false, false}, {true, false}, {false, true}, {true, true}}};

void add(pieces& out, std::string text, text_origin origin) {
  if (!text.empty()) out.push_back({std::move(text), origin});
}

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

std::vector<tool_result> results_of(message const& m) {
  std::vector<tool_result> out;
  for (auto const& part : m.parts)
    if (auto const* r = std::get_if<tool_result>(&part)) out.push_back(*r);
  return out;
}

// One conversation on its way into a template.
class conversation {
 public:
  conversation(chat_template::impl const& chat, render_options const& options, bool tools_by_template = true)
      : chat_(chat), options_(options), family_(family_of(chat.source)), tools_by_template_(tools_by_template) {}

  result<pieces> render(std::span<message const> messages, std::span<tool_spec const> tools) {
    if (auto ready = prepare_context(tools); !ready) return ready.error();
    key_ = std::string(options_.lenient ? "l" : "s") + (tools.empty() ? "-" : "t") + options_.variables.text;
    able_ = chat_.known->get(key_);
    for (auto const& m : messages) {
      if (!m.tool_calls().empty() && !able_.calls) able_.calls = probe_calls();
      if (m.tool_calls().size() > 1 && shows_calls() && !able_.parallel) able_.parallel = probe_parallel();
      if (!results_of(m).empty() && !able_.results) able_.results = probe_results();
    }
    bool const split = shows_calls() && !able_.parallel.value_or(true);
    for (auto const& m : split ? one_call_each(messages) : std::vector(messages.begin(), messages.end()))
      if (auto added = add_message(m); !added) return added.error();
    if (auto shown = show_blocks(tools); !shown) return shown.error();
    place_system();
    chat_.known->put(key_, able_);
    context_["messages"] = std::move(messages_);
    return chat_.render(context_, options_, context_trust::roles_are_template, marked_);
  }

 private:
  // Everything but the messages.
  result<void> prepare_context(std::span<tool_spec const> tools) {
    context_ = json::object();
    if (!options_.variables.text.empty()) {
      auto variables = parse_json(options_.variables.text);
      if (!variables || !variables->is_object())
        return error(errc::parse_error, "render_options::variables is no JSON object", where);
      context_ = std::move(*variables);
    }
    context_["messages"] = json::array();
    if (!tools.empty()) {
      auto specs = tools_json(tools);
      if (!specs) return specs.error();
      context_["tools"] = std::move(*specs);
    }
    add_own_names();
    if (options_.output_schema) {
      auto schema = parse_json(options_.output_schema->text);
      if (!schema) return error(errc::parse_error, "the output schema is no JSON: " + schema.error().message, where);
      context_["output_schema"] = std::move(*schema);
    }
    context_["add_generation_prompt"] = options_.add_generation_prompt;
    return {};
  }

  // A few templates look for the tools under names of their own.
  void add_own_names() {
    json const specs = context_.value("tools", json::array());
    if (!specs.empty() && chat_.source.find("xml_tools") != std::string::npos && !context_.contains("xml_tools"))
      context_["xml_tools"] = specs;
    if (chat_.source.find("functools[") != std::string::npos && !context_.contains("functions"))
      context_["functions"] = to_text(specs);
  }

  // -- what the template shows ---------------------------------------------------------------------------------------

  bool shows(json const& messages, std::string_view text, json const* tools = nullptr) const {
    json context = context_;
    context["messages"] = messages;
    context["add_generation_prompt"] = false;
    if (tools) context["tools"] = *tools;
    auto const rendered = chat_.render(context, options_, context_trust::roles_are_template);
    return rendered && joined(*rendered).find(text) != std::string::npos;
  }

  static json probe_call(char const* id, char const* value, call_shape shape) {
    return call_json({id, "probe", "{\"probe\":\"" + std::string(value) + "\"}"}, shape);
  }
  static json probe_answer(std::vector<json> calls, call_shape form) {
    json out = {{"role", "assistant"}};
    out["content"] = form.null_content ? json(nullptr) : json("");
    out["tool_calls"] = std::move(calls);
    return out;
  }
  static json probe_result(char const* id, char const* content) { return result_json({id, "probe", content}); }
  static json probe_user() { return {{"role", "user"}, {"content", "-"}}; }

  bool shows_calls() const { return able_.calls && *able_.calls; }
  call_shape shape() const { return shows_calls() ? **able_.calls : call_shapes[0]; }

  // The first shape in which this template shows a call with its arguments.
  std::optional<call_shape> probe_calls() const {
    for (auto const form : call_shapes) {
      json const answer = probe_answer({probe_call("callprobe", marker, form)}, form);
      if (shows(json::array({probe_user(), answer, probe_result("callprobe", "-")}), marker)) return form;
    }
    return std::nullopt;
  }

  bool probe_parallel() const {
    json const answer = probe_answer(
        {probe_call("callprobe", marker, shape()), probe_call("callprob2", second_marker, shape())}, shape());
    return shows(json::array({probe_user(), answer, probe_result("callprobe", "-"), probe_result("callprob2", "-")}),
                 second_marker);
  }

  bool probe_results() const {
    json answer = shows_calls() ? probe_answer({probe_call("callprobe", "-", shape())}, shape())
                                : json{{"role", "assistant"}, {"content", "-"}};
    return shows(json::array({probe_user(), std::move(answer), probe_result("callprobe", marker)}), marker);
  }

  bool probe_tools() const {
    json const parameters = {{"type", "object"},
                             {"properties", {{"p", {{"type", "string"}, {"description", "-"}}}}},
                             {"required", json::array({"p"})},
                             {"additionalProperties", false}};
    json const function = {{"name", marker}, {"description", "-"}, {"parameters", parameters}};
    json const tools = json::array({json{{"type", "function"}, {"function", function}}});
    for (auto const* name : {"xml_tools", "functions"})
      if (context_.contains(name)) return true;
    return shows(json::array({probe_user()}), marker, &tools);
  }

  bool probe_system() const {
    return shows(json::array({json{{"role", "system"}, {"content", marker}}, probe_user()}), marker);
  }

  // For templates that show one call a message: each call with its result, one after the other.
  static std::vector<message> one_call_each(std::span<message const> messages) {
    std::vector<message> out;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      auto const calls = messages[i].tool_calls();
      if (calls.size() < 2) {
        out.push_back(messages[i]);
        continue;
      }
      message speaking = messages[i];
      std::erase_if(speaking.parts, [](content_part const& part) { return std::holds_alternative<tool_call>(part); });
      auto results = i + 1 < messages.size() ? results_of(messages[i + 1]) : std::vector<tool_result>{};
      for (auto const& call : calls) {
        speaking.parts.push_back(call);
        out.push_back(std::exchange(speaking, {role::assistant, {}}));
        auto const mine =
            std::find_if(results.begin(), results.end(), [&](auto const& r) { return r.call_id == call.id; });
        if (mine == results.end()) continue;
        out.push_back({role::tool, {*mine}});
        results.erase(mine);
      }
      if (i + 1 == messages.size() || results_of(messages[i + 1]).empty()) continue;
      message rest = messages[++i];
      std::erase_if(rest.parts, [](content_part const& part) { return std::holds_alternative<tool_result>(part); });
      for (auto& r : results) rest.parts.emplace_back(std::move(r));
      if (!rest.parts.empty()) out.push_back(std::move(rest));
    }
    return out;
  }

  // -- messages ------------------------------------------------------------------------------------------------------

  void push(json message, std::optional<pieces> content = std::nullopt) {
    if (content) {
      message["content"] = joined(*content);
      marked_.contents[messages_.size()] = std::move(*content);
    }
    messages_.push_back(std::move(message));
  }

  result<void> add_message(message const& m) {
    auto const results = results_of(m);
    if (!results.empty()) {
      if (auto added = add_results(results); !added) return added;
      if (results.size() == m.parts.size()) return {};
    }
    auto converted = message_json(m, shape());
    if (!converted) return converted.error();
    auto const calls = m.tool_calls();
    if (calls.empty() || shows_calls()) {
      push(std::move(*converted));
      return {};
    }
    converted->erase("tool_calls");
    message spoken = m;
    std::erase_if(spoken.parts, [](content_part const& part) { return std::holds_alternative<reasoning_part>(part); });
    push(std::move(*converted), family_.replay(spoken));
    return {};
  }

  result<void> add_results(std::vector<tool_result> const& results) {
    if (able_.results.value_or(true)) {
      for (auto const& r : results) push(result_json(r));
      return {};
    }
    json context = {{"results", json::array()}};
    for (auto const& r : results) context["results"].push_back({{"name", r.name}, {"content", r.content}});
    auto block = render_block(options_.result_block, result_block_source, context, {});
    if (!block) return block.error();
    // Templates that show no results often want users and assistants in turn.
    if (!messages_.empty() && messages_.back()["role"] == "user") {
      auto& before = marked_.contents[messages_.size() - 1];
      if (before.empty()) add(before, messages_.back()["content"], text_origin::from_data);
      add(before, "\n", text_origin::from_template);
      before.insert(before.end(), block->begin(), block->end());
      return {};
    }
    push(json{{"role", "user"}, {"content", ""}}, std::move(*block));
    return {};
  }

  // -- blocks --------------------------------------------------------------------------------------------------------

  result<pieces> render_block(std::optional<std::string> const& own, std::string_view built_in, json const& context,
                              marked_values const& marked) const {
    auto const parsed = chat_template::parse(own ? *own : std::string(built_in));
    if (!parsed) return parsed.error();
    return template_access::of(*parsed).render(context, options_, context_trust::all_is_data, marked);
  }

  // Tools and output schema, where the template shows them not.
  result<void> show_blocks(std::span<tool_spec const> tools) {
    if (!tools.empty() && !able_.tools) able_.tools = probe_tools();
    bool const tools_missing = !tools.empty() && !(tools_by_template_ && *able_.tools);
    bool const schema_missing = options_.output_schema && chat_.source.find("output_schema") == std::string::npos;
    if (!tools_missing && !schema_missing) return {};
    json context = json::object();
    if (tools_missing) context["tools"] = context_["tools"];
    if (schema_missing) context["output_schema"] = context_["output_schema"];
    context["output_form"] = family_ == answer_families().back() ? "{\"output\":...} with JSON" : "JSON";
    marked_values marked;
    message const example{role::assistant, {tool_call{"", "NAME", R"({"ARGUMENT": "VALUE"})"}}};
    marked.variables.emplace_back("call_form", family_.replay(example));
    auto block = render_block(options_.tool_block, tool_block_source, context, marked);
    if (!block) return block.error();
    if (block->empty()) return {};
    context_.erase("tools");  // a template that shows none may still fail over them
    if (messages_.empty() || messages_[0]["role"] != "system") {
      messages_.insert(messages_.begin(), json{{"role", "system"}, {"content", ""}});
      std::map<std::size_t, pieces> moved;
      for (auto& [index, content] : marked_.contents) moved.emplace(index + 1, std::move(content));
      marked_.contents = std::move(moved);
    }
    append_to(0, "\n\n", std::move(*block));
    return {};
  }

  // The text of a message, then a gap unless it was empty, then more.
  void append_to(std::size_t index, char const* gap, pieces more) {
    auto& content = marked_.contents[index];
    if (content.empty() && messages_[index]["content"].is_string())
      add(content, messages_[index]["content"], text_origin::from_data);
    if (!content.empty()) add(content, gap, text_origin::from_template);
    content.insert(content.end(), more.begin(), more.end());
  }

  // A system message that the template refuses or hides goes before the first user's.
  void place_system() {
    if (messages_.size() < 2 || messages_[0]["role"] != "system" || messages_[1]["role"] != "user") return;
    if (!able_.system) able_.system = probe_system();
    if (*able_.system) return;
    append_to(0, "", {});
    pieces system = std::move(marked_.contents[0]);
    append_to(1, "", {});
    pieces user = std::move(marked_.contents[1]);
    std::map<std::size_t, pieces> moved;
    for (auto& [index, content] : marked_.contents)
      if (index > 1) moved.emplace(index - 1, std::move(content));
    add(system, "\n\n", text_origin::from_template);
    system.insert(system.end(), user.begin(), user.end());
    moved[0] = std::move(system);
    marked_.contents = std::move(moved);
    messages_.erase(messages_.begin());
  }

  chat_template::impl const& chat_;
  render_options const& options_;
  answer_family const family_;
  bool const tools_by_template_;  // where it can
  json context_;
  json messages_ = json::array();
  marked_values marked_;
  std::string key_;
  template_abilities able_;
};

}  // namespace

namespace detail::chat {

template_abilities ability_cache::get(std::string const& key) {
  std::lock_guard const lock(mutex_);
  for (auto const& [known, abilities] : kept_)
    if (known == key) return abilities;
  return {};
}

void ability_cache::put(std::string const& key, template_abilities const& found) {
  std::lock_guard const lock(mutex_);
  std::erase_if(kept_, [&](auto const& entry) { return entry.first == key; });
  kept_.emplace_back(key, found);
  if (kept_.size() > kept_max) kept_.erase(kept_.begin());
}

}  // namespace detail::chat

result<std::vector<prompt_piece>> render_chat(chat_template const& chat, std::span<message const> messages,
                                              std::span<tool_spec const> tools, render_options const& options) {
  auto const& source = template_access::of(chat);
  auto rendered = conversation(source, options).render(messages, tools);
  if (rendered || tools.empty() || !options.lenient) return rendered;
  // Some templates fail over tools that lack what theirs had, a description for example.
  auto in_block = conversation(source, options, false).render(messages, tools);
  return in_block ? in_block : rendered;
}

}  // namespace wherry::inline v0
