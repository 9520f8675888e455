"""smelt bench: keys that stay, what is left out, refusals, interruption. How fast it is is not tested."""
import json
import os
import signal

from support import StoriesTest, main

SPREAD = ("", "_min", "_max")


def spread(*names):
    return [name + suffix for name in names for suffix in SPREAD]


def measured(name):
    return [*spread(f"{name}.tokens_per_second"), f"{name}.bytes_per_token", f"{name}.ops_per_token",
            *spread(f"{name}.read_share", f"{name}.int8_share")]


COMMON = [*spread("load_seconds", "first_token_seconds"), "peak_rss_bytes", "weights_bytes", "kv_bytes_per_token",
          *spread("limits.int8_ops_per_second", "limits.bf16_ops_per_second", "limits.f32_ops_per_second",
                  "limits.read_bytes_per_second")]
SMALL = ("-p", "16", "-n", "4", "-d", "32", "-r", "1")


class Bench(StoriesTest):
    def json(self, *words):
        return json.loads(self.ok("bench", self.model, *words, "--json").out)

    def test_keys(self):
        shown = self.json(*SMALL, "-t", "1")
        keys = [k for name in ("pp16", "tg4", "tg4@32", "batch8") for k in measured(name)]
        self.assertEqual(list(shown), ["model", "isa", "kv_type", "repeats", "threads", "pinned", *keys, *COMMON])
        self.assertEqual((shown["threads"], shown["repeats"], shown["kv_type"]), (1, 1, "f16"))
        self.assertIs(shown.pop("pinned"), False)
        zero = {k for k, v in shown.items() if v == 0}
        self.assertLessEqual(zero, set(spread("limits.bf16_ops_per_second")), "bf16 is not everywhere")

    def test_pinned_threads(self):
        processors = len(os.sched_getaffinity(0))
        shown = self.json(*SMALL[:4], "-d", "0", "-r", "1", "-b", "0", "-t", "2", "--pin-threads")
        self.assertEqual(shown["pinned"], processors >= 2)
        shown = self.json(*SMALL[:4], "-d", "0", "-r", "1", "-b", "0", "-t", str(processors + 1), "--pin-threads")
        self.assertIs(shown["pinned"], False, "more threads than processors")

    def test_speculation(self):
        shown = self.json(*SMALL[:2], "-n", "40", "-d", "0", "-r", "1", "-b", "0", "--speculative")
        for name in ("spec80", "spec0"):
            self.assertGreater(shown[f"{name}.ratio"], 0)
            self.assertGreater(shown[f"{name}.tokens_per_second"], 0)
            self.assertLessEqual(shown[f"{name}.accepted"], shown[f"{name}.drafted"])
        self.assertEqual(shown["spec0.accepted"], 0)

    def test_thread_counts(self):
        shown = self.json(*SMALL, "-t", "1,2", "-b", "2")
        self.assertEqual([run["threads"] for run in shown["runs"]], [1, 2])
        for run in shown["runs"]:
            self.assertGreater(run["batch2.tokens_per_second"], 0)
            self.assertLess(run["peak_rss_bytes"], 400 << 20, "the probe's memory does not count")

    def test_text_and_parts(self):
        text = self.ok("bench", self.model, "-p", "16", "-n", "4", "-d", "0", "-r", "1", "--batch", "0", "--kv-type", "q8").text
        self.assertRegex(text, r"(?m)^pp16 +\d")
        self.assertRegex(text, r"(?m)^tg4 +\d")
        self.assertNotIn("@", text)
        self.assertNotIn("batch", text)
        self.assertRegex(text, r"(?m)^limits: int8 ")

    def test_refusals(self):
        self.refused(2, "nothing to measure", "bench", self.model, "-p", "0", "-n", "0")
        self.refused(2, "is not a list of numbers", "bench", self.model, "-t", "1,x")
        self.refused(2, "out of range", "bench", self.model, "-r", "0")
        self.refused(1, "no-such-file", "bench", "no-such-file")

    def test_interruption(self):
        process = self.start("bench", self.model, "-n", "1000", "-r", "1000", "--json")
        self.wait_until_listening(process)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out), (130, b""))


if __name__ == "__main__":
    main()
