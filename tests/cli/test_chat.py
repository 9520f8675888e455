"""smelt chat on a pseudo-terminal, as a person meets it, and through pipes."""
import json
import os
import re
import stat
import subprocess

from model_files import STRING, make_model, read_gguf, repeated_f16, write_gguf
from support import StoriesTest, Terminal, clean_environment, main

CHATML = b"{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
LLAMA2 = b"{{ bos_token }}[INST] <<SYS>>\n{{ system }}\n<</SYS>>\n\n{{ content }} [/INST]{{ eos_token }}"
GEMMA = b"{{ bos_token }}<start_of_turn>{{ role }}\n{{ content }}<end_of_turn>\n"


class Models(StoriesTest):
    def with_template(self, template):
        keys, tensors = read_gguf(self.model)
        keys["tokenizer.chat_template"] = (STRING, template)
        path = self.folder / "templated.gguf"
        write_gguf(path, keys, tensors)
        return path


class OfAFolder(Models):
    """Where a Hugging Face folder may keep the template, the strongest place last."""

    def template_of(self, folder):
        path = self.folder / "out.gguf"
        self.ok("convert", folder, path, "--type", "f16", "--force")
        return read_gguf(path)[0]["tokenizer.chat_template"][1]

    def test_places_and_names(self):
        folder = self.make_hf()
        (folder / "smelt_metadata.json").unlink()  # says which keys the file that it came from had
        config = json.loads((folder / "tokenizer_config.json").read_text())
        for given, wanted in (("one", b"one"), ([{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}], b"d"),
                              ([{"name": "rag", "template": "r"}, {"name": "tool_use", "template": "t"}], b"r")):
            (folder / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": given}))
            self.assertEqual(self.template_of(folder), wanted)
        (folder / "chat_template.json").write_text(json.dumps({"chat_template": "of its own"}))
        self.assertEqual(self.template_of(folder), b"of its own")
        (folder / "chat_template.jinja").write_text("plain file")
        self.assertEqual(self.template_of(folder), b"plain file")
        (folder / "chat_template.jinja").unlink()
        (folder / "chat_template.json").write_text(json.dumps({"chat_template": [{"name": "default"}]}))
        self.refused(1, ["chat_template.json", "chat_template[0].template"], "convert", folder, self.folder / "no.gguf")


class Constrained(StoriesTest):
    def test_every_answer_is_held_to_it(self):
        result = self.ok("chat", self.model, "--regex", "(yes|no), [0-9]{2}", "--seed", "1", stdin=b"Is it?\nAnd now?\n")
        answers = [line for line in result.text.splitlines() if line]
        self.assertEqual(len(answers), 2)
        for answer in answers:
            self.assertRegex(answer, r"^(yes|no), [0-9]{2}$")

    def test_refusals(self):
        tools = self.folder / "tools.json"
        tools.write_text("[]")
        self.refused(2, "--tools", "chat", self.model, "--regex", "a", "--tools", tools, stdin=b"x\n")
        self.refused(2, "--stop", "chat", self.model, "--regex", "a", "--stop", "b", stdin=b"x\n")
        self.refused(2, "--regex", "chat", self.model, "--regex", "(", stdin=b"x\n")


class OnATerminal(Models):
    def chat(self, *words, n="30", **more):
        terminal = Terminal(self, "chat", self.model, "--seed", "3", "-n", n, *words, **more)
        terminal.expect("> ")
        return terminal

    def ask(self, terminal, text):
        terminal.send(text + "\n")
        terminal.expect(text[:60])  # the editor breaks longer lines
        return terminal.expect("\n> ")

    def test_greeting_question_and_leaving(self):
        terminal = Terminal(self, "chat", self.model, "--seed", "3", "-n", "30")
        greeting = terminal.expect("> ")
        for part in ("stories260K", "context 512 tokens", "chat form plain", "seed 3", "/help", "Ctrl-C", "Ctrl-D"):
            self.assertIn(part, greeting)
        answer = self.ask(terminal, "Once upon a time")
        self.assertIn("there was a", answer)
        self.assertIn("(cut after -n tokens)", answer)
        terminal.send("\x04")
        self.assertEqual(terminal.wait(), 0)

    def test_the_conversation_goes_on(self):
        terminal = self.chat()
        self.ask(terminal, "Once upon a time")
        self.ask(terminal, "Then what?")
        self.ask(terminal, "/save chat.json")
        saved = json.loads((self.folder / "chat.json").read_text())
        self.assertEqual([m["role"] for m in saved["messages"]], ["user", "assistant"] * 2)
        self.assertEqual(saved["messages"][2]["text"], "Then what?")

    def test_messages_of_several_lines(self):
        terminal = self.chat()
        terminal.send("one \\\n")
        terminal.expect("… ")
        terminal.send("two\n")
        terminal.expect("\n> ")
        terminal.send('"""\n')
        terminal.expect("… ")
        terminal.send("three\n")
        terminal.expect("… ")
        terminal.send('four"""\n')
        terminal.expect("\n> ")
        self.ask(terminal, "/save chat.json")
        messages = json.loads((self.folder / "chat.json").read_text())["messages"]
        self.assertEqual([m["text"] for m in messages[::2]], ["one \ntwo", "three\nfour"])

    def test_every_command(self):
        terminal = self.chat()
        listed = re.findall(r"(?m)^\s*/(\w+)", self.ask(terminal, "/help"))
        self.assertEqual(listed, ["help", "system", "regen", "result", "clear", "save", "load", "stats", "exit"])
        self.assertIn("there is no answer yet", self.ask(terminal, "/regen"))
        first = self.ask(terminal, "Once upon a time")
        again = self.ask(terminal, "/regen")
        self.assertNotEqual(first, again, "another seed")
        self.assertIn("(no system text)", self.ask(terminal, "/system"))
        self.ask(terminal, "/system Be brief.")
        self.assertIn("Be brief.", self.ask(terminal, "/system"))
        self.assertIn("2 messages", self.ask(terminal, "/stats"))
        self.assertRegex(terminal.screen, r"context \d+ of 512 tokens, 2 messages, seed \d+")
        self.assertRegex(terminal.screen, r"last answer 30 tokens, \d+ tokens/s")
        self.assertIn("(2 messages in a chat.json)", self.ask(terminal, "/save a chat.json"))
        self.assertIn("(forgotten)", self.ask(terminal, "/clear"))
        self.assertIn("0 messages", self.ask(terminal, "/stats"))
        self.assertIn("(2 messages)", self.ask(terminal, "/load a chat.json"))
        self.assertIn("2 messages in a chat.json", self.ask(terminal, "/save a chat.json"), "its own file is replaced")
        self.assertIn("Be brief.", self.ask(terminal, "/system"))
        self.ask(terminal, "/system -")
        self.assertIn("(no system text)", self.ask(terminal, "/system"))
        terminal.send("/exit\n")
        self.assertEqual(terminal.wait(), 0)

    def test_commands_that_fail_do_not_end_the_chat(self):
        (self.folder / "other").write_text("precious")
        (self.folder / "bad.json").write_text('{"messages": [{"role": "assistant", "text": "x"}]}')
        terminal = self.chat()
        for line, answer in (("/sav", "unknown command '/sav'; did you mean /save?"), ("/xyzzy", "/help lists them"),
                             ("/save", "/save: give a file name"), ("/save other", "other: exists already"),
                             ("/load missing", "missing: cannot open"), ("/load other", "not the JSON of a saved chat"),
                             ("/load bad.json", "message 1: wanted"), ("/save no/where", "the folder 'no' does not exist"),
                             ("/save " + "a" * 300, "too long"), ("/load .", "is a directory")):
            self.assertIn("smelt: ", self.ask(terminal, line))
            self.assertIn(answer, terminal.screen, line)
        self.assertEqual((self.folder / "other").read_text(), "precious")
        self.assertIn("there", self.ask(terminal, "Once upon a time"))

    def test_ctrl_c_stops_the_answer_and_not_the_program(self):
        slow = make_model(self.folder / "slow.gguf", self.model, d_model=1024, d_ff=2816, n_layers=2, values=repeated_f16)
        terminal = Terminal(self, "chat", slow, "--seed", "3", "-n", "-1", "-c", "60000", "-t", "1")
        terminal.expect("> ")
        terminal.send("Once upon a time\n")
        terminal.expect("Once upon a time\n")
        self.wait_for(lambda: terminal.read_some(0.01) and len(terminal.screen) > terminal.seen + 5, "an answer")
        terminal.send("\x03")
        terminal.expect("(stopped)")
        terminal.expect("> ")
        self.assertIn("2 messages", self.ask(terminal, "/stats"), "what was said until then is kept")
        self.assertTrue(terminal.running())

    def test_ctrl_c_at_the_prompt(self):
        terminal = self.chat()
        terminal.send("a text")
        terminal.expect("a text")
        terminal.send("\x03")
        terminal.expect("Ctrl-C again, Ctrl-D or /exit leaves")
        terminal.expect("> ")
        terminal.send("another")
        terminal.expect("another")
        terminal.send("\x03")
        terminal.expect("leaves")
        terminal.expect("> ")
        self.assertTrue(terminal.running(), "the line had text")
        terminal.send("\x03")
        self.assertEqual(terminal.wait(), 0)

    def test_editing_with_characters_of_several_bytes(self):
        terminal = self.chat()
        terminal.send("ümläut 猫\x1b[D\x1b[Dx\x01y\n")  # two to the left, x, to the line's begin, y
        terminal.expect("\n> ")
        self.ask(terminal, "/save chat.json")
        self.assertEqual(json.loads((self.folder / "chat.json").read_text())["messages"][0]["text"], "yümläutx 猫")

    def test_history_is_kept_where_xdg_says(self):
        for name, variables, place in (("default", {}, "home/.local/state/smelt/chat_history"),
                                       ("state", {"XDG_STATE_HOME": str(self.folder / "state")}, "state/smelt/chat_history")):
            with self.subTest(name):
                (self.folder / "home").mkdir(exist_ok=True)
                env = clean_environment(TERM="xterm", HOME=str(self.folder / "home"), **variables)
                terminal = self.chat(env=env)
                self.ask(terminal, "/stats")
                terminal.send("\x04")
                terminal.wait()
                path = self.folder / place
                self.assertEqual(path.read_text(), "/stats\n")
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
                again = self.chat(env=env)
                again.send("\x1b[A")
                again.expect("/stats")
                again.send("\n")
                again.expect("context ")
        self.assertEqual(self.names(), ["home", "state"])
        self.assertEqual(self.names(self.folder / "home"), [".local"])

    def test_no_history(self):
        for words, variables in ((("--no-history",), {"HOME": str(self.folder)}), ((), {"HOME": None}),
                                 ((), {"HOME": "/proc"}), ((), {"HOME": "/dev/null"})):
            terminal = self.chat(*words, env=clean_environment(TERM="xterm", **variables))
            self.ask(terminal, "/stats")
            terminal.send("\x04")
            self.assertEqual(terminal.wait(), 0)
        self.assertEqual(self.names(), [])

    def test_answers_go_to_standard_output_alone(self):
        terminal = Terminal(self, "chat", self.model, "--seed", "3", "-n", "10", split_stdout=True)
        terminal.expect("> ")
        self.ask(terminal, "Once upon a time")
        terminal.send("\x04")
        terminal.wait()
        answer = os.read(terminal.out_read, 65536).decode()
        self.assertIn("there was", answer)
        for word in ("Once", "stories260K", "> ", "\x1b"):
            self.assertNotIn(word, answer)

    def test_colours_only_where_wanted(self):
        for variables, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)):
            terminal = self.chat("--no-history", env=clean_environment(**{"TERM": "xterm", **variables}))
            self.assertEqual("\x1b[1mstories260K" in terminal.raw, coloured, variables)

    def test_a_full_context_is_told(self):
        terminal = self.chat("-c", "40", n="-1")
        self.assertIn("the context is full", self.ask(terminal, "Once upon a time"))
        self.assertIn("tokens, the context 40", self.ask(terminal, "and then " * 20))
        self.ask(terminal, "/clear")
        self.assertTrue(terminal.running())


class ThroughPipes(Models):
    def test_every_line_is_a_message(self):
        words = ("chat", self.model, "--seed", "3", "-n", "20")
        result = self.ok(*words, stdin="Once upon a time\n/stats\nThen what?\n")
        self.assertEqual(result.text.count("\n"), 2, result)
        self.assertIn(b"2 messages", result.err)
        self.assertNotIn(b"\x1b", result.err)
        self.assertNotIn(b"> ", result.out)
        self.assertEqual(self.ok(*words, stdin="Once upon a time\n/stats\nThen what?").out, result.out)
        self.assertEqual(self.names(), [], "no history")

    def test_errors_end_it(self):
        result = self.smelt("chat", self.model, stdin="/load missing\nnot reached\n")
        self.assert_refused(result, 1, "missing: cannot open")

    def test_nothing(self):
        result = self.ok("chat", self.model, stdin="")
        self.assertEqual((result.out, result.err), (b"", b""))

    def test_a_closed_pipe_ends_quietly(self):
        process = self.start("chat", self.model, "-n", "200", stdin=subprocess.PIPE)
        process.stdout.close()
        process.stdin.write(b"Once upon a time\n" * 20)
        process.stdin.close()
        self.assertEqual((process.stderr.read(), process.wait(60)), (b"", 0))


class Templates(Models):
    def form(self, model):
        return json.loads(self.ok("inspect", model, "--quick", "--json").out)["chat_form"]

    def test_templates_are_run(self):
        for name, template in (("ChatML", CHATML), ("Llama 2", LLAMA2), ("Gemma", GEMMA)):
            with self.subTest(name):
                model = self.with_template(template)
                self.assertEqual(self.form(model), f"template ({name})")
                self.ok("chat", model, "-n", "5", stdin="Hello\n")
        self.ok("chat", self.with_template(b"{{ messages | tojson }}"), "-n", "5", "--system", "Be brief.", stdin="Hello\n")

    def test_a_template_may_refuse(self):
        model = self.with_template(b"{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}Hi")
        self.ok("chat", model, "-n", "2", stdin="Hello\n")
        self.refused(1, "the chat template says: no system role", "chat", model, "--system", "x", stdin="Hello\n")

    def test_bad_templates(self):
        for template, part in ((b"{% include 'x' %}", "line 1: the tag 'include' is not supported"),
                               (b"a\n{{ messages[0 }}", "line 2: "), (b"{{ 'x", "a string is not closed")):
            model = self.with_template(template)
            self.refused(1, ["templated.gguf", part], "chat", model, stdin="Hello\n")
            self.assertIn("none: chat template: ", self.form(model))
            self.ok("run", model, "-p", "x", "-n", "1")
        model = self.with_template(b"{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}")
        self.refused(1, "step limit", "chat", model, stdin="Hello\n")

    def test_built_in_forms(self):
        model = self.with_template(b"{{ broken")
        for form in ("plain", "llama2", "llama3", "chatml", "zephyr"):
            self.ok("chat", model, "--form", form, "-n", "5", "--system", "Be brief.", stdin="Hello\n")
        self.refused(2, "--form", "chat", model, "--form", "vicuna", stdin="Hello\n")

    def test_json_and_tools(self):
        # An answer whose beginning the prompt does not open: the words are what the model makes of them.
        model = self.with_template(b"{{ messages[-1].content }}{{ tools | tojson if tools }}")
        answer = json.loads(self.ok("chat", model, "--json", "-n", "5", "--seed", "1", stdin="Once upon a time\n").out)
        self.assertEqual(list(answer), ["text", "end"])
        self.assertEqual(answer["end"], "length")
        tools = self.folder / "tools.json"
        tools.write_text('[{"type": "function", "function": {"name": "now"}}]')
        self.ok("chat", model, "--tools", tools, "--think", "off", "-n", "2", stdin="Hello\n")
        tools.write_text('{"name": 1}')
        self.refused(1, ["tools.json", "a list of tools"], "chat", model, "--tools", tools, stdin="Hello\n")
        self.refused(1, "no chat template", "chat", self.model, "--tools", tools, stdin="Hello\n")
        self.refused(2, "--think", "chat", model, "--think", "maybe", stdin="Hello\n")

    def test_thoughts_are_kept_apart(self):
        # The prompt opens <think>: all that this model writes are thoughts, which a pipe does not show.
        model = self.with_template(b"{{ messages[-1].content }}<think>\n")
        self.assertEqual(self.ok("chat", model, "-n", "8", "--seed", "1", stdin="Once upon a time\n").out, b"")
        answer = json.loads(self.ok("chat", model, "--json", "-n", "8", "--seed", "1", stdin="Once upon a time\n").out)
        self.assertEqual(answer["text"], "")
        self.assertTrue(answer["thinking"])


if __name__ == "__main__":
    main()
