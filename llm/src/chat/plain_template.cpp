#include <wherry/llm/chat_template.hpp>

namespace wherry::inline v0 {

// An answer is replayed exactly as the model wrote it, so that the cached prefix stays valid: objects follow the colon
// at once, text follows a space.
std::string_view const plain_template_source = R"({%- set call_form = '{"tool":"NAME","arguments":{...}}' -%}
{%- if messages and messages[0].role == 'system' -%}
System: {{ messages[0].content }}

{% endif -%}
{%- if tools -%}
Tools:
{% for tool in tools -%}
{{ {'name': tool.function.name, 'description': tool.function.description, 'parameters': tool.function.parameters} | tojson(separators=(',', ':')) }}
{% endfor -%}
To call a tool, answer only {{ call_form }}
{% endif -%}
{%- if output_schema is defined -%}
To finish, answer only {"output":...} with JSON of this schema: {{ output_schema | tojson(separators=(',', ':')) }}
{% endif -%}
{%- if tools or output_schema is defined %}{{ '\n' }}{% endif -%}
{%- for message in messages -%}
{%- if message.role == 'user' -%}
User: {{ message.content }}
{% elif message.role == 'tool' -%}
Result of {{ message.name }}: {{ message.content }}
{% elif message.role == 'assistant' -%}
{%- if message.content and output_schema is defined and message.content.startswith('{') -%}
Assistant:{"output":{{ message.content }}}
{% elif message.content -%}
Assistant: {{ message.content }}
{% endif -%}
{%- for call in message.tool_calls or [] -%}
Assistant:{"tool":{{ call.function.name | tojson }},"arguments":
{{- call.function.arguments if call.function.arguments is string else call.function.arguments | tojson(separators=(',', ':')) }}}
{% endfor -%}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
Assistant:
{%- endif -%})";

chat_template const& plain_template() {
  static chat_template const parsed = chat_template::parse(std::string(plain_template_source)).value();
  return parsed;
}

}  // namespace wherry::inline v0
