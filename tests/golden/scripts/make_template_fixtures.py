#!/usr/bin/env python3
"""Golden outputs of chat templates: tests/golden/templates/*.jinja rendered by Python's jinja2.

    python3 -m venv V && V/bin/pip install jinja2 && V/bin/python tests/golden/scripts/make_template_fixtures.py

The environment is set up as transformers sets it up for chat templates: sandboxed and immutable, trim_blocks and
lstrip_blocks, break and continue, {% generation %}, tojson without HTML escapes. Every template is rendered for every
conversation of conversations.json, and results.json gets the text, or null where the template raises. The expressions of
expressions.json are rendered alone; null says that jinja2 raises. Templates and every second expression are also the
seeds of template_fuzz.
"""
import datetime, json, pathlib

import jinja2, jinja2.ext, jinja2.sandbox
from jinja2 import nodes

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "templates"
SEEDS = FOLDER.parent.parent / "corpora" / "template_fuzz"
NOW = datetime.datetime(2024, 7, 26, 9, 5, 3)  # UTC; templates_test sets the same


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    def _same(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    out = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    out.filters["tojson"] = tojson
    out.globals["raise_exception"] = raise_exception
    out.globals["strftime_now"] = NOW.strftime
    return out


def render(source, variables):
    try:
        return environment().from_string(source).render(**variables)
    except (jinja2.exceptions.TemplateError, TypeError, ValueError, ZeroDivisionError, AttributeError, KeyError, IndexError, OverflowError, SyntaxError):
        return None


def dump(name, data):
    (FOLDER / name).write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def main():
    conversations = json.loads((FOLDER / "conversations.json").read_text(encoding="utf-8"))
    expressions = json.loads((FOLDER / "expressions.json").read_text(encoding="utf-8"))
    results = {}
    for path in sorted(FOLDER.glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        results[path.name] = {name: render(source, variables) for name, variables in conversations.items()}
    dump("results.json", results)
    dump("expression_results.json", [render(each, expressions["variables"]) for each in expressions["expressions"]])
    SEEDS.mkdir(parents=True, exist_ok=True)
    for name in results:
        (SEEDS / name).write_bytes((FOLDER / name).read_bytes())
    for i, expression in list(enumerate(expressions["expressions"]))[::2]:
        (SEEDS / f"expression_{i:03}").write_text(expression, encoding="utf-8")
    for name, texts in results.items():
        failed = [case for case, text in texts.items() if text is None]
        print(f"{name}: {len(texts) - len(failed)} rendered" + (f", raises on {', '.join(failed)}" if failed else ""))


if __name__ == "__main__":
    main()
