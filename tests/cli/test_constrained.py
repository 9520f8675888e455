"""smelt run held to grammars and regular expressions: what is written, exit codes, messages with places."""
import json

from support import StoriesTest, main


class Constrained(StoriesTest):
    def write(self, text):
        path = self.folder / "g.gbnf"
        path.write_text(text)
        return path

    def test_regex(self):
        for seed in range(5):
            text = self.ok("run", self.model, "-p", "On ", "--regex", r"\d{4}-(0[1-9]|1[0-2])", "--no-echo", "--seed", str(seed)).text
            self.assertRegex(text, r"^\d{4}-(0[1-9]|1[0-2])\n$")

    def test_grammar(self):
        path = self.write('root ::= "{" pair ("," pair)* "}"\npair ::= "\\"" [a-z]{1,9} "\\":" [0-9]{1,3}\n')
        for words in ((), ("--lookup",)):
            result = json.loads(self.ok("run", self.model, "-p", "x", "--grammar", path, "-n", "40", "--seed", "5", "--json", *words).out)
            self.assertEqual(result["finish_reason"], "complete")
            self.assertRegex(result["text"], r'^{"[a-z]{1,9}":\d{1,3}(,"[a-z]{1,9}":\d{1,3})*}$')

    def test_json_schema(self):
        path = self.folder / "s.json"
        path.write_text(json.dumps({"type": "object", "required": ["name", "age"], "additionalProperties": False,
                                    "properties": {"name": {"type": "string", "maxLength": 12},
                                                   "age": {"type": "integer", "minimum": 0, "maximum": 120}}}))
        for seed in range(5):
            text = self.ok("run", self.model, "-p", "Tom: ", "--json-schema", path, "--no-echo", "--seed", str(seed)).text
            value = json.loads(text)
            self.assertEqual(list(value), ["name", "age"])
            self.assertLessEqual(len(value["name"]), 12)
            self.assertIn(value["age"], range(121))
        path.write_text('{"properties": {"a": {"not": {}}}}')
        self.refused(1, "#/properties/a: not: this keyword is not supported", "run", self.model, "-p", "x", "--json-schema", path)
        path.write_text('{"properties": {"a": 5}}')
        self.refused(1, ["s.json", "#: properties"], "run", self.model, "-p", "x", "--json-schema", path)

    def test_what_is_cut_fails(self):
        result = self.smelt("run", self.model, "-p", "x", "--regex", "a{100}", "-n", "5")
        self.assertEqual((result.code, result.text), (1, "xaaaaa\n"))  # it was shown as it came
        self.assert_one_line(result.err, "cut after 5 tokens")
        result = self.smelt("run", self.model, "-p", "x", "--regex", "a{100}", "-n", "5", "--json")
        self.assert_refused(result, 1, "cut after 5 tokens")
        self.assertEqual(result.out, b"")

    def test_refusals(self):
        path = self.write('root ::= "a" nmae\nname ::= "b"\n')
        def refused(code, what, *words):
            self.refused(code, what, "run", self.model, "-p", "x", *words)

        refused(1, "line 1:14", "--grammar", path)
        refused(1, "/nonexistent", "--grammar", "/nonexistent")
        refused(2, "column 2", "--regex", "a(?=b)")
        refused(2, "--grammar", "--regex", "a", "--grammar", path)
        refused(2, "stop texts", "--regex", "a", "--stop", "x")
        refused(2, "end token", "--regex", "a", "--ignore-end")


if __name__ == "__main__":
    main()
