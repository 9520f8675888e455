"""What the command refuses: each refusal is one line on standard error with the right exit code, and nothing else."""
import json
import os
import shutil
import socket

from model_files import make_model, read_gguf
from support import PROMPT, StoriesTest, clean_environment, main

INPUT, USAGE = 1, 2


class Models(StoriesTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hf = cls.make_hf()


class Usage(Models):
    def test_no_command(self):
        self.refused(USAGE, ["a command is missing", "run, chat, complete, quantize", "see smelt --help"])
        self.refused(USAGE, ["one of perplexity, kl"], "eval")

    def test_unknown_words_and_the_nearest(self):
        self.refused(USAGE, ["unknown command 'qantize'; did you mean quantize?"], "qantize")
        self.refused(USAGE, ["unknown command 'perplexty'; did you mean perplexity?"], "eval", "perplexty")
        self.refused(USAGE, ["unknown option '--promt'; did you mean --prompt?"], "run", self.model, "--promt", "x")
        self.refused(USAGE, ["unknown option '--xyzzy'; see smelt run --help"], "run", self.model, "--xyzzy=3")
        self.refused(USAGE, ["unknown option '-q'"], "run", self.model, "-q")
        self.refused(USAGE, ["unknown option '--xyzzy'"], "run", "--xyzzy")
        self.refused(USAGE, ["unexpected argument 'text'"], "run", self.model, "text")

    def test_missing_and_contradicting(self):
        self.refused(USAGE, "MODEL is required", "run")
        self.refused(USAGE, "OUTPUT is required", "quantize", self.model)
        self.refused(USAGE, "OUTPUT is required", "convert", self.model)
        self.refused(USAGE, "--text is required", "eval", "perplexity", self.model)
        self.refused(USAGE, "--against is required", "eval", "kl", self.model, "--text", "x")
        self.refused(USAGE, ["--temp", "value is missing"], "run", self.model, "--temp")
        self.refused(USAGE, "excludes", "run", self.model, "-p", "a", "-f", "b")

    def test_numbers_that_are_none(self):
        for word in ("1e99", "0x", "0x10", "4k", "NaN", "inf", "", " 1", "1 ", "1.5", "--", "-", "\u0661"):
            for option in ("-n", "-c", "-t", "--top-k", "--seed"):
                with self.subTest(option=option, word=word):
                    self.refused(USAGE, "is not a whole number", "run", self.model, "-p", "x", option, word)
        for word in ("0x", "4k", "NaN", "inf", "-inf", "", " 1", "1,5", "--"):
            with self.subTest(word=word):
                self.refused(USAGE, "--temp: '" + word + "' is not a number", "run", self.model, "-p", "x", "--temp", word)
        self.refused(USAGE, "--temp: '' is not a number", "run", self.model, "--temp=", "-p", "x")

    def test_numbers_out_of_range(self):
        cases = [("-n", "-2"), ("-n", str(2**64)), ("-c", "0"), ("-c", "-1"), ("-t", "0"), ("-t", "100000"), ("-t", "-1"),
                 ("--top-k", "-1"), ("--top-k", str(2**31)), ("--seed", "-1"), ("--temp", "-1"), ("--temp", "1e99"),
                 ("--top-p", "0"), ("--top-p", "1.1"), ("--min-p", "-0.1"), ("--min-p", "2"), ("--typical", "0"),
                 ("--repeat-penalty", "0"), ("--repeat-penalty", "-1"), ("--presence", "1e99"), ("--frequency", "-1e99")]
        for option, word in cases:
            with self.subTest(option=option, word=word):
                self.refused(USAGE, f"{word} is out of range, allowed ", "run", self.model, "-p", "x", option, word)
        for option, word in (("--windows", "0"), ("--first-scored", "-1"), ("-c", "1")):
            self.refused(USAGE, "out of range", "eval", "perplexity", self.model, "--text", "x", option, word)

    def test_contexts_that_no_machine_holds(self):
        for size in ("1000000000", str(2**40), str(2**62)):
            result = self.smelt("run", self.model, "-p", "x", "-n", "1", "-c", size)
            self.assertIn(result.code, (INPUT, USAGE), result)
            self.assert_one_line(result.err, "context")

    def test_types(self):
        self.refused(USAGE, ["--type: unknown type 'Q4_K_N' (did you mean Q4_K_M?)", "Q8_0", "see smelt quantize"],
                     "quantize", self.model, "o.gguf", "--type", "Q4_K_N")
        self.refused(USAGE, "unknown type 'zzz'; one of F32", "quantize", self.model, "o.gguf", "--type", "zzz")
        self.refused(USAGE, "unknown type 'f61' (did you mean f16?); one of f16, q8, f32", "run", self.model, "--kv-type", "f61")
        self.refused(USAGE, "unknown type 'Q4_K_M'", "convert", self.model, "o.gguf", "--type", "Q4_K_M")
        self.refused(USAGE, "a Hugging Face folder holds f32, f16 or bf16", "convert", self.model, "o", "--type", "q8_0")
        self.refused(USAGE, "name a GGUF file", "convert", self.model, "o.bin")
        self.refused(USAGE, "not a regular expression", "quantize", self.model, "o.gguf", "--override", "(=Q8_0")
        self.refused(USAGE, "write it as regex=type", "quantize", self.model, "o.gguf", "--override", "Q8_0")
        self.refused(USAGE, "unknown type 'Q9_0'", "quantize", self.model, "o.gguf", "--override", "a=Q9_0")
        self.refused(USAGE, "unknown shell 'tcsh'; one of bash, zsh, fish", "completions", "tcsh")
        self.assertEqual(self.names(), [])

    def test_token_ids(self):
        self.refused(INPUT, "token id 512 is outside the vocabulary, 0 … 511", "detokenize", self.model, "1", "512")
        self.refused(INPUT, "token id -1 is outside the vocabulary", "detokenize", self.model, "-1")
        self.refused(USAGE, "'0x10' is not a token id", "detokenize", self.model, "0x10")
        self.refused(USAGE, "is not a token id", "detokenize", self.model, str(2**70))

    def test_empty_stop_text(self):
        self.refused(USAGE, "--stop: the text is empty", "run", self.model, "-p", "x", "--stop", "")
        self.refused(USAGE, "--stop: the text is empty", "run", self.model, "--stop=", "-p", "x")

    def test_long_arguments(self):
        long = "a" * 131000  # the most that Linux takes in one
        self.refused(USAGE, "unexpected argument 'aaa", "run", self.model, long)
        self.refused(USAGE, "unknown option '--aaa", "run", self.model, "--" + long)
        self.refused(USAGE, "unknown type 'aaa", "quantize", self.model, "o.gguf", "--type", long)
        self.refused(INPUT, "File name too long", "run", long)
        self.refused(INPUT, "too long", "run", self.model, "-p", "x", "--prompt-cache", long)
        self.refused(INPUT, "too long", "quantize", self.model, long)
        self.refused(INPUT, "too long", "convert", self.model, long)
        self.refused(INPUT, "too long", "eval", "save-reference", self.model, long, "--text", __file__)
        self.refused(INPUT, "too long", "eval", "kl", self.model, "--against", long, "--text", __file__)
        self.assertEqual(self.ok("tokenize", self.model, "-p", long).text.count(" ") + 1,
                         len(self.ok("tokenize", self.model, stdin=long).text.split()))
        self.ok("detokenize", self.model, *["403"] * 100000)  # about 1 MB with what the system adds


class Files(Models):
    def test_missing_model(self):
        for words in (("run",), ("chat",), ("inspect",), ("tokenize",), ("detokenize", "1"), ("quantize", "o.gguf"),
                      ("quantize", "--dry-run"), ("convert", "o.gguf"), ("convert", "o")):
            with self.subTest(words):
                self.refused(INPUT, "missing.gguf: cannot open: No such file", words[0], "missing.gguf", *words[1:])
        self.refused(INPUT, "missing.gguf", "eval", "perplexity", "missing.gguf", "--text", __file__)
        self.refused(INPUT, "missing.gguf", "eval", "kl", self.model, "--against", "missing.gguf", "--text", __file__)
        self.refused(INPUT, "missing.txt", "eval", "perplexity", self.model, "--text", "missing.txt")
        self.refused(INPUT, "missing.txt", "run", self.model, "-f", "missing.txt")
        self.assertEqual(self.names(), [])

    def test_what_is_no_file(self):
        os.mkfifo(self.folder / "pipe")
        (self.folder / "dangling.gguf").symlink_to("nowhere.gguf")
        (self.folder / "loop.gguf").symlink_to("loop.gguf")
        (self.folder / "folder.gguf").mkdir()
        with socket.socket(socket.AF_UNIX) as listener:
            os.chdir(self.folder)
            listener.bind("socket")
        os.chdir("/")
        cases = {"pipe": "named pipe", "/dev/zero": "device", "/dev/null": "device", "dangling.gguf": "'nowhere.gguf', which",
                 "loop.gguf": "symbolic links", "folder.gguf": "config.json is missing", ".": "config.json is missing",
                 "socket": "socket: ", "": "smelt: "}
        for path, why in cases.items():
            for command in ("run", "inspect", "tokenize"):
                with self.subTest(path=path, command=command):
                    self.refused(INPUT, why, command, path)
            with self.subTest(path=path, command="quantize"):
                self.refused(INPUT, why, "quantize", path, "o.gguf")
        for path in ("pipe", "/dev/zero", "dangling.gguf"):
            self.refused(INPUT, path, "run", self.model, "-f", path)
            self.refused(INPUT, path, "eval", "perplexity", self.model, "--text", path)
        self.assertEqual(self.names(), ["dangling.gguf", "folder.gguf", "loop.gguf", "pipe", "socket"])

    def test_what_is_no_model(self):
        cases = {"empty.gguf": b"", "magic.gguf": b"GGUF", "text.gguf": b"hello\n" * 100, "page.html": b"<!DOCTYPE html><html>",
                 "pointer.gguf": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
                 "cut.gguf": self.model.read_bytes()[:100000], "model.zip": b"PK\x03\x04" + bytes(60),
                 "small.bin": bytes(27)}
        for name, data in cases.items():
            (self.folder / name).write_bytes(data)
            for words in (("run", name), ("inspect", name), ("quantize", name, "o.gguf")):
                with self.subTest(words):
                    self.refused(INPUT, name, *words)
        self.refused(INPUT, "git lfs pull", "run", "pointer.gguf")
        self.refused(INPUT, "truncated", "run", "cut.gguf")

    def test_pickles_are_refused_with_advice(self):
        folder = self.folder / "old"
        shutil.copytree(self.hf, folder)
        (folder / "model.safetensors").unlink()
        (folder / "pytorch_model.bin").write_bytes(b"PK\x03\x04" + bytes(200))
        for words in (("run", folder), ("quantize", folder, "o.gguf"), ("run", folder / "pytorch_model.bin")):
            self.refused(INPUT, ["pytorch_model.bin", "safetensors"], *words)

    def test_folders_that_lack_something(self):
        for name in ("config.json", "model.safetensors", "tokenizer.json"):
            with self.subTest(name):
                folder = self.folder / name.replace(".", "-")
                shutil.copytree(self.hf, folder)
                (folder / name).unlink()
                self.refused(INPUT, "tokenizer" if name == "tokenizer.json" else name.split(".")[-1], "run", folder, "-p", "x")

    def test_configurations(self):
        for field, value, why in (("num_attention_heads", 0, "num_attention_heads"), ("vocab_size", 99, "99"),
                                  ("num_hidden_layers", 4, "is 4, but the tensors are those of 5"),
                                  ("num_hidden_layers", 6, "is 6, but the tensors are those of 5"),
                                  ("architectures", ["GptNeoForCausalLM"], "GptNeoForCausalLM"),
                                  ("rope_scaling", {"rope_type": "spiral", "factor": 2}, "spiral"),
                                  ("quantization_config", {"quant_method": "gptq"}, "quantization_config")):
            with self.subTest(field=field, value=value):
                folder = self.folder / "m"
                shutil.copytree(self.hf, folder, dirs_exist_ok=True)
                config = json.loads((folder / "config.json").read_text())
                config[field] = value
                (folder / "config.json").write_text(json.dumps(config))
                self.refused(INPUT, why, "run", folder, "-p", "x")

    def test_outputs_where_none_can_be(self):
        os.mkfifo(self.folder / "pipe")
        (self.folder / "dangling").symlink_to("no/where")
        (self.folder / "is-folder").mkdir()
        for out, why in (("no/o.gguf", "the folder 'no' does not exist"), ("pipe", "not a regular file"),
                         ("/dev/full", "not a regular file"), ("dangling", "is a link to a file that does not exist"),
                         ("is-folder", "not a regular file"), ("/proc/o.gguf", "cannot create")):
            for force in ((), ("--force",)):
                with self.subTest(out=out, force=force):
                    self.refused(INPUT, why, "quantize", self.model, out, *force)
        for out, why in (("no/o", "the folder 'no' does not exist"), ("pipe", "exists and is not a folder"),
                         ("/proc/o", "cannot create")):
            with self.subTest(out=out):
                self.refused(INPUT, why, "convert", self.model, out)
        self.assertEqual(self.names(), ["dangling", "is-folder", "pipe"])

    def test_odd_paths(self):
        for name in (b"line\nbreak.gguf", b"not utf-8 \xff\xfe.gguf", b"\x1b[31mred.gguf", "ümläut 猫.gguf".encode(),
                     b"%s%n.gguf", b"-dash.gguf", b"back\\slash 'quote'.gguf"):
            with self.subTest(name):
                path = os.path.join(os.fsencode(self.folder), name)
                self.refused(INPUT, "No such file", "run", path)
                self.ok("quantize", self.model, path)
                self.ok("run", path, "-p", "x", "-n", "1")
                self.refused(INPUT, "exists already", "quantize", self.model, path)
                self.assertEqual(json.loads(self.ok("inspect", path, "--json").out)["parameters"], 260032)
                os.unlink(path)

    def test_texts_and_models_of_eval(self):
        other = make_model(self.folder / "other.gguf", self.model)
        keys, tensors = read_gguf(other)
        self.assertEqual(len(keys["tokenizer.ggml.tokens"][1][1]), 512)
        self.ok("eval", "kl", other, "--against", self.model, "--text", __file__, "--windows", "1", "-c", "64")
        self.refused(INPUT, ["tokens", "window"], "eval", "perplexity", self.model, "--text", "-", stdin="too short")


class Surroundings(Models):
    def test_odd_locales_and_no_home(self):
        wanted = self.ok("run", self.model, "-p", PROMPT, "-n", "30", "--temp", "0.5", "--seed", "3").out
        for changes in ({"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"}, {"LC_ALL": "nonsense"}, {"LC_ALL": "C"},
                        {"HOME": None}, {"HOME": "/nowhere", "TZ": "Mars/Olympus"}, {"TERM": None}, {"TMPDIR": "/nowhere"}):
            with self.subTest(changes):
                env = clean_environment(**changes)
                self.assertEqual(self.ok("run", self.model, "-p", PROMPT, "-n", "30", "--temp", "0.5", "--seed", "3",
                                         env=env).out, wanted)
                self.ok("quantize", self.model, "o.gguf", "--force", env=env)

    def test_instruction_sets_by_environment(self):
        plain = self.ok("run", self.model, "-p", PROMPT, "-n", "30", "--temp", "0").out
        slow = self.ok("run", self.model, "-p", PROMPT, "-n", "30", "--temp", "0", env=clean_environment(SMELT_ISA="reference"))
        self.assertEqual(slow.out, plain)
        warned = self.ok("run", self.model, "-p", "x", "-n", "1", env=clean_environment(SMELT_ISA="nonsense"))
        self.assertIn(b"smelt: warning: ", warned.err)
        self.assertIn(b"nonsense", warned.err)


if __name__ == "__main__":
    main()
