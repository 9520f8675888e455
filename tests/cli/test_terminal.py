"""What a person sees around the work: help, version, colours, progress bars; and the same without a terminal."""
import json
import re

from model_files import make_model, repeated_f16
from support import PROMPT, ROOT, STORIES, CliTest, StoriesTest, Terminal, clean_environment, main

COMMANDS = ["run", "chat", "complete", "quantize", "shrink", "imatrix", "convert", "eval", "bench", "inspect", "devices", "list", "make-random", "train", "tokenizer", "tokenize", "detokenize", "completions", "help"]
# The options that the command line promises, by command.
PROMISED = {
    "run": "-p -f -n -c -t --kv-type --prompt-cache --json --temp --top-k --top-p --min-p --typical --repeat-penalty "
           "--presence --frequency --seed --stop",
    "chat": "--system -n -c -t --kv-type --temp --top-k --top-p --min-p --typical --repeat-penalty --presence --frequency "
            "--seed --stop",
    "complete": "--prefix --suffix --file --at --stop-at -n -c --temp --seed --json",
    "convert": "--type --force",
    "quantize": "--type --override --keep-output --imatrix --allow-requantize --force --dry-run --json",
    "imatrix": "--text -o -c --windows --force --json",
    "shrink": "-o --budget --bits --ram --ctx --tokens-per-second --max-kl --max-ppl-rise --mix --calib --heldout --types --mode --rounding --seed --report "
              "--plan-only --resume --allow-requantize --force --json",
    "eval perplexity": "--text --json", "eval kl": "--against --text --json",
    "eval task": "--data --tasks --limit --shots --seed --chat --method --samples --temp --no-sandbox --items --resume --force --json",
    "inspect": "--tensors --json", "devices": "--json", "bench": "-p -n -d -t -r --kv-type --json", "tokenize": "-p -f --special --parse-special --json", "detokenize": "", "completions": ""}


class Help(CliTest):
    def test_every_command_has_a_page_with_examples(self):
        for command, options in PROMISED.items():
            with self.subTest(command):
                page = self.ok(*command.split(), "--help")
                self.assertEqual(page.err, b"")
                self.assertEqual(page.out, self.ok(*command.split(), "-h").out)
                self.assertEqual(page.out, self.ok("help", *command.split()).out)
                self.assertIn(f"Usage: smelt {command}", page.text)
                self.assertRegex(page.text, rf"(?s)\nExamples:\n.*smelt {command.split()[0]}")
                for option in options.split():
                    self.assertRegex(page.text, rf"(?m)^  +(-\w, )?{option}\b", f"{command} {option}")
                self.assertLessEqual(max(map(len, page.text.splitlines())), 115)

    def test_the_first_page_lists_the_commands(self):
        page = self.ok("--help").text
        self.assertEqual(re.findall(r"(?m)^  ([\w-]+)  ", page.split("Commands:")[1].split("Options:")[0]), COMMANDS)
        self.assertEqual(page, self.ok("help").text)

    def test_examples_are_sound(self):
        """Every option of every example exists: the command gets as far as the missing file."""
        for command in [*(c for c in COMMANDS[:-2] if c not in ("devices", "list", "make-random")), "eval perplexity", "eval kl", "eval save-reference", "eval task", "tokenizer train"]:
            examples = self.ok(*command.split(), "--help").text.split("Examples:\n")[1]
            for line in re.findall(r"(?m)\bsmelt ((?:run|chat|complete|quantize|shrink|imatrix|convert|eval|bench|inspect|train|tokenizer|tokenize|detokenize) [^|>\n]+)", examples):
                words = [w.strip("\"'") for w in re.findall(r"\"[^\"]*\"|'[^']*'|\S+", line)]
                result = self.smelt(*words)
                self.assertEqual(result.code, 1, f"{line}: {result}")
                self.assert_one_line(result.err)

    def test_version(self):
        wanted = re.search(r'kVersion = "(.*)"', (ROOT / "include/smelt/version.h").read_text())[1]
        self.assertEqual(self.ok("--version").text, f"smelt {wanted}\n")


class OnATerminal(StoriesTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.big = make_model(cls.shared / "big.gguf", cls.model, d_model=1024, d_ff=2816, n_layers=1, values=repeated_f16)
        (cls.shared / "text").write_text("Once upon a time there was a fish. " * 800)

    def finished(self, *words, code=0, **more):
        terminal = Terminal(self, *words, **more)
        self.assertEqual(terminal.wait(60), code, terminal.screen)
        return terminal

    def test_quantize_draws_a_bar_and_erases_it(self):
        raw = self.finished("quantize", self.big, "o.gguf", "--type", "Q4_K_M").raw
        self.assertRegex(raw, r"\r\x1b\[K\[#*\.*\] Q4_K_M: \d+/\d+ KiB \(\d+ %\)")
        self.assertRegex(raw, r"\r\x1b\[Ko\.gguf: \S+ MiB → \S+ MiB \(\S+ times smaller\), [^\r\n]*\r\n\Z")

    def test_convert_and_inspect_too(self):
        self.assertIn("\r\x1b[K[", self.finished("convert", self.big, "hf").raw)
        self.assertIn("\r\x1b[K[", self.finished("inspect", self.big).raw)

    def test_eval_draws_a_bar_and_erases_it(self):
        words = ("--text", self.shared / "text", "-c", "128")
        for kind in (("perplexity",), ("kl", "--against", self.model)):
            raw = self.finished("eval", kind[0], self.model, *kind[1:], *words).raw
            self.assertRegex(raw, r"\r\x1b\[K\[#*\.*\] \w+: \d+/\d+ tokens")
            self.assertRegex(raw, r"\r\x1b\[K(perplexity|KL divergence) ")

    def test_a_bar_stays_in_its_row(self):
        raw = self.finished("quantize", self.big, "o.gguf", "--type", "Q4_K_M", columns=30).raw
        drawn = [row for row in re.split(r"\r\x1b\[K", raw.split("o.gguf:")[0]) if row]
        self.assertTrue(drawn)
        # The size is set while the program starts: the first row may have come before.
        self.assertLess(max(map(len, drawn[1:] or [""])), 30, drawn)

    def test_an_interrupted_bar(self):
        terminal = Terminal(self, "quantize", self.big, "o.gguf", "--type", "IQ4_XS", "-t", "1")
        terminal.expect("IQ4_XS: ")
        terminal.send("\x03")
        self.assertEqual(terminal.wait(30), 130)
        self.assertTrue(terminal.raw.endswith("\x1b[1;31msmelt:\x1b[0m interrupted; o.gguf was not written\r\n"), terminal.raw)
        self.assertEqual(self.names(), [])

    def test_text_comes_first_and_figures_after(self):
        screen = self.finished("run", self.model, "-p", PROMPT, "-n", "5", "--temp", "0").screen
        self.assertRegex(screen, rf"\A{PROMPT}, there was a little\nsmelt: prompt 5 tokens, .*; ended by -n\n\Z".replace("\n", r"\n"))

    def test_text_comes_as_it_is_made(self):
        terminal = Terminal(self, "run", self.big, "-p", PROMPT, "-n", "-1", "--ignore-end", "-c", "20000", "-t", "1")
        terminal.expect(PROMPT)
        self.wait_for(lambda: terminal.read_some(0.01) and len(terminal.screen) > terminal.seen + 5, "text")
        self.assertTrue(terminal.running())
        terminal.send("\x03")
        self.assertEqual(terminal.wait(30), 130)
        self.assertRegex(terminal.screen, r"\nsmelt: prompt 5 tokens[^\n]*\nsmelt: interrupted\n\Z")

    def test_a_prompt_typed_on_the_terminal(self):
        terminal = Terminal(self, "run", self.model, "-n", "5", "--temp", "0")
        terminal.expect("reading text from the terminal; Ctrl-D ends it\n")
        terminal.send(PROMPT + "\n\x04")
        self.assertEqual(terminal.wait(), 0)
        self.assertIn(PROMPT + ", there was a", terminal.screen)

    def test_colours_only_where_wanted(self):
        for variables, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"TERM": None}, False)):
            env = clean_environment(**{"TERM": "xterm", **variables})
            raw = self.finished("run", "missing.gguf", code=1, env=env).raw
            self.assertEqual("\x1b[" in raw, coloured, variables)
            self.assertIn("missing.gguf: cannot open", raw)

    def test_names_cannot_command_the_terminal(self):
        raw = self.finished("run", "\x1b]0;title\x07\x1b[2Jx", code=1, env=clean_environment(TERM="xterm", NO_COLOR="1")).raw
        self.assertNotIn("\x1b", raw)
        self.assertIn(r"\x1b]0;title\x07\x1b[2Jx: cannot open", raw)


def all_keys(value):
    if isinstance(value, list):
        return {key for item in value for key in all_keys(item)}
    if not isinstance(value, dict):
        return set()
    own = set(value) - {"F32", "F16"}  # names of types
    return own.union(*(all_keys(item) for item in value.values()))


class Elsewhere(CliTest):
    def test_no_bars_and_no_colours(self):
        self.ok("convert", STORIES, "m.gguf", "--type", "f32")
        for words in (("quantize", "m.gguf", "o.gguf"), ("inspect", "m.gguf"), ("run", "m.gguf", "-p", "x", "-n", "2"),
                      ("eval", "perplexity", "m.gguf", "--text", __file__, "--windows", "2")):
            result = self.ok(*words, env=clean_environment(TERM="xterm"))
            self.assertNotIn(b"\x1b", result.out + result.err)
            self.assertNotIn(b"\r", result.out + result.err)
            if words[0] != "run":
                self.assertEqual(result.err, b"", "short work needs no lines")

    def test_json_is_all_of_standard_output_and_documented(self):
        self.ok("convert", STORIES, "m.gguf", "--type", "f32")
        page = (ROOT / "docs/json.md").read_text()
        eval_words = ("--text", __file__, "--windows", "2")
        for words in (("quantize", "m.gguf", "o.gguf"), ("convert", "m.gguf", "hf"), ("inspect", "m.gguf", "--tensors"),
                      ("run", "m.gguf", "-p", "x", "-n", "2"), ("tokenize", "m.gguf", "-p", "x"),
                      ("eval", "perplexity", "m.gguf", *eval_words), ("eval", "kl", "m.gguf", "--against", "m.gguf", *eval_words)):
            result = json.loads(self.ok(*words, "--json").out)
            self.assertIsInstance(result, dict)
            section = page.split(f"## smelt {' '.join(words[:2]) if words[0] == 'eval' else words[0]}\n")[1].split("\n## ")[0]
            documented = set(re.findall(r"`([^` ]+)`", section))
            if words[:2] == ("eval", "kl"):
                documented |= set(re.findall(r"`([^` ]+)`", page.split("## smelt eval perplexity")[1].split("\n## ")[0]))
            for key in all_keys(result):
                self.assertIn(key, documented, f"docs/json.md on smelt {words[0]}")


if __name__ == "__main__":
    main()
