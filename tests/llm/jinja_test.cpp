// Expected texts were made with Jinja 3.1 itself, unless a case says otherwise.
#include <wherry/llm/chat_template.hpp>

#include <wherry/core/json.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <string>

using namespace wherry;

namespace {

json const& sample() {
  static json const context =
      parse_json(R"({"s": "Hello, wörld", "n": 7, "f": 2.5, "t": true, "none_": null, "l": [3, 1, 2],)"
                 R"( "d": {"b": 1, "a": "x", "items": 5}, "html": "<a & 'b'>",)"
                 R"( "people": [{"name": "Bo", "age": 5}, {"name": "al", "age": 30}, {"name": "Cy"}]})")
          .value();
  return context;
}

result<std::vector<prompt_piece>> render(std::string const& source, json const& context,
                                         render_options const& options = {}) {
  auto const parsed = chat_template::parse(source);
  if (!parsed) return parsed.error();
  return parsed->render(context, options);
}

// The rendered text, or the error's.
std::string shown(std::string const& source) {
  auto const pieces = render(source, sample());
  return pieces ? joined(*pieces) : to_string(pieces.error());
}

// Template text as it is, data in brackets.
std::string origins(std::string const& source, json const& context) {
  auto const pieces = render(source, context);
  if (!pieces) return to_string(pieces.error());
  std::string out;
  for (auto const& piece : *pieces) out += piece.origin == text_origin::from_data ? "[" + piece.text + "]" : piece.text;
  return out;
}

error failure_of(std::string const& source) {
  auto const pieces = render(source, sample());
  INFO(source);
  REQUIRE_FALSE(pieces.has_value());
  return pieces.error();
}

}  // namespace

#define CHECK_RENDERS(source, expected) CHECK(shown(source) == (expected))

TEST_CASE("jinja: literals and arithmetic", "[unit]") {
  CHECK_RENDERS("{{ 1 + 2 * 3 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }}",
                "7 3 -4 2 3.5 1024 0.5");
  CHECK_RENDERS("{{ 1.0 }} {{ 1e20 }} {{ 0.1 + 0.2 }} {{ 1e-7 }} {{ 123456789012345680.0 }} {{ 100.0 * 10 }}",
                "1.0 1e+20 0.30000000000000004 1e-07 1.2345678901234568e+17 1000.0");
  CHECK_RENDERS("{{ 'a' ~ 1 ~ none ~ true ~ 2.5 }} {{ 'ab' * 3 }} {{ 3 * 'x' }} {{ [1] * 2 + [3] }}",
                "a1NoneTrue2.5 ababab xxx [1, 1, 3]");
  CHECK_RENDERS("{{ true + 1 }} {{ 1_000 }} {{ -2 | abs }} {{ 'a' 'b' }}", "2 1000 2 ab");
  CHECK_RENDERS("{{ [1, 'a', none, true, 1.5, (1,), {'k': []}] }} {{ () }} {{ 'it\\'s' }} {{ [\"it's\", 'q\"'] }}",
                "[1, 'a', None, True, 1.5, (1,), {'k': []}] () it's [\"it's\", 'q\"']");
  CHECK_RENDERS("{{ '\\u00e9\\x41\\t|\\101\\q' }}", "éA\t|A\\q");
}

TEST_CASE("jinja: comparison, tests and logic", "[unit]") {
  CHECK_RENDERS("{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ 'a' < 'b' }} {{ [1,2] == [1,2] }} {{ (1,) == [1] }}",
                "True False True True True False");
  CHECK_RENDERS(
      "{{ 'ell' in s }} {{ 4 not in l }} {{ 'a' in d }} {{ none_ is none }} {{ x is defined }} {{ not x is defined }}",
      "True True True True False True");
  CHECK_RENDERS("{{ '' or 'b' }} {{ 'a' and 'b' }} {{ not 0 }} {{ 1 if false }}|{{ 'y' if n > 5 else 'n' }}",
                "b b True |y");
  CHECK_RENDERS(
      "{{ n is odd }} {{ n is divisibleby 7 }} {{ n is number }} {{ t is number }} {{ t is integer }} {{ t is boolean "
      "}} {{ f is float }} {{ d is mapping }} {{ l is sequence }} {{ s is iterable }} {{ d is iterable }} {{ s is "
      "string }} {{ 3 is in l }} {{ 2 is eq 2 }} {{ 'A' is upper }} {{ 'a' is lower }} {{ t is true }} {{ none is not "
      "none }}",
      "True True True True False True True True True True True True True True True True True False");
}

TEST_CASE("jinja: indexing and slices", "[unit]") {
  CHECK_RENDERS(
      "{{ s[7:] }} {{ s[-5:] }} {{ s[::-1] }} {{ s[1] }} {{ s[-4] }} {{ s[50] }}|{{ l[1:] }} {{ l[::-1] }} {{ l[-1] }} "
      "{{ l[5] }}|{{ l[10:20] }} {{ l[:-1] }} {{ l[::2] }} {{ s[8:2:-2] }}",
      "wörld wörld dlröw ,olleH e ö |[1, 2] [2, 1, 3] 2 |[] [3, 1] [3, 2] ö o");
  CHECK_RENDERS(
      "{{ d.a }} {{ d['items'] }} {{ d.missing }}|{{ d.get('b') }} {{ d.get('q') }} {{ d.get('q', 9) }} {{ d.keys() | "
      "list }} {{ d.values() | list }} {{ l.0 }}",
      "x 5 |1 None 9 ['b', 'a', 'items'] [1, 'x', 5] 3");
}

TEST_CASE("jinja: methods of strings", "[unit]") {
  CHECK_RENDERS(
      "{{ 'a,b,,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a b c'.split(' ', 1) }} {{ 'a b c'.rsplit(' ', 1) }} {{ "
      "'a\\nb'.splitlines() }} {{ '  a b'.split(none, 1) }}",
      "['a', 'b', '', 'c'] ['a', 'b'] ['a', 'b c'] ['a b', 'c'] ['a', 'b'] ['a', 'b']");
  CHECK_RENDERS(
      "{{ 'xxhixx'.strip('x') }}|{{ ' hi '.lstrip() }}|{{ ' hi '.rstrip() }}|{{ '\\u00a0hi\\u3000'.strip() }}|",
      "hi|hi | hi|hi|");
  CHECK_RENDERS(
      "{{ s.upper() }} {{ s.lower() }} {{ \"they're bill's\".title() }} {{ 'éCOLE a'.capitalize() }} {{ "
      "'straße'.upper() }}",
      "HELLO, WÖRLD hello, wörld They'Re Bill'S École a STRASSE");
  CHECK_RENDERS(
      "{{ 'aXbXc'.replace('X', '--', 1) }} {{ 'abc'.replace('', '.') }} {{ 'a-b'.find('-') }} {{ 'ö-b'.find('b') }} {{ "
      "'abc'.find('z') }} {{ 'aXbX'.rfind('X') }} {{ 'banana'.count('an') }}",
      "a--bXc .a.b.c. 1 2 -1 3 2");
  CHECK_RENDERS(
      "{{ s.startswith('He') }} {{ s.endswith(('x', 'ld')) }} {{ 'a.txt'.removesuffix('.txt') }} {{ "
      "'a.txt'.removeprefix('a.') }} {{ '-'.join(['a', 'b']) }} {{ '12'.isdigit() }} {{ '{} {1} {x} "
      "{{}}'.replace('{1}', '').format(1, x=2) }}",
      "True True a txt a-b True 1  2 {}");
  CHECK_RENDERS("{{ '%s is %d, %.2f, 100%%' % ('a', 3, 2.5) }} {{ '%s' % 'b' }} {{ '%s-%s' | format(1, 2) }}",
                "a is 3, 2.50, 100% b 1-2");
}

TEST_CASE("jinja: filters of text", "[unit]") {
  CHECK_RENDERS(
      "{{ ' hi ' | trim }}|{{ 'xhix' | trim('x') }}|{{ s | upper }} {{ s | capitalize }} {{ \"they're bill-bob's (x)\" "
      "| title }}",
      "hi|hi|HELLO, WÖRLD Hello, wörld They're Bill-Bob's (X)");
  CHECK_RENDERS("{{ html | e }} {{ html | safe }} {{ '<' | safe + html }} {{ html + '<b>' | safe }} {{ html | e | e }}",
                "&lt;a &amp; &#39;b&#39;&gt; <a & 'b'> <&lt;a &amp; &#39;b&#39;&gt; &lt;a &amp; &#39;b&#39;&gt;<b> "
                "&lt;a &amp; &#39;b&#39;&gt;");
  CHECK_RENDERS(
      "{{ 'a\\nb\\n\\nc' | indent }}|{{ 'a\\nb\\n' | indent(2, first=true) }}|{{ 'a\\n\\nb' | indent(2, blank=true) "
      "}}|{{ 'a\\nb' | indent('> ', true) }}",
      "a\n    b\n\n    c|  a\n  b\n|a\n  \n  b|> a\n> b");
  CHECK_RENDERS(
      "{{ 'abc' | replace('b', 'X') }} {{ 'abc' | reverse }} {{ 'abc' | list }} {{ 'abc' | first }}{{ 'abc' | last }} "
      "{{ s | length }}",
      "aXc cba ['a', 'b', 'c'] ac 12");
  CHECK_RENDERS(
      "{{ '42' | int }} {{ '4.7' | int }} {{ 'x' | int }} {{ 'x' | int(-1) }} {{ 3.9 | int }} {{ '2.5' | float }} {{ ' "
      "7 ' | int }} {{ n | float }} {{ 2.567 | round(1) }} {{ n | string + '!' }}",
      "42 4 0 -1 3 2.5 7 7.0 2.6 7!");
}

TEST_CASE("jinja: filters of lists and dicts", "[unit]") {
  CHECK_RENDERS(
      "{{ l | sort }} {{ l | sort(reverse=true) }} {{ ['b', 'A', 'c'] | sort }} {{ people | map(attribute='name') | "
      "list }} {{ people | map(attribute='age', default=0) | list }} {{ people | map(attribute='name') | map('upper') "
      "| join(', ') }}",
      "[1, 2, 3] [3, 2, 1] ['A', 'b', 'c'] ['Bo', 'al', 'Cy'] [5, 30, 0] BO, AL, CY");
  CHECK_RENDERS(
      "{{ people | selectattr('age') | map(attribute='name') | list }} {{ people | selectattr('age', 'defined') | list "
      "| length }} {{ people | selectattr('age', 'gt', 10) | map(attribute='name') | first if false else people | "
      "rejectattr('age', 'defined') | map(attribute='name') | list }} {{ [1, 2, 3, 4] | select('even') | list }} {{ "
      "[0, 1, ''] | reject | list }} {{ none | map('upper') | list }}",
      "['Bo', 'al'] 2 ['Cy'] [2, 4] [0, ''] []");
  CHECK_RENDERS(
      "{{ l | join }} {{ l | join('-') }} {{ people | join('+', attribute='name') }} {{ [3, 3, 'a', 'A'] | unique | "
      "list }} {{ l | reverse | list }} {{ l | sum }} {{ l | max }} {{ l | min }} {{ l | first }} {{ [] | first }}|",
      "312 3-1-2 Bo+al+Cy [3, 'a'] [2, 1, 3] 6 3 1 3 |");
  CHECK_RENDERS(
      "{{ d | items | list }} {{ d | dictsort }} {{ d | dictsort(reverse=true) }} {{ {'b': 1, 'a': 2} | "
      "dictsort(by='value') }} {{ d | length }} {{ d | list }}",
      "[('b', 1), ('a', 'x'), ('items', 5)] [('a', 'x'), ('b', 1), ('items', 5)] [('items', 5), ('b', 1), ('a', 'x')] "
      "[('b', 1), ('a', 2)] 3 ['b', 'a', 'items']");
  CHECK_RENDERS(
      "{{ x | default('z') }} {{ x | d }}|{{ none_ | default('z') }} {{ '' | default('z', true) }} {{ range(3) | list "
      "}} {{ range(1, 8, 3) | list }} {{ range(3, 0, -1) | list }} {{ dict(a=1, b='c') }}",
      "z |None z [0, 1, 2] [1, 4, 7] [3, 2, 1] {'a': 1, 'b': 'c'}");
}

TEST_CASE("jinja: tojson", "[unit]") {
  CHECK_RENDERS("{{ d | tojson }} {{ l | tojson(indent=2) }} {{ {'a': {'b': [1, {}], 'c': []}} | tojson(indent=4) }}",
                "{\"b\": 1, \"a\": \"x\", \"items\": 5} [\n  3,\n  1,\n  2\n] {\n    \"a\": {\n        \"b\": [\n      "
                "      1,\n            {}\n        ],\n        \"c\": []\n    }\n}");
  CHECK_RENDERS(
      "{{ ['é', 'a\"\\\\\\n\\t\\u0001', true, none, 1.0, 1e30, '<&>'] | tojson }} {{ 'é😀' | tojson(ensure_ascii=true) "
      "}} {{ d | tojson(sort_keys=true) }} {{ d | tojson(separators=(',', ':')) }} {{ {1: 2, none: 3} | tojson }}",
      "[\"é\", \"a\\\"\\\\\\n\\t\\u0001\", true, null, 1.0, 1e+30, \"<&>\"] \"\\u00e9\\ud83d\\ude00\" {\"a\": \"x\", "
      "\"b\": 1, \"items\": 5} {\"b\":1,\"a\":\"x\",\"items\":5} {\"1\": 2, \"null\": 3}");
}

TEST_CASE("jinja: loops", "[unit]") {
  CHECK_RENDERS(
      "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.first }}{{ loop.last }}{{ "
      "loop.length }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}",
      "103TrueFalse31;212FalseFalse332;321FalseTrue31;");
  CHECK_RENDERS(
      "{% for k, v in d.items() %}{{ k }}={{ v }},{% endfor %}{% for x in [] %}a{% else %}none{% endfor %}{% for c in "
      "'añ' %}[{{ c }}]{% endfor %}{% for k in d %}{{ k }}{% endfor %}",
      "b=1,a=x,items=5,none[a][ñ]baitems");
  CHECK_RENDERS(
      "{% for x in l if x > 1 %}{{ x }}/{{ loop.length }} {% endfor %}{% for x in range(9) %}{% if x == 2 %}{% "
      "continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}",
      "3/2 2/2 0134");
  CHECK_RENDERS(
      "{% set x = 1 %}{% for i in l %}{{ x }}{% set x = i %}{{ x }}{% endfor %}{{ x }}{% for y in nothing %}a{% endfor "
      "%}",
      "1311121");
}

TEST_CASE("jinja: assignments, namespaces and blocks", "[unit]") {
  CHECK_RENDERS(
      "{% set ns = namespace(a=1, b='') %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{% set a, b = "
      "1, 2 %}{{ b }}{{ a }}",
      "721");
  CHECK_RENDERS(
      "{% set x %}a{{ n }}{% endset %}[{{ x }}]{% set y | upper | trim %} b {% endset %}[{{ y }}]{% filter upper "
      "%}abc{{ s }}{% endfilter %}{% with q = 3, r = 4 %}{{ q + r }}{% endwith %}{{ q }}",
      "[a7][B]ABCHELLO, WÖRLD7");
  CHECK_RENDERS("{% if false %}a{% elif n == 7 %}b{% else %}c{% endif %}{% if x %}d{% endif %}", "b");
  CHECK_RENDERS("{% generation %}g{% endgeneration %}", "g");
}

TEST_CASE("jinja: macros", "[unit]") {
  CHECK_RENDERS(
      "{% macro m(a, b='B', c=a) %}{{ a }}{{ b }}{{ c }};{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(b=3, a=4) }}{{ "
      "m('x') | upper }}",
      "1B1;121;434;XBX;");
  CHECK_RENDERS(
      "{% macro f(k) %}{% if k > 0 %}{{ k }}{{ f(k - 1) }}{% endif %}{% endmacro %}{{ f(4) }}{% set v = 'late' %}{% "
      "macro g() %}{{ v }}{% endmacro %}{{ g() }}",
      "4321late");
}

TEST_CASE("jinja: whitespace control", "[unit]") {
  CHECK_RENDERS("a\n  {% if true %}\n  b\n  {% endif %}\n c\n", "a\n  b\n c");
  CHECK_RENDERS("a \n {%- if true -%} \n b \n {%- endif +%}\n c", "ab\n c");
  CHECK_RENDERS("x {#- c -#} y {# d #}\nz\n  {# e #}\nw", "xy z\nw");
  CHECK_RENDERS("a\n  {%+ if true %}\nb{% endif %}\n\n", "a\n  b");
  CHECK_RENDERS("{% raw %}{{ x }} {% if %}{% endraw %}\nq{%- raw -%} \n r {%- endraw -%} \n s", "{{ x }} {% if %}qrs");
  CHECK_RENDERS("  {{ n }}  \n  {{- n -}}  \n t", "  77t");
  CHECK_RENDERS("a\r\nb\rc\r\n", "a\nb\nc");
  CHECK_RENDERS("{{ {'a': {'b': 1}}['a'] }}{{ {'x': {}} }}", "{'b': 1}{'x': {}}");
}

TEST_CASE("jinja: every string operation keeps the origin of every byte", "[template]") {
  json const context = {{"x", "aXb"}, {"n", 5}, {"l", {"p", "q"}}, {"d", {{"k", "v"}}}};
  CHECK(origins("<{{ x }}>", context) == "<[aXb]>");
  CHECK(origins("{{ '<' + x + '>' }}{{ '<' ~ n ~ '>' }}", context) == "<[aXb]><[5]>");
  CHECK(origins("{{ ('<' + x + '>')[1:3] }}{{ ('<' + x)[::-1] }}{{ ('<' + x)[0] }}", context) == "[aXbXa]<<");
  CHECK(origins("{{ ('<' ~ x ~ '>').split('X') | join('|') }}", context) == "<[a]|[b]>");
  CHECK(origins("{{ l | join(', ') }}{{ ', '.join(l) }}", context) == "[p], [qp], [q]");
  CHECK(origins("{{ x.replace('X', '-') }} {{ 'aXb'.replace('X', x) }}", context) == "[a]-[b] a[aXb]b");
  CHECK(origins("{{ (' <' + x + ' ').strip() | upper }}{{ ('<' + x).title() }}", context) == "<[AXB]<[Axb]");
  CHECK(origins("{{ '%s|%s' % (x, 'y') }}{{ '<{}>'.format(x) }}", context) == "[aXb]|y<[aXb]>");
  CHECK(origins("{{ 'a' if x == 'aXb' else 'b' }}", context) == "a");
  CHECK(origins("{{ ('<' + x + '\n>') | indent(2) }}", context) == "<[aXb]\n  >");
  CHECK(origins("{{ x | indent(2, true) }}", {{"x", "a\nb"}}) == "  [a\n]  [b]");
  CHECK(origins("{% set b %}<{{ x }}>{% endset %}{{ b | trim }}", context) == "<[aXb]>");
  CHECK(origins("{% macro m(v) %}<{{ v }}>{% endmacro %}{{ m(x) }}", context) == "<[aXb]>");
  CHECK(origins("{% filter lower %}<{{ x }}>{% endfilter %}", context) == "<[axb]>");
  CHECK(origins("{{ ('<' + x) | e }}{{ ('<' + x) | list | join }}", context) == "&lt;[aXb]<[aXb]");
}

TEST_CASE("jinja: whatever is computed from data is data", "[template]") {
  json const context = {{"x", "aXb"}, {"n", 5}, {"l", {"p", "q"}}, {"d", {{"k", "v"}}}, {"e", json::array()}};
  CHECK(origins("{{ n + 1 }}{{ 1 + 1 }}{{ x | length }}{{ l | length }}", context) == "[6]2[32]");
  CHECK(origins("{{ x == 'aXb' }}{{ 1 == 1 }}{{ 'X' in x }}{{ x is string }}", context) == "[True]True[TrueTrue]");
  CHECK(origins("{{ d | tojson }}{{ e | tojson }}{{ {'a': 1} | tojson }}", context) == R"([{"k": "v"}[]]{"a": 1})");
  CHECK(origins("{{ {'<a>': x} | tojson }}", context) == R"([{"]<a>[": "aXb"}])");
  CHECK(origins("{{ l }}{{ ['<', 1] }}{{ l | string }}", context) == "[['p', 'q']]['<', 1][['p', 'q']]");
  CHECK(origins("{% for k, v in d.items() %}{{ k }}={{ v }}{% endfor %}", context) == "[k]=[v]");
  CHECK(origins("{% for c in x %}{{ c }}.{{ loop.index }}{% endfor %}", {{"x", "ab"}}) == "[a].1[b].2");
}

TEST_CASE("jinja: mistakes name line, column and what is wrong", "[unit]") {
  auto const [source, code, needle] = GENERATE(table<std::string, errc, std::string>({
      {"a\n{{ 1 + }}", errc::parse_error, "line 2:8"},
      {"{% if x %}", errc::parse_error, "endif"},
      {"{% endif %}", errc::parse_error, "line 1:10"},
      {"{{ 'a }}", errc::parse_error, "string is not closed"},
      {"{{ x", errc::parse_error, "not closed"},
      {"{# x", errc::parse_error, "comment"},
      {"{% raw %}x", errc::parse_error, "endraw"},
      {"{{ 99999999999999999999 }}", errc::parse_error, "out of range"},
      {"{{ x | nosuch }}", errc::unsupported, "nosuch"},
      {"{{ x is nosuch }}", errc::unsupported, "nosuch"},
      {"{% include 'x' %}", errc::unsupported, "include"},
      {"{% break %}", errc::parse_error, "outside a loop"},
      {"\n {{ missing.x }}", errc::invalid_argument, "line 2:12"},
      {"{{ missing + 'a' }}", errc::invalid_argument, "missing"},
      {"{{ 'a' + 1 }}", errc::invalid_argument, "str and int"},
      {"{{ missing() }}", errc::invalid_argument, "missing"},
      {"{{ missing | tojson }}", errc::invalid_argument, "undefined"},
      {"{{ 1 // 0 }}", errc::invalid_argument, "division by zero"},
      {"{{ [1, 'a'] | sort }}", errc::invalid_argument, "cannot order"},
      {"{% set s.x = 1 %}", errc::invalid_argument, "namespace"},
      {"{% set a, b = [1] %}", errc::invalid_argument, "unpack"},
      {"{{ raise_exception('Only user turns!') }}", errc::invalid_argument, "Only user turns!"},
      {"{% macro m(a) %}{% endmacro %}{{ m(b=1) }}", errc::invalid_argument, "no parameter"},
      {"{% for x in 5 %}{% endfor %}", errc::invalid_argument, "iterate"},
      {"{{ strftime_now('%Y') }}", errc::invalid_argument, "strftime_now"},
  }));
  auto const failure = failure_of(source);
  INFO(source << " -> " << failure);
  CHECK(failure.is(code));
  CHECK(failure.message.find(needle) != std::string::npos);
}

TEST_CASE("jinja: hostile templates end with an error that names the bound", "[robustness]") {
  auto repeat = [](std::string const& part, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) out += part;
    return out;
  };
  std::vector<std::string> const hostile = {
      "{{ " + repeat("(", 100'000) + "1" + repeat(")", 100'000) + " }}",
      "{{ " + repeat("[", 100'000) + repeat("]", 100'000) + " }}",
      "{{ x" + repeat(".a", 100'000) + " }}",
      "{{ " + repeat("not ", 100'000) + "1 }}",
      "{{ " + repeat("-", 100'000) + "1 }}",
      "{{ 1" + repeat(" if 1 else 1", 50'000) + " }}",
      repeat("{% if true %}", 50'000) + repeat("{% endif %}", 50'000),
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
      "{% for a in range(10**9) %}{% endfor %}",
      "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}",
      "{{ 'a' * 10**9 }}",
      "{{ 'a' * 10**18 * 10**18 }}",
      "{{ [1] * 10**9 }}",
      "{{ 10 ** 1000000000 }}",
      "{{ 9223372036854775807 + 1 }}",
      "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
      "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(99) %}{% set ns.s = ns.s.replace('a', ns.s) %}{% endfor "
      "%}",
      "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}",
      "{% set l = [] %}{% set _ = l.append(l) %}{{ l | tojson }}",
      "{% set l = [] %}{% set _ = l.append(l) %}{% set m = [l] %}{{ l == m }}",
      "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
      "{{ 'a\\na' | indent(10**9) }}",
      std::string(template_bytes_max + 1, 'x'),
  };
  for (auto const& source : hostile) {
    INFO(source.substr(0, 100));
    render_options lenient;
    lenient.lenient = true;  // lists can end up inside themselves
    auto const pieces = render(source, sample(), lenient);
    REQUIRE_FALSE(pieces.has_value());
    CHECK(pieces.error().is(errc::limit_reached));
  }
}

TEST_CASE("jinja: the bounds of a rendering are the caller's", "[robustness]") {
  render_options options;
  options.steps_max = 50;
  CHECK(render("{% for i in range(9) %}x{% endfor %}", {}, options).error().is(errc::invalid_argument));
  CHECK(render("{% for i in range(99) %}x{% endfor %}", json::object(), options).error().is(errc::limit_reached));
  options = {};
  options.output_bytes_max = 3;
  CHECK(joined(*render("abc", json::object(), options)) == "abc");
  CHECK(render("abcd", json::object(), options).error().is(errc::limit_reached));
}

TEST_CASE("jinja: what leaves Python's way is chosen and stays", "[unit]") {
  // Published templates look at integers beyond 64 bits and name macros once.
  json const context = parse_json(R"({"m": {"content": "a"}, "big": 123456789012345678901234567890})").value();
  CHECK(joined(*render("{{ big }} {{ [big] | tojson }} {{ big is integer }}", context)) ==
        "123456789012345678901234567890 [123456789012345678901234567890] True");
  CHECK(
      chat_template::parse("{% for a in b %}{% macro m() %}{% endmacro %}{% endfor %}").error().is(errc::unsupported));
}

TEST_CASE("jinja: what Python's sandbox refuses is refused, and allowed to the lenient", "[unit]") {
  auto const [source, lenient_text] = GENERATE(table<std::string, std::string>({
      {"{% set l = [] %}{% set _ = l.append(1) %}{{ l }}{{ l.pop() }}{{ l }}", "[1]1[]"},
      {"{% set l = [1] %}{% set _ = l.extend([2]) %}{{ l }}", "[1, 2]"},
      {"{% set _ = d.update(a=2) %}{{ d.a }}{{ d.pop('a') }}{{ d.a }}", "22"},
      {"{% set d.content = 'b' %}{{ d.content }}", "b"},
      {"{{ '[1]' | from_json }}", "[1]"},
      {"{{ l | map('string') | tojson }}", R"(["3", "1", "2"])"},
      {"{{ l | map('string') | length }}{{ (l | select('odd'))[0:1] }}", "3[3]"},
      {"{{ l | reject('odd') }}", "[2]"},
  }));
  INFO(source);
  CHECK(render(source, sample()).has_error());
  render_options lenient;
  lenient.lenient = true;
  CHECK(joined(*render(source, sample(), lenient)) == lenient_text);
}

TEST_CASE("jinja: generators behave like Python's", "[unit]") {
  CHECK_RENDERS("{{ 'yes' if l | select('gt', 9) else 'no' }}", "yes");
  CHECK_RENDERS("{% set g = l | map('string') %}{{ g | join }}|{{ g | join }}", "312|");
  CHECK_RENDERS("{% for x in l | map('string') %}{{ x }}{{ loop.last }}{% endfor %}", "3False1False2True");
  CHECK_RENDERS("{{ (l | select('odd'))[0] }}|{{ (l | select('odd')) is sequence }}", "|False");
  CHECK_RENDERS("{{ (l | select('odd')) == (l | select('odd')) }} {{ l | reverse | list }}", "False [2, 1, 3]");
}

TEST_CASE("jinja: a filter that does not exist may stand in a condition that does not hold", "[unit]") {
  CHECK_RENDERS("{% if x is defined %}{{ 1 | nosuch }}{% endif %}a", "a");
  CHECK_RENDERS("{{ (n | nosuch) if x is defined else 'b' }}{{ 'c' if n else n | nosuch }}", "bc");
  CHECK_RENDERS("{% if n is odd or n is nosuch %}d{% endif %}", "d");
  CHECK(failure_of("{% if n %}{{ n | nosuch }}{% endif %}").is(errc::unsupported));
  CHECK(
      failure_of("{% if x is defined %}{% for i in l %}{{ i | nosuch }}{% endfor %}{% endif %}").is(errc::unsupported));
  CHECK(failure_of("{{ n | nosuch }}{{ 1 if n else 2 }}").is(errc::unsupported));
}

TEST_CASE("jinja: the clock is the caller's", "[unit]") {
  render_options options;
  options.clock = std::make_shared<manual_clock>(1'764'000'000'000);
  CHECK(joined(*render("{{ strftime_now('%Y-%m-%d %H:%M %b') }}", json::object(), options)) == "2025-11-24 16:00 Nov");
  CHECK(joined(*render("{{ strftime_now is defined }}", json::object())) == "False");
}

TEST_CASE("jinja: bytes that are not UTF-8 pass through", "[robustness]") {
  std::string const broken = "a\xff\xc3";
  json const context = {{"x", broken}};
  CHECK(joined(*render("{{ x }}{{ x | upper }}{{ x[1] }}{{ x | length }}{{ x | reverse }}", context)) ==
        broken +
            "A\xff\xc3\xff"
            "3\xc3\xff"
            "a");
}
