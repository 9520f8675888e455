#!/usr/bin/env python3
"""Random JSON schemas, a small model held to each, and what it wrote judged by the PyPI package jsonschema.

    tests/sweeps/schemas.py --tool build/release/bin/schema_tool [--count 2000] [--seed 1] [--model models/books-3m]

Of all schemas at least 95 % must come to an end within 512 tokens, and all that do must be valid. Schemas that cannot
be satisfied, which the generator avoids, would count as unfinished. --quick takes 60 of them; the whole runs in
./dev test --full (SMELT_FULL=1). Exits with 77 (skipped) where jsonschema is missing.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
N_PREDICT = 512
FORMATS = ["date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid", "json-pointer"]
PATTERNS = ["^[a-z]+$", "^[A-Z]{2}-[0-9]{3}$", "o", "^x", "[0-9]$", "^(yes|no)$", "^[^a-m]{1,5}$", r"^\\d+(\\.\\d+)?$",
            r"^\\w{1,8}@\\w+$", "^a|b$", "^.{3,9}$", r'^["\\\\]+$']
WORDS = ["name", "age", "id", "tags", "é", "a b", 'quo"te', "back\\slash", "x", "type", "kind", "", "a/b", "items", "the"]


class Schemas:
    """Satisfiable schemas over all supported keywords."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def make(self):
        self.defs = {}
        schema = self.schema(3)
        if self.random.random() < 0.3:
            schema = self.recursive(schema)
        if self.defs:
            schema = {**schema, "$defs": self.defs} if isinstance(schema, dict) else schema
        return schema

    def chance(self, share):
        return self.random.random() < share

    def schema(self, depth):
        kinds = [self.string, self.string, self.integer, self.number, self.listed, self.simple]
        if depth > 0:
            kinds += [self.object, self.object, self.object, self.array, self.array, self.any_of, self.one_of, self.all_of,
                      self.reference, self.types]
        return self.random.choice(kinds)(depth)

    def simple(self, _depth):
        return self.random.choice([{"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}, True, {},
                                   {"title": "anything", "description": "…"}])

    def types(self, _depth):
        return {"type": self.random.sample(["null", "boolean", "integer", "number", "string", "array", "object"], 2)}

    def string(self, _depth):
        schema = {"type": "string"}
        if self.chance(0.3):
            schema["pattern"] = self.random.choice(PATTERNS)
        elif self.chance(0.3):
            schema["format"] = self.random.choice(FORMATS)
            return schema
        low = self.random.randint(0, 4)
        if self.chance(0.3) and "pattern" not in schema:
            schema["minLength"] = low
        if self.chance(0.4):
            schema["maxLength"] = low + self.random.randint(7, 60)
        return schema

    def integer(self, _depth):
        schema = {"type": "integer"}
        low = self.random.randint(-10 ** self.random.randint(0, 12), 10 ** self.random.randint(0, 12))
        if self.chance(0.5):
            schema[self.random.choice(["minimum", "exclusiveMinimum"])] = low
        if self.chance(0.5):
            schema[self.random.choice(["maximum", "exclusiveMaximum"])] = low + self.random.randint(20, 10 ** 6)
        if self.chance(0.2):
            schema["multipleOf"] = self.random.choice([1, 2, 3, 5, 7, 10])
        return schema

    def number(self, _depth):
        schema = {"type": "number"}
        low = round(self.random.uniform(-1000, 1000), self.random.randint(0, 4))
        if self.chance(0.5):
            schema[self.random.choice(["minimum", "exclusiveMinimum"])] = low
        if self.chance(0.5):
            schema[self.random.choice(["maximum", "exclusiveMaximum"])] = round(low + self.random.uniform(0.1, 100), 3)
        if self.chance(0.1):
            schema["multipleOf"] = self.random.choice([1, 4])
            schema.pop("exclusiveMaximum", None)
            schema.pop("maximum", None)
        return schema

    def value(self, depth=2):
        kinds = [None, True, False, 0, -3, 2.5, 1e20, "", "text", 'a"b\\c\n', "é€😀", 12345678901]
        if depth > 0 and self.chance(0.2):
            return [self.value(depth - 1) for _ in range(self.random.randint(0, 3))]
        if depth > 0 and self.chance(0.2):
            return {word: self.value(depth - 1) for word in self.random.sample(WORDS, 2)}
        return self.random.choice(kinds[:6] + kinds[7:])

    def listed(self, _depth):
        if self.chance(0.4):
            return {"const": self.value()}
        return {"enum": [self.value() for _ in range(self.random.randint(1, 6))]}

    def object(self, depth):
        names = self.random.sample(WORDS, self.random.randint(0, 5))
        schema = {"type": "object", "properties": {name: self.schema(depth - 1) for name in names}}
        required = [name for name in names if self.chance(0.6)]
        if required or self.chance(0.2):
            schema["required"] = required
        more = self.random.random()
        if more < 0.4:
            schema["additionalProperties"] = False
        elif more < 0.55:
            schema["additionalProperties"] = self.schema(0)
        elif more < 0.6:
            schema["additionalProperties"] = True
        if self.chance(0.15):
            schema["minProperties"] = self.random.randint(0, len(names))
        if self.chance(0.15):
            schema["maxProperties"] = self.random.randint(max(len(required), schema.get("minProperties", 0)), 6)
        if self.chance(0.1):
            del schema["type"]
        return schema

    def array(self, depth):
        schema = {"type": "array"}
        if self.chance(0.8):
            schema["items"] = self.schema(depth - 1)
        if self.chance(0.25):
            schema["prefixItems"] = [self.schema(depth - 1) for _ in range(self.random.randint(1, 3))]
            if self.chance(0.3):
                schema["items"] = False
        low = self.random.randint(0, 2)
        if self.chance(0.4) and schema.get("items") is not False:
            schema["minItems"] = low
        if self.chance(0.5):
            schema["maxItems"] = low + self.random.randint(0, 4)
        if self.chance(0.05):
            schema.update({"maxItems": 1, "minItems": 0, "uniqueItems": True})
        return schema

    def any_of(self, depth):
        return {"anyOf": [self.schema(depth - 1) for _ in range(self.random.randint(1, 3))]}

    def one_of(self, depth):
        if self.chance(0.5):
            return {"oneOf": [{"type": "string", "maxLength": 20}, {"type": "integer", "minimum": 5}, {"type": "boolean"},
                              {"type": "integer", "maximum": 4}][:self.random.randint(1, 4)]}
        key = self.random.choice(["type", "kind"])
        branches = []
        for tag in self.random.sample(["a", "b", "c", "d"], self.random.randint(2, 3)):
            branch = self.object(depth)
            branch.pop("maxProperties", None)
            branch["properties"] = {key: {"const": tag}, **{k: v for k, v in branch["properties"].items() if k != key}}
            branch["required"] = sorted({key, *branch.get("required", [])})
            branches.append(branch)
        return {"oneOf": branches}

    def all_of(self, depth):
        first, second = self.object(depth), self.object(depth)
        for schema in (first, second):
            for keyword in ("additionalProperties", "maxProperties", "minProperties"):
                schema.pop(keyword, None)
        for name in set(first["properties"]) & set(second["properties"]):
            del second["properties"][name]
        low = self.random.randint(0, 50)
        return self.random.choice([
            {"allOf": [first, second]},
            {"allOf": [{"type": "integer", "minimum": low}, {"maximum": low + 30, "multipleOf": 3}]},
            {"type": "string", "allOf": [{"minLength": 2}, {"maxLength": 12}, {"pattern": "[a-f]"}]},
            {"allOf": [{"pattern": "^[a-z]+$"}, {"pattern": "e"}], "type": "string", "minLength": 3},
            {"allOf": [{"enum": [1, "a", None, 2.5]}, {"type": ["string", "number"]}]},
        ])

    def reference(self, depth):
        name = self.random.choice(["one", "two", "a/b", "c~d", "per cent"])
        if name not in self.defs:
            self.defs[name] = True
            self.defs[name] = self.schema(depth - 1)
        pointer = name.replace("~", "~0").replace("/", "~1").replace(" ", "%20")
        return {"$ref": "#/$defs/" + pointer}

    def recursive(self, inner):
        self.defs["tree"] = {"type": "object", "properties": {"value": inner, "children": {
            "type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 3}}, "required": ["value", "children"],
            "additionalProperties": False}
        self.defs["list"] = {"anyOf": [{"type": "null"}, {"type": "object", "properties": {
            "head": {"type": "integer"}, "tail": {"$ref": "#/$defs/list"}}, "required": ["head", "tail"]}]}
        return {"$ref": "#/$defs/" + self.random.choice(["tree", "list"])}


def run_tool(arguments, schemas):
    lines = "".join(json.dumps(schema) + "\n" for schema in schemas)
    command = [arguments.tool, arguments.model, str(N_PREDICT), str(arguments.seed)]
    result = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=1800)
    if result.returncode != 0:
        sys.exit(f"schemas: {' '.join(command)} exited with {result.returncode}: {result.stderr}")
    return [json.loads(line) for line in result.stdout.splitlines()]


def judge(schema, answer, jsonschema):
    """None, or what is wrong with what was written."""
    try:
        value = json.loads(answer["text"])
    except ValueError as error:
        return f"no JSON: {error}"
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    errors = list(validator.iter_errors(value))
    return f"invalid: {errors[0].message[:300]}" if errors else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    parser.add_argument("--model", default=str(ROOT / "models/books-3m"))
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="60 schemas, unless SMELT_FULL=1")
    arguments = parser.parse_args()
    if arguments.quick and os.environ.get("SMELT_FULL") != "1":
        arguments.count = 60
    try:
        import jsonschema
    except ImportError:
        print("schemas: skipped, the Python package jsonschema is missing")
        sys.exit(77)
    schemas = [Schemas(arguments.seed * 1_000_000 + i).make() for i in range(arguments.count)]
    answers = run_tool(arguments, schemas)
    finished = unfinished = refused = 0
    wrong = []
    for schema, answer in zip(schemas, answers, strict=True):
        if "text" in answer:
            finished += 1
            fault = judge(schema, answer, jsonschema)
            if fault:
                wrong.append((schema, answer["text"], fault))
        elif "refused" in answer:
            refused += 1
            print(f"refused: {answer['refused']}\n    {json.dumps(schema)[:600]}")
        else:
            unfinished += 1
            print(f"unfinished: {answer['unfinished']}\n    {json.dumps(schema)[:600]}")
    for schema, text, fault in wrong[:20]:
        print(f"{fault}\n    {json.dumps(schema)}\n    {text}")
    share = finished / len(schemas)
    print(f"schemas: {len(schemas)}, finished within {N_PREDICT} tokens {finished} ({100 * share:.1f} %), valid "
          f"{finished - len(wrong)}, invalid {len(wrong)}, unfinished {unfinished}, refused {refused}")
    sys.exit(0 if not wrong and share >= 0.95 else 1)


if __name__ == "__main__":
    main()
