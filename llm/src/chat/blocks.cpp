#include <wherry/llm/chat_template.hpp>

namespace wherry::inline v0 {

std::string_view const tool_block_source = R"({%- if tools -%}
You can call tools. Each line describes one:
{% for tool in tools -%}
{{ {'name': tool.function.name, 'description': tool.function.description, 'parameters': tool.function.parameters} | tojson }}
{% endfor -%}
To call a tool, write exactly this, with its name and arguments, and nothing after it:
{{ call_form }}
{% endif -%}
{%- if output_schema is defined -%}
To finish, write only {{ output_form }} of this schema: {{ output_schema | tojson }}
{% endif -%})";

std::string_view const result_block_source = R"({%- for result in results -%}
Result of {{ result.name }}: {{ result.content }}
{%- if not loop.last %}{{ '\n' }}{% endif -%}
{%- endfor -%})";

}  // namespace wherry::inline v0
