"""smelt complete: the gap of two texts or of a file, where it ends, what it refuses. The tokens of infill are three that a
model of the fixtures hardly needs, named in its keys."""
import json

from model_files import U32, read_gguf, write_gguf
from support import StoriesTest, main

MARKS = {"tokenizer.ggml.fim_pre_token_id": 509, "tokenizer.ggml.fim_suf_token_id": 510, "tokenizer.ggml.fim_mid_token_id": 511}


class Complete(StoriesTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        keys, tensors = read_gguf(cls.model)
        cls.coder = cls.shared / "coder.gguf"
        write_gguf(cls.coder, {**keys, **{name: (U32, value) for name, value in MARKS.items()}}, tensors)

    def complete(self, *words):
        return json.loads(self.ok("complete", self.coder, *words, "-n", "12", "--temp", "0", "--json").out)

    def test_texts(self):
        result = self.complete("--prefix", "Once upon", "--suffix", "there was")
        self.assertEqual((result["prefix"], result["suffix"], result["text_tokens"]), ("Once upon", "there was", 12))
        self.assertTrue(result["text"])
        self.assertEqual(self.ok("complete", self.coder, "--prefix", "Once upon", "--suffix", "there was", "-n", "12", "--temp", "0").text,
                         result["text"] + "\n")

    def test_a_place_in_a_file(self):
        path = self.folder / "a.txt"
        path.write_text("one\nzwölf two\n", encoding="utf-8")
        for place, prefix in (("1:1", ""), ("1:4", "one"), ("2:1", "one\n"), ("2:4", "one\nzwö"), ("2:10", "one\nzwölf two"), ("3:1", "one\nzwölf two\n")):
            result = self.complete("--file", path, "--at", place)
            self.assertEqual(result["prefix"], prefix)
            self.assertEqual(result["prefix"] + result["suffix"], path.read_text(encoding="utf-8"))
        for place, needle in (("4:1", "line 4 is asked for, the file has 3"), ("1:5", "column 5 is asked for, line 1 has 4")):
            self.refused(1, ["a.txt", "--at", needle], "complete", self.coder, "--file", path, "--at", place)
        for place in ("1", "0:1", "1:0", "1:1x", "x:1", ":", "99999999999999999999:1"):
            self.refused(2, ["--at", "must be a line and a column"], "complete", self.coder, "--file", path, "--at", place)

    def test_refusals(self):
        self.refused(1, ["stories.gguf", "no fill-in-the-middle tokens"], "complete", self.model, "--prefix", "a")
        self.refused(2, "either --prefix and --suffix, or --file", "complete", self.coder)
        self.refused(2, "either --prefix and --suffix, or --file", "complete", self.coder, "--prefix", "a", "--file", "b", "--at", "1:1")
        self.refused(2, "--at needs --file", "complete", self.coder, "--prefix", "a", "--at", "1:1")
        self.refused(2, "--file needs --at", "complete", self.coder, "--file", "b")
        self.refused(2, "--stop-at", "complete", self.coder, "--prefix", "a", "--stop-at", "page")

    def test_stops(self):
        whole = self.complete("--prefix", "Once upon", "--suffix", "there was")
        for rule in ("line", "block"):
            result = self.complete("--prefix", "Once upon", "--suffix", "there was", "--stop-at", rule)
            self.assertTrue(whole["text"].startswith(result["text"]))
            self.assertEqual(result["finish_reason"] == "stop", result["text"] != whole["text"])

    def test_keys_survive_conversion(self):
        again = self.folder / "again.gguf"
        self.ok("convert", self.coder, again, "--type", "f16")
        keys, _ = read_gguf(again)
        for name, value in MARKS.items():
            self.assertEqual(keys[name][1], value)


if __name__ == "__main__":
    main()
