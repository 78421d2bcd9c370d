// The table of families. A row says which templates teach it, how its answers are read, and how they are written.
//
// Where several rows could fit a template the first counts, so that special marks come before common ones. Layouts are
// those of the models' own templates; where a template shows no calls they follow the vendor's documentation.
#include "chat/answer_reader.hpp"

#include <algorithm>
#include <iterator>

namespace wherry::inline v0::detail::chat {
namespace {

bool has(string_view source, string_view part) { return source.find(part) != string_view::npos; }

// functions.NAME:INDEX is both name and id.
void split_kimi_name(std::string& name, std::string& id) {
  id = name;
  constexpr string_view prefix = "functions.";
  if (name.starts_with(prefix)) name.erase(0, prefix.size());
  std::size_t const colon = name.rfind(':');
  bool const numbered = colon != std::string::npos && colon + 1 < name.size() &&
                        name.find_first_not_of("0123456789", colon + 1) == std::string::npos;
  if (numbered) name.resize(colon);
}

constexpr tagged_syntax::block think{"<think>", "</think>"};
constexpr string_view object_call = R"({"name": $json_name, "arguments": $arguments})";

constexpr family_row rows[] = {
    {.name = "harmony",  // gpt-oss
     .taught_by = [](string_view s) { return has(s, "<|channel|>") && has(s, "<|message|>"); },
     .layout = {.reasoning = "<|channel|>analysis<|message|>$reasoning<|end|><|start|>assistant",
                .text = "<|channel|>final<|message|>$text",
                .before_calls = "<|end|><|start|>assistant",
                .call = " to=functions.$name<|channel|>commentary json<|message|>$arguments<|call|>",
                .between = "<|start|>assistant"},
     .reader = make_harmony_reader,
     .other_marks = {"<|channel|>", "<|message|>", "<|constrain|>", "<|start|>", "<|end|>", "<|call|>", "<|return|>"},
     .message_end = "<|end|>"},

    {.name = "gemma4",
     .taught_by = [](string_view s) { return has(s, "<|tool_call>"); },
     .syntax = {.reasoning = {{{"<|channel>thought", "<channel|>"}}},
                .form = call_form::gemma,
                .call_open = "<|tool_call>",
                .call_close = "<tool_call|>",
                .quote = "<|\"|>"},
     .layout = {.reasoning = "<|channel>thought\n$reasoning\n<channel|>",
                .before_calls = "",
                .call = "<|tool_call>call:$name$gemma<tool_call|>"},
     .other_marks = {"<|channel>"}},

    {.name = "functiongemma",
     .taught_by = [](string_view s) { return has(s, "<start_function_call>"); },
     .syntax = {.form = call_form::gemma,
                .call_open = "<start_function_call>",
                .call_close = "<end_function_call>",
                .quote = "<escape>"},
     .layout = {.reasoning = "",
                .before_calls = "",
                .call = "<start_function_call>call:$name$gemma<end_function_call>"}},

    {.name = "deepseek_v4",
     .taught_by = [](string_view s) { return has(s, "｜DSML｜") && has(s, "tool_calls>"); },
     .syntax = {.reasoning = {think},
                .form = call_form::parameters,
                .section_open = "<｜DSML｜tool_calls>",
                .section_close = "</｜DSML｜tool_calls>",
                .call_open = "<｜DSML｜invoke name=\"",
                .call_close = "</｜DSML｜invoke>",
                .name_end = "\">",
                .key_open = "<｜DSML｜parameter name=\"",
                .key_close = "\">",
                .value_close = "</｜DSML｜parameter>",
                .string_flag = "\" string=\""},
     .layout = {.reasoning = "<think>$reasoning</think>",
                .before_calls = "\n\n",
                .open = "<｜DSML｜tool_calls>\n",
                .call = "<｜DSML｜invoke name=\"$name\">\n$parameters</｜DSML｜invoke>\n",
                .close = "</｜DSML｜tool_calls>",
                .parameter = "<｜DSML｜parameter name=\"$key\" string=\"false\">$value</｜DSML｜parameter>\n",
                .string_parameter = "<｜DSML｜parameter name=\"$key\" string=\"true\">$value</｜DSML｜parameter>\n"},
     .other_marks = {"｜DSML｜"}},

    {.name = "deepseek_v3_2",
     .taught_by = [](string_view s) { return has(s, "｜DSML｜"); },
     .syntax = {.reasoning = {think},
                .form = call_form::parameters,
                .section_open = "<｜DSML｜function_calls>",
                .section_close = "</｜DSML｜function_calls>",
                .call_open = "<｜DSML｜invoke name=\"",
                .call_close = "</｜DSML｜invoke>",
                .name_end = "\">",
                .key_open = "<｜DSML｜parameter name=\"",
                .key_close = "\">",
                .value_close = "</｜DSML｜parameter>",
                .string_flag = "\" string=\""},
     .layout = {.reasoning = "<think>$reasoning</think>",
                .before_calls = "\n\n",
                .open = "<｜DSML｜function_calls>\n",
                .call = "<｜DSML｜invoke name=\"$name\">\n$parameters</｜DSML｜invoke>\n",
                .close = "</｜DSML｜function_calls>",
                .parameter = "<｜DSML｜parameter name=\"$key\" string=\"false\">$value</｜DSML｜parameter>\n",
                .string_parameter = "<｜DSML｜parameter name=\"$key\" string=\"true\">$value</｜DSML｜parameter>\n"},
     .other_marks = {"｜DSML｜"}},

    {.name = "deepseek_r1",  // and V3
     .taught_by = [](string_view s) { return has(s, "<｜tool▁calls▁begin｜>") && has(s, "```json"); },
     .syntax = {.reasoning = {think},
                .form = call_form::named,
                .section_open = "<｜tool▁calls▁begin｜>",
                .section_close = "<｜tool▁calls▁end｜>",
                .call_open = "<｜tool▁call▁begin｜>",
                .call_close = "<｜tool▁call▁end｜>",
                .head_end = "<｜tool▁sep｜>",
                .name_end = "\n",
                .arguments_open = "```json",
                .arguments_close = "```"},
     .layout = {.before_calls = "",
                .open = "<｜tool▁calls▁begin｜>",
                .call = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>$name\n```json\n$arguments\n```<｜tool▁call▁end｜>",
                .between = "\n",
                .close = "<｜tool▁calls▁end｜>"}},

    {.name = "deepseek_v3_1",
     .taught_by = [](string_view s) { return has(s, "<｜tool▁calls▁begin｜>"); },
     .syntax = {.reasoning = {think},
                .form = call_form::named,
                .section_open = "<｜tool▁calls▁begin｜>",
                .section_close = "<｜tool▁calls▁end｜>",
                .call_open = "<｜tool▁call▁begin｜>",
                .call_close = "<｜tool▁call▁end｜>",
                .name_end = "<｜tool▁sep｜>"},
     .layout = {.reasoning = "<think>$reasoning</think>",
                .before_calls = "",
                .open = "<｜tool▁calls▁begin｜>",
                .call = "<｜tool▁call▁begin｜>$name<｜tool▁sep｜>$arguments<｜tool▁call▁end｜>",
                .close = "<｜tool▁calls▁end｜>"}},

    {.name = "kimi_k2",
     .taught_by = [](string_view s) { return has(s, "<|tool_call_argument_begin|>"); },
     .syntax = {.reasoning = {think},
                .form = call_form::named,
                .section_open = "<|tool_calls_section_begin|>",
                .section_close = "<|tool_calls_section_end|>",
                .call_open = "<|tool_call_begin|>",
                .call_close = "<|tool_call_end|>",
                .name_end = "<|tool_call_argument_begin|>",
                .split_name = split_kimi_name},
     .layout = {.reasoning = "<think>$reasoning</think>",
                .before_calls = "",
                .open = "<|tool_calls_section_begin|>",
                .call = "<|tool_call_begin|>functions.$name:$index<|tool_call_argument_begin|>$arguments"
                        "<|tool_call_end|>",
                .close = "<|tool_calls_section_end|>"}},

    {.name = "glm_4_7",  // and 5
     .taught_by = [](string_view s) { return has(s, "</arg_key><arg_value>"); },
     .syntax = {.reasoning = {think},
                .form = call_form::parameters,
                .call_open = "<tool_call>",
                .call_close = "</tool_call>",
                .key_open = "<arg_key>",
                .key_close = "</arg_key>",
                .value_open = "<arg_value>",
                .value_close = "</arg_value>"},
     .layout = {.reasoning = "<think>$reasoning</think>",
                .before_calls = "",
                .call = "<tool_call>$name$parameters</tool_call>",
                .parameter = "<arg_key>$key</arg_key><arg_value>$value</arg_value>"}},

    {.name = "glm_4_5",  // and 4.6
     .taught_by = [](string_view s) { return has(s, "<arg_key>"); },
     .syntax = {.reasoning = {think},
                .form = call_form::parameters,
                .call_open = "<tool_call>",
                .call_close = "</tool_call>",
                .key_open = "<arg_key>",
                .key_close = "</arg_key>",
                .value_open = "<arg_value>",
                .value_close = "</arg_value>"},
     .layout = {.reasoning = "<think>$reasoning</think>\n",
                .call = "<tool_call>$name\n$parameters</tool_call>",
                .between = "\n",
                .parameter = "<arg_key>$key</arg_key>\n<arg_value>$value</arg_value>\n"}},

    {.name = "minimax_m2",
     .taught_by = [](string_view s) { return has(s, "<minimax:tool_call>"); },
     .syntax = {.reasoning = {think},
                .form = call_form::parameters,
                .section_open = "<minimax:tool_call>",
                .section_close = "</minimax:tool_call>",
                .call_open = "<invoke name=\"",
                .call_close = "</invoke>",
                .name_end = "\">",
                .key_open = "<parameter name=\"",
                .key_close = "\">",
                .value_close = "</parameter>"},
     .layout = {.open = "<minimax:tool_call>\n",
                .call = "<invoke name=\"$name\">\n$parameters</invoke>\n",
                .close = "</minimax:tool_call>",
                .parameter = "<parameter name=\"$key\">$value</parameter>\n"}},

    {.name = "seed_oss",
     .taught_by = [](string_view s) { return has(s, "<seed:tool_call>"); },
     .syntax = {.reasoning = {{{"<seed:think>", "</seed:think>"}}},
                .form = call_form::parameters,
                .section_open = "<seed:tool_call>",
                .section_close = "</seed:tool_call>",
                .call_open = "<function=",
                .call_close = "</function>",
                .name_end = ">",
                .key_open = "<parameter=",
                .key_close = ">",
                .value_close = "</parameter>"},
     .layout = {.reasoning = "<seed:think>$reasoning</seed:think>\n",
                .call = "<seed:tool_call>\n<function=$name>\n$parameters</function>\n</seed:tool_call>",
                .between = "\n",
                .parameter = "<parameter=$key>$value</parameter>\n"}},

    {.name = "qwen3_coder",  // Qwen3.5, Nemotron 3, Step 3.5
     .taught_by = [](string_view s) { return has(s, "<function=") && has(s, "<parameter="); },
     .syntax = {.reasoning = {think},
                .form = call_form::parameters,
                .section_open = "<tool_call>",
                .section_close = "</tool_call>",
                .call_open = "<function=",
                .call_close = "</function>",
                .name_end = ">",
                .key_open = "<parameter=",
                .key_close = ">",
                .value_close = "</parameter>"},
     .layout = {.call = "<tool_call>\n<function=$name>\n$parameters</function>\n</tool_call>",
                .between = "\n",
                .parameter = "<parameter=$key>\n$value\n</parameter>\n"}},

    {.name = "functionary_v3_1",
     .taught_by = [](string_view s) { return has(s, "<function="); },
     .syntax = {.form = call_form::named, .call_open = "<function=", .call_close = "</function>", .name_end = ">"},
     .layout = {.reasoning = "", .before_calls = "", .call = "<function=$name>$arguments</function>"}},

    {.name = "functionary_v3_2",
     .taught_by = [](string_view s) { return has(s, ">>>") && has(s, "recipient"); },
     .layout =
         {.reasoning = "", .text = "all\n$text", .before_calls = ">>>", .call = "$name\n$arguments", .between = ">>>"},
     .reader = make_recipient_reader,
     .other_marks = {">>>"}},

    {.name = "firefunction",
     .taught_by = [](string_view s) { return has(s, "functools["); },
     .syntax = {.section_open = "functools[", .open_is_text = true},
     .layout = {.reasoning = "",
                .before_calls = " ",
                .open = "functools[",
                .call = object_call,
                .between = ", ",
                .close = "]"}},

    {.name = "mistral_args",  // Mistral Small 3.2, Devstral, Ministral
     .taught_by = [](string_view s) { return has(s, "[TOOL_CALLS]") && has(s, "[ARGS]"); },
     .syntax = {.reasoning = {{{"[THINK]", "[/THINK]"}}},
                .form = call_form::named,
                .call_open = "[TOOL_CALLS]",
                .name_end = "[ARGS]",
                .id_open = "[CALL_ID]",
                .json_too = true},
     .layout = {.reasoning = "[THINK]$reasoning[/THINK]",
                .before_calls = "",
                .call = "[TOOL_CALLS]$name[ARGS]$arguments"}},

    {.name = "mistral",  // Nemo, Small up to 3.1, Large
     .taught_by = [](string_view s) { return has(s, "[TOOL_CALLS]"); },
     .syntax = {.reasoning = {{{"[THINK]", "[/THINK]"}}},
                .form = call_form::named,
                .call_open = "[TOOL_CALLS]",
                .name_end = "[ARGS]",
                .id_open = "[CALL_ID]",
                .json_too = true},
     .layout = {.reasoning = "",
                .before_calls = "",
                .open = "[TOOL_CALLS][",
                .call = R"({"name": $json_name, "arguments": $arguments, "id": $json_id})",
                .between = ", ",
                .close = "]"}},

    {.name = "command_r7b",  // and Command A
     .taught_by = [](string_view s) { return has(s, "<|START_ACTION|>"); },
     .syntax = {.reasoning = {{{"<|START_THINKING|>", "<|END_THINKING|>"}}},
                .ignored = {"<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>"},
                .section_open = "<|START_ACTION|>",
                .section_close = "<|END_ACTION|>",
                .name_key = "tool_name",
                .arguments_key = "parameters"},
     .layout = {.reasoning = "<|START_THINKING|>$reasoning<|END_THINKING|>",
                .text = "<|START_RESPONSE|>$text<|END_RESPONSE|>",
                .before_calls = "",
                .open = "<|START_ACTION|>[\n",
                .call = R"(    {"tool_call_id": "$index", "tool_name": $json_name, "parameters": $arguments})",
                .between = ",\n",
                .close = "\n]<|END_ACTION|>"}},

    {.name = "command_r",
     .taught_by = [](string_view s) { return has(s, "directly-answer") || has(s, "directly_answer"); },
     .syntax = {.section_open = "Action:",
                .section_close = "```",
                .name_key = "tool_name",
                .arguments_key = "parameters",
                .no_call_name = "directly-answer",
                .arguments_open = "```json"},
     .layout = {.reasoning = "",
                .open = "Action:\n```json\n[\n",
                .call = "    {\n        \"tool_name\": $json_name,\n        \"parameters\": $arguments\n    }",
                .between = ",\n",
                .close = "\n]```"}},

    {.name = "apertus",
     .taught_by = [](string_view s) { return has(s, "<|tools_prefix|>"); },
     .syntax = {.reasoning = {{{"<|inner_prefix|>", "<|inner_suffix|>"}}},
                .section_open = "<|tools_prefix|>",
                .section_close = "<|tools_suffix|>",
                .name_is_key = true},
     .layout = {.reasoning = "<|inner_prefix|>$reasoning<|inner_suffix|>",
                .before_calls = "",
                .open = "<|tools_prefix|>[",
                .call = "{$json_name: $arguments}",
                .between = ", ",
                .close = "]<|tools_suffix|>"}},

    {.name = "apriel",
     .taught_by = [](string_view s) { return has(s, "<tool_calls>["); },
     .syntax = {.reasoning = {{{"Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"}, think}},
                .ignored = {"[END FINAL RESPONSE]"},
                .section_open = "<tool_calls>",
                .section_close = "</tool_calls>"},
     .layout = {.reasoning = "Here are my reasoning steps:\n$reasoning\n[BEGIN FINAL RESPONSE]\n",
                .open = "<tool_calls>[",
                .call = object_call,
                .between = ", ",
                .close = "]</tool_calls>"}},

    {.name = "phi4_mini",
     .taught_by = [](string_view s) { return has(s, "<|/tool_call|>") || has(s, "<|/tool|>"); },
     .syntax = {.section_open = "<|tool_call|>", .section_close = "<|/tool_call|>"},
     .layout = {.reasoning = "",
                .before_calls = "",
                .open = "<|tool_call|>[",
                .call = object_call,
                .between = ", ",
                .close = "]<|/tool_call|>"}},

    {.name = "granite",
     .taught_by = [](string_view s) { return has(s, "<|tool_call|>"); },
     .syntax = {.reasoning = {think}, .ignored = {"<response>", "</response>"}, .section_open = "<|tool_call|>"},
     .layout = {.reasoning = "<think>$reasoning</think>",
                .before_calls = "",
                .open = "<|tool_call|>[",
                .call = object_call,
                .between = ", ",
                .close = "]"}},

    {.name = "nemotron",  // Nano 2 and Llama-Nemotron; Nemotron 3 writes as qwen3_coder
     .taught_by = [](string_view s) { return has(s, "<TOOLCALL>"); },
     .syntax = {.reasoning = {think}, .section_open = "<TOOLCALL>", .section_close = "</TOOLCALL>"},
     .layout =
         {.before_calls = "", .open = "<TOOLCALL>[", .call = object_call, .between = ", ", .close = "]</TOOLCALL>"}},

    {.name = "gigachat_3_1",
     .taught_by = [](string_view s) { return has(s, "<|function_call|>"); },
     .syntax = {.ignored = {"<|message_sep|>"}, .section_open = "<|function_call|>"},
     .layout = {.reasoning = "",
                .before_calls = "",
                .call = "<|function_call|>{\"name\": $json_name, \"arguments\": $arguments}"}},

    {.name = "gigachat_3",
     .taught_by = [](string_view s) { return has(s, "'function call'") && has(s, "role_sep"); },
     .syntax = {.ignored = {"<|message_sep|>"}, .section_open = "function call<|role_sep|>"},
     .layout = {.reasoning = "",
                .before_calls = "",
                .call =
                    "<|message_sep|>\n\nfunction call<|role_sep|>\n{\"name\": $json_name, \"arguments\": $arguments}"},
     .other_marks = {"<|role_sep|>"}},

    {.name = "lfm2",
     .taught_by =
         [](string_view s) {
           return has(s, "<|tool_call_start|>") || has(s, "<|tool_list_start|>") || has(s, "List of tools: ");
         },
     .syntax = {.reasoning = {think},
                .form = call_form::python,
                .section_open = "<|tool_call_start|>",
                .section_close = "<|tool_call_end|>"},
     .layout = {.before_calls = "",
                .open = "<|tool_call_start|>[",
                .call = "$name($python)",
                .between = ", ",
                .close = "]<|tool_call_end|>"}},

    {.name = "mcp_tags",  // MiroThinker
     .taught_by = [](string_view s) { return has(s, "<use_mcp_tool>"); },
     .syntax = {.reasoning = {think},
                .form = call_form::named,
                .call_open = "<use_mcp_tool>",
                .call_close = "</use_mcp_tool>",
                .head_end = "<tool_name>",
                .name_end = "</tool_name>",
                .arguments_open = "<arguments>",
                .arguments_close = "</arguments>"},
     .layout = {.call = "<use_mcp_tool>\n<server_name>tools</server_name>\n<tool_name>$name</tool_name>\n"
                        "<arguments>\n$arguments\n</arguments>\n</use_mcp_tool>",
                .between = "\n"}},

    {.name = "llama_pythonic",  // Llama 4, and Llama 3.2 where the prompt asks for it
     .taught_by = [](string_view s) { return has(s, "func_name1("); },
     .syntax = {.form = call_form::python,
                .section_open = "<|python_start|>",
                .section_close = "<|python_end|>",
                .bare = true},
     .layout = {.reasoning = "", .open = "[", .call = "$name($python)", .between = ", ", .close = "]"}},

    {.name = "llama3",  // 3.1 to 3.3
     .taught_by =
         [](string_view s) {
           return has(s, "<|start_header_id|>") && has(s, "\"parameters\": dictionary of argument name");
         },
     .syntax = {.section_open = "<|python_tag|>", .bare = true, .arguments_key = "parameters"},
     .layout = {.reasoning = "",
                .before_calls = "",
                .call = R"({"name": $json_name, "parameters": $arguments})",
                .between = "; "}},

    {.name = "hermes",  // Hermes, Qwen 2.5 and 3, QwQ, SmolLM3, ...
     .taught_by = [](string_view s) { return (has(s, "<tool_call>") && has(s, "\"arguments\"")) || has(s, "<think>"); },
     .syntax = {.reasoning = {think}, .call_open = "<tool_call>", .call_close = "</tool_call>"},
     .layout = {.call = "<tool_call>\n{\"name\": $json_name, \"arguments\": $arguments}\n</tool_call>",
                .between = "\n"}},

    {.name = "plain",
     .taught_by = [](string_view) { return true; },
     .layout = {.reasoning = "", .before_calls = "", .call = R"({"tool":$json_name,"arguments":$arguments})"},
     .reader = make_plain_reader},
};

template <std::size_t... index>
constexpr std::array<answer_family, sizeof...(index)> handles_of(std::index_sequence<index...>) {
  return {answer_family(rows[index])...};
}
constexpr auto handles = handles_of(std::make_index_sequence<std::size(rows)>{});

}  // namespace

std::span<family_row const> family_rows() noexcept { return rows; }

std::vector<std::string> marks_of(family_row const& row) {
  auto const& s = row.syntax;
  std::vector<std::string> out;
  auto add = [&](string_view mark) {
    if (!mark.empty() && std::find(out.begin(), out.end(), mark) == out.end()) out.emplace_back(mark);
  };
  for (auto const& block : s.reasoning) {
    add(block.open);
    add(block.close);
  }
  for (auto const mark : s.ignored) add(mark);
  for (auto const mark : {s.section_open, s.section_close, s.call_open, s.call_close, s.quote}) add(mark);
  // Inside a call only where they can be told from text.
  for (auto const mark : {s.head_end, s.name_end, s.id_open})
    if (mark.starts_with('<') || mark.starts_with('[')) add(mark);
  for (auto const mark : row.other_marks) add(mark);
  std::stable_sort(out.begin(), out.end(), [](auto const& a, auto const& b) { return a.size() > b.size(); });
  return out;
}

std::optional<token_id> token_of_mark(tokenizer const& tokens, std::string_view mark) {
  auto const id = tokens.find(mark);
  if (!id) return std::nullopt;
  auto const kind = tokens.kind(*id);
  return kind == token_kind::control || kind == token_kind::user_defined ? id : std::nullopt;
}

}  // namespace wherry::inline v0::detail::chat

namespace wherry::inline v0 {

std::span<answer_family const> answer_families() noexcept { return detail::chat::handles; }

answer_family family_of(std::string_view template_source) noexcept {
  for (auto const& family : detail::chat::handles)
    if (family.taught_by(template_source)) return family;
  return detail::chat::handles.back();
}

}  // namespace wherry::inline v0
