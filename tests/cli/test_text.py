"""smelt run, convert, tokenize and detokenize on the stories model: the published text, round trips, seeds, stops, prompt
caches, end tokens."""
import json
import os
import shutil
import struct

from model_files import ARRAY, BOOL, F32, F64, I16, I64, STRING, U32, U64, U8, make_model, read_gguf, write_gguf
from support import PROMPT, STORIES, StoriesTest, main, published_text

GREEDY = ("--temp", "0", "--kv-type", "f32")


class Models(StoriesTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hf = cls.make_hf()

    def run_json(self, *words, **more):
        return json.loads(self.ok("run", *words, "--json", **more).out)


class PublishedText(Models):
    # llama2.c writes 256 tokens, 4 of them the prompt; the begin token is not counted.
    def check(self, model):
        wanted = published_text()
        for words in (GREEDY, ("--temp", "0")):
            result = self.ok("run", model, "-p", PROMPT, "-n", "252", *words)
            self.assertEqual(result.text, wanted + "\n")

    def test_from_llama2c(self):
        self.check(STORIES)

    def test_from_gguf(self):
        self.check(self.model)

    def test_from_hugging_face_folder(self):
        self.check(self.hf)

    def test_any_thread_count(self):
        for threads in ("1", "2", "5"):
            text = self.ok("run", self.model, "-p", PROMPT, "-n", "252", "-t", threads, *GREEDY).text
            self.assertEqual(text, published_text() + "\n", f"{threads} threads")


class Speculation(Models):
    def test_lookup_writes_the_same_text(self):
        repeated = "Lily and Tom went to the park. Lily and Tom went to the park. Lily and"
        for words in (GREEDY, ("--temp", "0"), ("--seed", "3"), ("--temp", "0", "--stop", "park")):
            plain = self.run_json(self.model, "-p", repeated, "-n", "80", *words)
            guessed = self.run_json(self.model, "-p", repeated, "-n", "80", "--lookup", "--draft-max", "5", *words)
            self.assertEqual((guessed["text"], guessed["ids"], guessed["finish_reason"]),
                             (plain["text"], plain["ids"], plain["finish_reason"]))
            figures = guessed["speculation"]
            self.assertNotIn("speculation", plain)
            self.assertLessEqual(figures["accepted"], figures["drafted"])
            self.assertGreater(figures["passes"], 0)

    def test_a_quantized_copy_guesses(self):
        small = self.folder / "small.gguf"
        self.ok("quantize", self.model, small, "--type", "Q8_0")
        plain = self.run_json(self.model, "-p", PROMPT, "-n", "200", *GREEDY)
        guessed = self.run_json(self.model, "-p", PROMPT, "-n", "200", "--draft", small, *GREEDY)
        self.assertEqual(guessed["ids"], plain["ids"])
        self.assertGreaterEqual(guessed["speculation"]["drafted"], guessed["speculation"]["accepted"])
        self.assert_refused(self.smelt("run", self.model, "-p", "x", "--draft", small, "--lookup"), 2, "--lookup")
        self.assert_refused(self.smelt("run", self.model, "-p", "x", "--draft", "/nonexistent"), 1, "/nonexistent")

    def test_the_figures_line_tells_of_it(self):
        error = self.ok("run", self.model, "-p", "a a a a a a", "-n", "20", "--lookup").err
        self.assertRegex(error.decode(), r"; guessed \d+ tokens, \d+ % right, \d+ passes")

    def test_prompt_cache(self):
        cache = self.folder / "lookup.cache"
        plain = self.run_json(self.model, "-p", PROMPT, "-n", "40", *GREEDY)
        for computed in (None, 1):
            again = self.run_json(self.model, "-p", PROMPT, "-n", "40", "--lookup", "--prompt-cache", cache, *GREEDY)
            self.assertEqual(again["ids"], plain["ids"])
            self.assertEqual(again["prompt_tokens_computed"], computed or plain["prompt_tokens"])


class RoundTrips(Models):
    def assert_same_model(self, a, b):
        keys_a, tensors_a = read_gguf(a)
        keys_b, tensors_b = read_gguf(b)
        self.assertEqual(keys_a, keys_b)
        self.assertEqual({t.name: t for t in tensors_a}, {t.name: t for t in tensors_b})

    def test_gguf_to_folder_to_gguf(self):
        back = self.folder / "back.gguf"
        self.ok("convert", self.hf, back, "--type", "f32")
        self.assert_same_model(self.model, back)

    def test_every_kind_of_metadata(self):
        keys, tensors = read_gguf(self.model)
        keys.update({
            "general.license": (STRING, b"mit"), "general.license.link": (STRING, "https://example.org/ü".encode()),
            "general.author": (STRING, b'a "quoted" name\nand a line'), "x.u8": (U8, 255), "x.i16": (I16, -32768),
            "x.u64": (U64, 2**64 - 1), "x.i64": (I64, -2**63), "x.f64": (F64, 0.1), "x.f32": (F32, 0.5),
            "x.yes": (BOOL, True), "x.floats": (ARRAY, (F32, [1.0, -0.0, 1e30])), "x.none": (ARRAY, (U32, [])),
            "x.words": (ARRAY, (STRING, [b"", b"a", "\u2581b".encode()])), "x.flags": (ARRAY, (BOOL, [True, False]))})
        rich, folder, back = (self.folder / n for n in ("rich.gguf", "rich", "back.gguf"))
        write_gguf(rich, keys, tensors)
        self.ok("convert", rich, folder, "--type", "f32")
        self.ok("convert", folder, back, "--type", "f32")
        self.assert_same_model(rich, back)

    def test_what_was_added_to_a_folder_travels(self):
        folder, gguf, back = (self.folder / n for n in ("in", "m.gguf", "out"))
        shutil.copytree(self.hf, folder)
        (folder / "LICENSE").write_text("Permission is granted, ünder these terms.\n")
        (folder / "README.md").write_text("---\nlicense: mit\n---\n# A card\n")
        self.ok("convert", folder, gguf, "--type", "f32")
        self.ok("convert", gguf, back, "--type", "f32")
        self.assertEqual((back / "LICENSE").read_bytes(), (folder / "LICENSE").read_bytes())
        self.assertEqual(read_gguf(gguf)[0]["general.license"], (STRING, b"mit"), "of the card's head")

    def test_sixteen_bits_keep_what_they_hold(self):
        for kind in ("f16", "bf16"):
            gguf, folder, back = (self.folder / n for n in (f"{kind}.gguf", kind, f"{kind}-2.gguf"))
            self.ok("convert", self.model, gguf, "--type", kind)
            self.ok("convert", gguf, folder, "--type", kind)
            self.ok("convert", folder, back, "--type", kind)
            self.assert_same_model(gguf, back)


class Options(Models):
    def test_prompt_from_option_file_and_standard_input(self):
        (self.folder / "prompt.txt").write_text(PROMPT + "\n")
        by_option = self.ok("run", self.model, "-p", PROMPT, "-n", "20", *GREEDY).out
        self.assertEqual(self.ok("run", self.model, "-f", "prompt.txt", "-n", "20", *GREEDY).out, by_option)
        self.assertEqual(self.ok("run", self.model, "-n", "20", *GREEDY, stdin=PROMPT).out, by_option)
        self.assertEqual(self.ok("run", self.model, "-n", "20", *GREEDY, stdin=PROMPT + "\n").out, by_option)
        with_two = self.ok("run", self.model, "-n", "20", *GREEDY, stdin=PROMPT + "\n\n").text
        self.assertTrue(with_two.startswith(PROMPT + "\n"), "only one newline is taken off")

    def test_prompt_from_a_pipe_by_name(self):
        wanted = self.ok("run", self.model, "-p", PROMPT, "-n", "20", *GREEDY).out
        self.assertEqual(self.ok("run", self.model, "-f", "/dev/stdin", "-n", "20", *GREEDY, stdin=PROMPT).out, wanted)
        read, write = os.pipe()
        os.write(write, PROMPT.encode())
        os.close(write)
        words = ("run", self.model, "-f", f"/dev/fd/{read}", "-n", "20", *GREEDY)
        self.assertEqual(self.ok(*words, pass_fds=(read,)).out, wanted)
        os.close(read)

    def test_an_option_may_begin_with_a_dash(self):
        self.assertTrue(self.ok("run", self.model, "-p", "--help", "-n", "1").text.startswith("--help"))
        self.assertTrue(self.ok("run", self.model, "--prompt=-5 is", "-n", "1").text.startswith("-5 is"))

    def test_seeds_reproduce(self):
        texts = {seed: self.ok("run", self.model, "-p", PROMPT, "-n", "40", "--seed", seed).text for seed in "123"}
        self.assertEqual(len(set(texts.values())), 3, "different seeds give different texts")
        for seed, text in texts.items():
            self.assertEqual(self.ok("run", self.model, "-p", PROMPT, "-n", "40", "--seed", seed, "-t", "1").text, text)

    def test_a_seed_by_chance_is_told_and_reproduces(self):
        first = self.run_json(self.model, "-p", PROMPT, "-n", "40", "--temp", "1")
        again = self.run_json(self.model, "-p", PROMPT, "-n", "40", "--temp", "1", "--seed", str(first["seed"]))
        self.assertEqual(first["text"], again["text"])
        other = self.run_json(self.model, "-p", PROMPT, "-n", "40", "--temp", "1")
        self.assertNotEqual(first["seed"], other["seed"])

    def test_every_sampling_option_is_taken(self):
        plain = ("run", self.model, "-p", PROMPT, "-n", "60", "--seed", "5", "--no-echo")
        base = self.ok(*plain, "--temp", "1.5", "--top-k", "0", "--top-p", "1", "--min-p", "0").text
        for words in (("--top-k", "1"), ("--top-p", "0.1"), ("--min-p", "0.9"), ("--typical", "0.2"),
                      ("--repeat-penalty", "3"), ("--presence", "5"), ("--frequency", "5"), ("--temp", "0.2")):
            options = {"--temp": "1.5", "--top-k": "0", "--top-p": "1", "--min-p": "0", words[0]: words[1]}
            changed = self.ok(*plain, *[w for pair in options.items() for w in pair]).text
            self.assertNotEqual(changed, base, f"{words} changed nothing")

    def test_stop_text_over_token_boundaries(self):
        whole = self.run_json(self.model, "-p", PROMPT, "-n", "100", *GREEDY)["text"]
        for stop in ("little girl named Lily", "y. She lo", "ved to pl", "."):
            result = self.run_json(self.model, "-p", PROMPT, "-n", "100", *GREEDY, "--stop", stop)
            self.assertEqual((result["text"], result["finish_reason"]), (whole.split(stop)[0], "stop_string"))
        result = self.run_json(self.model, "-p", PROMPT, "-n", "100", *GREEDY, "--stop", "never said")
        self.assertEqual((result["text"], result["finish_reason"]), (whole, "length"))

    def test_several_stops_the_first_counts(self):
        text = self.ok("run", self.model, "-p", PROMPT, *GREEDY, "--no-echo", "--stop", "park", "--stop", "loved").text
        self.assertEqual(text, ", there was a little girl named Lily. She \n")

    def test_json_keys(self):
        result = self.run_json(self.model, "-p", PROMPT, "-n", "10", "--seed", "7")
        self.assertEqual(list(result), [
            "prompt", "text", "ids", "finish_reason", "seed", "prompt_tokens", "prompt_tokens_computed", "prompt_seconds",
            "prompt_tokens_per_second", "text_tokens", "text_seconds", "text_tokens_per_second", "peak_memory_bytes"])
        self.assertEqual(result["prompt"], PROMPT)
        self.assertEqual((result["seed"], result["prompt_tokens"], result["text_tokens"]), (7, 5, 10))
        self.assertEqual(len(result["ids"]), 10)
        self.assertEqual(result["finish_reason"], "length")

    def test_a_full_context_stops_with_a_message(self):
        result = self.ok("run", self.model, "-p", PROMPT, "-n", "-1", "-c", "30", *GREEDY)
        self.assertIn(b"the context is full; -c makes it longer", result.err)
        self.assertTrue(published_text().startswith(result.text[:-1]))
        counted = self.run_json(self.model, "-p", PROMPT, "-n", "-1", "-c", "30", *GREEDY)
        self.assertEqual(counted["finish_reason"], "context_full")
        self.assertEqual(counted["prompt_tokens"] + counted["text_tokens"], 31, "the last one is not put into the context")

    def test_a_prompt_longer_than_the_context_is_refused(self):
        result = self.smelt("run", self.model, "-p", PROMPT * 20, "-c", "30", "--no-echo", "--json")
        self.assert_refused(result, 1, "tokens, the context 30", "-c")

    def test_no_tokens_wanted(self):
        self.assertEqual(self.ok("run", self.model, "-p", PROMPT, "-n", "0").text, PROMPT + "\n")
        self.assertEqual(self.ok("run", self.model, "-p", "", "-n", "0", "--no-echo").text, "\n")


class EndTokens(Models):
    """ids that end a text: of generation_config.json and of several keys; the greedy text tells which is honoured."""

    def folder_with(self, generation_config):
        folder = self.folder / "model"
        shutil.copytree(self.hf, folder)
        (folder / "generation_config.json").write_text(json.dumps(generation_config))
        return folder

    def setUp(self):
        super().setUp()
        self.whole = self.run_json(self.model, "-p", PROMPT, "-n", "100", *GREEDY)["ids"]

    def test_folder_without_a_record_of_a_gguf(self):
        end = self.whole[12]
        folder = self.folder_with({"eos_token_id": [2, end]})
        (folder / "smelt_metadata.json").unlink()
        (folder / "LICENSE").write_text("terms\n")
        gguf = self.folder / "model.gguf"
        self.ok("convert", folder, gguf, "--type", "f32")
        self.check_ends_at(gguf, self.whole.index(end))
        self.ok("convert", gguf, self.folder / "back", "--type", "f32")
        self.assertEqual((self.folder / "back/LICENSE").read_text(), "terms\n")
        self.check_ends_at(self.folder / "back", self.whole.index(end))

    def check_ends_at(self, model, index):
        result = self.run_json(model, "-p", PROMPT, "-n", "100", *GREEDY)
        self.assertEqual(result["finish_reason"], "end_token")
        self.assertEqual(result["ids"], self.whole[:index], "the end token is not part of the text")

    def test_generation_config_with_several(self):
        end = self.whole[12]
        index = self.whole.index(end)
        folder = self.folder_with({"eos_token_id": [2, end]})
        self.check_ends_at(folder, index)
        self.assertEqual(len(self.run_json(folder, "-p", PROMPT, "-n", "100", *GREEDY, "--ignore-end")["ids"]), 100)
        gguf = self.folder / "model.gguf"
        self.ok("convert", folder, gguf, "--type", "f32")
        self.check_ends_at(gguf, index)

    def test_generation_config_with_one(self):
        end = self.whole[20]
        self.check_ends_at(self.folder_with({"eos_token_id": end}), self.whole.index(end))

    def test_end_of_turn_of_a_gguf(self):
        end = self.whole[20]
        keys, tensors = read_gguf(self.model)
        keys["tokenizer.ggml.eot_token_id"] = (U32, end)
        model = self.folder / "eot.gguf"
        write_gguf(model, keys, tensors)
        self.check_ends_at(model, self.whole.index(end))


class PromptCache(Models):
    def test_second_run_computes_less(self):
        words = (self.model, "-p", published_text()[:400], "-n", "20", *GREEDY, "--prompt-cache", "cache")
        first, second = self.run_json(*words), self.run_json(*words)
        self.assertEqual(first["prompt_tokens"], first["prompt_tokens_computed"])
        self.assertLessEqual(second["prompt_tokens_computed"], 1)
        self.assertEqual(first["text"], second["text"])
        other = self.run_json(self.model, "-p", published_text()[:300] + " And then", "-n", "20", *GREEDY, "--prompt-cache",
                              "cache")
        self.assertLess(other["prompt_tokens_computed"], 20)
        plain = self.run_json(self.model, "-p", published_text()[:300] + " And then", "-n", "20", *GREEDY)
        self.assertEqual(other["text"], plain["text"], "the shared beginning is used, the rest is computed anew")
        self.assertEqual(self.names(), ["cache"])

    def test_refused_for_another_model(self):
        self.ok("run", self.model, "-p", PROMPT, "-n", "2", "--prompt-cache", "cache")
        other = make_model(self.folder / "other.gguf", self.model)
        before = (self.folder / "cache").read_bytes()
        self.refused(1, ["cache:", "another model"], "run", other, "-p", PROMPT, "-n", "2", "--prompt-cache", "cache")
        self.assertEqual((self.folder / "cache").read_bytes(), before)

    def test_refused_when_damaged(self):
        self.ok("run", self.model, "-p", PROMPT, "-n", "2", "--prompt-cache", "cache")
        whole = (self.folder / "cache").read_bytes()
        damaged = {"cut": whole[:-9], "longer": whole + b"x", "flipped": whole[:99] + bytes([whole[99] ^ 4]) + whole[100:],
                   "empty": b"", "text": b"not a cache\n" * 20, "version": whole[:8] + struct.pack("<I", 9) + whole[12:]}
        for name, data in damaged.items():
            with self.subTest(name):
                (self.folder / "bad").write_bytes(data)
                self.refused(1, "bad:", "run", self.model, "-p", PROMPT, "-n", "2", "--prompt-cache", "bad")

    def test_a_place_where_none_can_be_is_told_before_the_work(self):
        self.refused(1, ["no/cache", "cannot be written"], "run", self.model, "-p", PROMPT, "--prompt-cache", "no/cache")


class Tokens(Models):
    def test_ids_and_back(self):
        self.assertEqual(self.ok("tokenize", self.model, "-p", PROMPT).text, "403 407 261 378\n")
        self.assertEqual(self.ok("tokenize", self.model, "-p", PROMPT, "--special").text, "1 403 407 261 378\n")
        self.assertEqual(self.ok("detokenize", self.model, "403", "407", "261", "378").text, PROMPT + "\n")
        self.assertEqual(self.ok("detokenize", self.model, "1", "403", "--special").text, "<s> Once\n")
        self.assertEqual(self.ok("detokenize", self.model, stdin="403 407\n261 378\n").text, PROMPT + "\n")

    def test_special_tokens_only_when_asked(self):
        self.assertNotIn("2", self.ok("tokenize", self.model, "-p", "</s>").text.split())
        self.assertEqual(self.ok("tokenize", self.model, "-p", "</s>", "--parse-special").text, "2\n")

    def test_json(self):
        result = json.loads(self.ok("tokenize", self.model, "-p", PROMPT, "--json").out)
        self.assertEqual(result, {"count": 4, "ids": [403, 407, 261, 378], "pieces": [" Once", " upon", " a", " time"]})

    def test_all_models_have_the_same_ids(self):
        text = published_text() + "\nümläut 猫 \N{SNOWMAN} \t \x7f"
        wanted = self.ok("tokenize", STORIES, stdin=text).out
        for model in (self.model, self.hf):
            self.assertEqual(self.ok("tokenize", model, stdin=text).out, wanted)
        self.assertEqual(self.ok("detokenize", self.model, stdin=wanted).text, text + "\n")

    def test_nothing(self):
        self.assertEqual(self.ok("tokenize", self.model, stdin="").text, "\n")
        self.assertEqual(self.ok("detokenize", self.model, stdin="").text, "\n")


if __name__ == "__main__":
    main()
