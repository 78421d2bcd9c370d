#!/usr/bin/env python3
"""Renders the published chat templates with Jinja itself and writes chat_template_golden.json: the conversations, and for
each template the SHA-256 of what Jinja made of each, or "raises".

    /usr/bin/python3 tests/llm/chat_template_golden.py TEMPLATE_FOLDER [--check | --texts FOLDER]

--check compares with the file instead of writing it; --texts writes every rendering to a file, to look at differences.
Needs Debian's python3-jinja2. The environment is the one Hugging Face's apply_chat_template uses: an immutable sandbox,
trim_blocks, lstrip_blocks, break and continue, {% generation %}, tojson without HTML escaping, raise_exception,
strftime_now. The clock stands at 2025-11-24T16:00:00Z.
"""

import datetime
import hashlib
import json
import pathlib
import sys

import jinja2
import jinja2.ext
import jinja2.sandbox

NOW = datetime.datetime(2025, 11, 24, 16, 0, 0)
HERE = pathlib.Path(__file__).parent

def tool(name, description, properties, required):
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


FORECAST = tool(
    "forecast",
    "Weather forecast.",
    {
        "city": {"type": "string", "description": "City, e.g. Seoul"},
        "days": {"type": "integer", "description": "Days ahead", "default": 1},
    },
    ["city"],
)
CONVERT = tool(
    "convert",
    "Convert money.\nTakes <any> \"currency\" & amount.",
    {
        "amount": {"type": "number", "description": "How much"},
        "from": {"type": "string", "description": "Currency", "enum": ["EUR", "USD"]},
        "tags": {"type": "array", "description": "Labels", "items": {"type": "string"}},
    },
    ["amount"],
)
UNUSUAL = tool(
    "odd",
    "",
    {
        "a": {"type": ["string", "null"]},
        "b": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        "c": {"$ref": "#/$defs/c"},
        "d": {"const": 5},
        "g": {"type": "object", "properties": {"round": {"type": "boolean"}}, "required": ["round"]},
        "e": {"type": "array", "items": {"type": "object", "properties": {"f": {"type": "number", "minimum": 0.5}}}},
    },
    [],
)
PLAIN = [
    {"role": "user", "content": "Hello, how are you?"},
    {"role": "assistant", "content": "I'm fine <b>& you</b>?"},
    {"role": "user", "content": "  Grüße, 안녕 \"quoted\" 'single'\n"},
]
SYSTEM = {"role": "system", "content": "You are kind."}
FORECAST_ARGUMENTS = {"city": "Seoul \"x\"", "days": 2, "list": [1, 2.5, True, None], "o": {"k": "안녕 <&>"}}
CONVERT_ARGUMENTS = {"amount": 12.5, "from": "EUR", "tags": ["a", "b"]}


def call(identifier, name, arguments):
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}


def asks(*calls, **more):
    return {"role": "assistant", "content": "", **more, "tool_calls": list(calls)}


def told(identifier, name, content):
    return {"role": "tool", "content": content, "name": name, "tool_call_id": identifier}


def one_call(arguments, **more):
    return [
        {"role": "user", "content": "Weather?"},
        asks(call("call00001", "forecast", arguments), **more),
        told("call00001", "forecast", '{"sky": "sunny", "높음": 21}'),
        {"role": "assistant", "content": "It is sunny."},
        {"role": "user", "content": "Thanks"},
    ]


def two_calls(first, second, **more):
    return [
        SYSTEM,
        {"role": "user", "content": "Weather and money?"},
        asks(call("call00001", "forecast", first), call("call00002", "convert", second), **more),
        told("call00001", "forecast", "Sunny"),
        told("call00002", "convert", "13.7"),
    ]


def text(value):
    return json.dumps(value, ensure_ascii=False)


def contexts():
    """The six conversations of the acceptance, then variations of them that templates ask about."""
    tools = [FORECAST, CONVERT]
    thinking = [
        {"role": "user", "content": "What is 2 + 2?"},
        {"role": "assistant", "reasoning_content": "Two and two.\n\nFour.", "content": "4"},
        {"role": "user", "content": "And 3 + 3?"},
        {"role": "assistant", "reasoning_content": "Three and three.", "content": "6"},
        {"role": "user", "content": "Weather?"},
        asks(call("call00001", "forecast", FORECAST_ARGUMENTS), reasoning_content="Look at it."),
        told("call00001", "forecast", "Sunny"),
    ]
    out = {
        "plain": {"messages": PLAIN},
        "system": {"messages": [SYSTEM] + PLAIN},
        "tools": {"messages": [SYSTEM, PLAIN[0]], "tools": tools},
        "call and result": {"messages": one_call(FORECAST_ARGUMENTS), "tools": tools},
        "reasoning": {"messages": thinking, "tools": tools, "enable_thinking": True},
        "two calls": {"messages": two_calls(FORECAST_ARGUMENTS, CONVERT_ARGUMENTS), "tools": tools},
        "no generation prompt": {"messages": PLAIN[:2], "add_generation_prompt": False},
        "tools without a system message": {"messages": PLAIN[:1], "tools": tools},
        "thinking off": {"messages": PLAIN[:1], "enable_thinking": False, "thinking": False},
        "arguments as text": {"messages": two_calls(text(FORECAST_ARGUMENTS), text(CONVERT_ARGUMENTS)), "tools": tools},
        "no content": {"messages": one_call(FORECAST_ARGUMENTS, content=None), "tools": tools},
        "unusual tools": {"messages": PLAIN[:1], "tools": [UNUSUAL]},
        "text beside a call": {"messages": one_call({}, content="Let me look."), "tools": tools},
    }
    for context in out.values():
        context.setdefault("add_generation_prompt", True)
        context.update(bos_token="<s>", eos_token="</s>")
    return out


# Variables of their own that some templates want.
VARIABLES = {"fireworks-ai-llama-3-firefunction-v2": {"functions": "[]", "datetime": "2025-11-24"}}


class generation(jinja2.ext.Extension):
    """{% generation %}: marks what an assistant wrote; the text is its body."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)


def environment():
    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    out = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[generation, "jinja2.ext.loopcontrols"]
    )
    out.filters["tojson"] = tojson
    out.globals["raise_exception"] = raise_exception
    out.globals["strftime_now"] = lambda form: NOW.strftime(form)
    return out


def rendered(source, context):
    """What Jinja makes of a template, or the exception."""
    try:
        # A template may assign into its context.
        return environment().from_string(source).render(**json.loads(json.dumps(context)))
    except Exception as raised:  # anything a template can do wrong
        return raised


def main():
    templates = sorted(pathlib.Path(sys.argv[1]).glob("*.jinja"))
    texts = pathlib.Path(sys.argv[3]) if "--texts" in sys.argv else None
    golden = {
        "about": "Made by chat_template_golden.py: SHA-256 of what Jinja renders for each published template and "
        'conversation, or "raises".',
        "contexts": contexts(),
        "variables": VARIABLES,
        "sha256": {},
    }
    for path in templates:
        row = golden["sha256"][path.stem] = {}
        for label, context in golden["contexts"].items():
            out = rendered(path.read_text(encoding="utf-8"), {**context, **VARIABLES.get(path.stem, {})})
            raised = isinstance(out, Exception)
            row[label] = "raises" if raised else hashlib.sha256(out.encode()).hexdigest()
            if texts:
                name = f"{path.stem} - {label}"
                (texts / name).write_text(f"RAISES {out!r}" if raised else out, encoding="utf-8")
    if texts:
        return 0
    file = HERE / "chat_template_golden.json"
    made = json.dumps(golden, ensure_ascii=False, indent=1) + "\n"
    if "--check" not in sys.argv:
        file.write_text(made, encoding="utf-8")
        return 0
    same = file.read_text(encoding="utf-8") == made
    print("the golden file is what Jinja renders" if same else "the golden file differs from what Jinja renders")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
