"""smelt make-random: models of random weights load, are the same for one seed, and replace nothing unasked."""
import json

from support import CliTest, main


class MakeRandom(CliTest):
    def test_it_loads_and_runs(self):
        text = self.ok("make-random", "--shape", "tiny-llama", "--type", "Q4_0", "r.gguf").text
        self.assertRegex(text, r"\Ar\.gguf: 1\.26 M parameters at random, .* bits per weight, .*\n\Z")
        self.assertEqual(self.names(), ["r.gguf"])
        shown = json.loads(self.ok("inspect", "r.gguf", "--json").out)
        self.assertTrue(shown["sound"] and shown["values_checked"])
        self.assertEqual((shown["config"]["d_model"], shown["config"]["n_vocab"]), (256, 320))
        self.assertEqual(set(shown["types"]), {"F32", "Q4_0", "Q6_K"}, "the tied head has 6 bits")
        done = json.loads(self.ok("run", "r.gguf", "-p", "hello a", "-n", "5", "--ignore-end", "--json").out)
        self.assertEqual(len(done["ids"]), 5)
        self.assertEqual(json.loads(self.ok("tokenize", "r.gguf", "-p", "hi a", "--json").out)["count"], 3)

    def test_seeds_and_threads(self):
        for name, *more in (("a", "-t", "1"), ("b", "-t", "2"), ("c", "--seed", "2")):
            self.ok("make-random", "--shape", "TINY-llama", "--type", "q8_0", name, *more)
        files = [(self.folder / name).read_bytes() for name in "abc"]
        self.assertEqual(files[0], files[1])
        self.assertNotEqual(files[0], files[2])

    def test_refusals(self):
        self.refused(2, "did you mean tiny-llama", "make-random", "--shape", "tiny-lama", "r.gguf")
        self.refused(2, "--shape", "make-random", "r.gguf")
        self.refused(2, "unknown", "make-random", "--shape", "tiny-llama", "--type", "Q9", "r.gguf")
        (self.folder / "there").write_text("kept")
        self.refused(1, "there", "make-random", "--shape", "tiny-llama", "there")
        self.assertEqual((self.folder / "there").read_text(), "kept")
        self.ok("make-random", "--shape", "tiny-llama", "there", "--force")
        self.assertEqual(self.names(), ["there"])


if __name__ == "__main__":
    main()
