// Seeds for the entries that read text: templates and schemas.

#include <string>
#include <vector>

std::vector<std::string> fuzz_seeds() {
  return {
      "",
      "{% for m in messages %}{{ m.role + ': ' + m['content'] | trim }}\n{% endfor %}{% if add_generation_prompt "
      "%}A:{% endif %}",
      "{%- set ns = namespace(x=0) -%}{% for i in range(3) %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x ~ 'y'[::-1] "
      "}}",
      "{% macro f(a, b=1) %}{{ a[1:] if a is string else b | tojson(indent=2) }}{% endmacro %}{{ "
      "f(messages[0].content) }}",
      R"({"type":"object","properties":{"a":{"type":"integer","minimum":-5,"maximum":70},"b":{"type":"array","items":{"type":"string","maxLength":4},"maxItems":3}},"required":["a"],"additionalProperties":false})",
      R"({"$defs":{"n":{"type":"object","properties":{"c":{"type":"array","items":{"$ref":"#/$defs/n"}}},"required":["c"],"additionalProperties":false}},"$ref":"#/$defs/n"})",
      R"({"anyOf":[{"const":null},{"enum":["x","yy",3,true]},{"type":["number","boolean"]}]})",
  };
}
