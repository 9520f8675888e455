"""smelt eval: the figures that a person gets, by both ways of naming the reference."""
import json
import math

from model_files import read_gguf, write_gguf
from support import ROOT, STORIES, StoriesTest, main, published_text

PERPLEXITY_KEYS = ["perplexity", "standard_error", "mean_nll", "bits_per_byte", "tokens", "windows", "n_ctx",
                   "first_scored", "seconds"]


class Eval(StoriesTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.q8 = cls.shared / "q8.gguf"
        cls.q4 = cls.shared / "q4.gguf"
        cls.text = cls.shared / "text"
        cls.text.write_text(published_text() * 6 + (ROOT / "LICENSE").read_text()[:3000])
        cls.make("quantize", cls.model, cls.q8, "--type", "Q8_0")
        cls.make("quantize", cls.model, cls.q4, "--type", "Q4_0")

    def json(self, *words, **more):
        return json.loads(self.ok("eval", *words, "--json", **more).out)

    def test_perplexity(self):
        report = self.json("perplexity", self.model, "--text", self.text, "-c", "256")
        self.assertEqual(list(report), PERPLEXITY_KEYS)
        self.assertAlmostEqual(report["perplexity"], math.exp(report["mean_nll"]), places=6)
        self.assertEqual((report["n_ctx"], report["first_scored"]), (256, 128))
        self.assertEqual(report["tokens"], 127 * report["windows"])
        shown = self.ok("eval", "perplexity", self.model, "--text", self.text, "-c", "256").text
        self.assertIn(f"perplexity            {report['perplexity']:.4f} ± ", shown)

    def test_forms_of_a_model_agree(self):
        wanted = self.json("perplexity", self.model, "--text", self.text, "--windows", "3")
        self.ok("convert", self.model, "hf", "--type", "f32")
        for model in (STORIES, "hf"):
            self.assertAlmostEqual(self.json("perplexity", model, "--text", self.text, "--windows", "3")["mean_nll"],
                                   wanted["mean_nll"], places=4)

    def test_text_from_standard_input_and_threads(self):
        words = ("perplexity", self.model, "--windows", "3")
        wanted = self.json(*words, "--text", self.text)
        for more in (("--text", "-"), ("--text", "/dev/stdin", "-t", "1"), ("--text", "-", "-t", "3")):
            self.assertEqual(self.json(*words, *more, stdin=self.text.read_bytes())["mean_nll"], wanted["mean_nll"])

    def test_kl_to_itself_is_nothing(self):
        report = self.json("kl", self.model, "--against", self.model, "--text", self.text, "--windows", "3")
        self.assertLess(abs(report["mean_kl"]["value"]), 1e-6)
        self.assertEqual(report["top1_agreement"]["value"], 1)
        self.assertEqual(list(report["model"]), PERPLEXITY_KEYS)
        self.assertEqual(list(report), ["mean_kl", "kl_percentiles", "top1_agreement", "rms_delta_p", "delta_p_percentiles",
                                        "model", "reference", "log_perplexity_ratio", "tokens", "seconds"])

    def test_fewer_bits_are_farther_away(self):
        values = [self.json("kl", m, "--against", self.model, "--text", self.text)["mean_kl"]["value"] for m in (self.q8, self.q4)]
        self.assertGreater(values[0], 0)
        self.assertGreater(values[1], 10 * values[0])

    def test_a_stored_reference_gives_the_same_figures(self):
        self.ok("eval", "save-reference", self.model, "m.ref", "--text", self.text)
        stored = self.json("kl", self.q4, "--against", "m.ref", "--text", self.text)
        direct = self.json("kl", self.q4, "--against", self.model, "--text", self.text)
        self.assertAlmostEqual(stored["mean_kl"]["value"] / direct["mean_kl"]["value"], 1, delta=0.01)
        self.refused(1, "m.ref: exists already", "eval", "save-reference", self.model, "m.ref", "--text", self.text)
        (self.folder / "other").write_text(self.text.read_text() + "x" * 4000)
        self.refused(1, "m.ref", "eval", "kl", self.q4, "--against", "m.ref", "--text", "other")
        data = (self.folder / "m.ref").read_bytes()
        (self.folder / "cut.ref").write_bytes(data[:len(data) // 2])
        self.refused(1, "cut.ref", "eval", "kl", self.q4, "--against", "cut.ref", "--text", self.text)

    def test_vocabularies_must_be_equal(self):
        keys, tensors = read_gguf(self.model)
        _, texts = keys["tokenizer.ggml.tokens"][1]
        texts[500] = b"zzzz"
        write_gguf(self.folder / "other.gguf", keys, tensors)
        self.refused(1, "vocabular", "eval", "kl", "other.gguf", "--against", self.model, "--text", self.text)
        self.refused(2, ["--against", "required"], "eval", "kl", self.model, "--text", self.text)


if __name__ == "__main__":
    main()
