"""smelt train: a run that is killed again and again ends with the same bytes, bad data stops it before it begins, full disks
leave the last good checkpoint. Skipped where smelt-train was not built."""
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import time
import unittest

from support import ROOT, SMELT, CliTest, clean_environment, main

TRAINER = pathlib.Path(SMELT).with_name("smelt-train")
CONFIG = """
held_out_share = 0.1
[model]
layers = 1
width = 32
feed_forward = 32
heads = 2
kv_heads = 1
context = 32
[tokenizer]
vocab = 300
[[data]]
files = ["{files}"]
separator = "\\n\\n"
[train]
steps = {steps}
batch = 4
learning_rate = 0.005
threads = 1
precision = "{precision}"
[report]
log_every = 10
evaluate_every = {every}
evaluate_tokens = 256
checkpoint_every = {every}
prompts = ["The old"]
sample_tokens = 8
[output]
type = "f32"
"""


@unittest.skipUnless(os.access(TRAINER, os.X_OK), "smelt-train was not built (setup/install.sh train)")
class TrainTest(CliTest):
    def setUp(self):
        super().setUp()
        shutil.copy(ROOT / "models/books-3m/heldout.txt", self.folder / "book.txt")

    def config(self, files="book.txt", steps=60, every=20, precision="f32", more=""):
        text = CONFIG.format(files=files, steps=steps, every=every, precision=precision) + more
        (self.folder / "run.toml").write_text(text)
        return "run.toml"

    def train(self, out, *words):
        return ("train", "--config", "run.toml", "--out", out, *words)

    def files(self, out):
        return {path.name: path.read_bytes() for path in (self.folder / out).iterdir()}

    def log(self, out):
        return [json.loads(line) for line in (self.folder / out / "log.jsonl").read_text().splitlines()]


class Training(TrainTest):
    def test_a_model_that_runs(self):
        self.config()
        text = self.ok(*self.train("model")).text
        self.assertRegex(text, r"\Amodel: \S+ k parameters, 60 steps, .*\nheld-out text: \d\.\d+ nats a token")
        self.assertEqual(sorted(self.files("model")),
                         ["config.json", "generation_config.json", "log.csv", "log.jsonl", "model.safetensors",
                          "tokenizer.json", "tokenizer_config.json", "train.toml"])
        self.assertFalse((self.folder / "model.work").exists())
        log = self.log("model")
        losses = [line["loss"] for line in log if line["event"] == "held_out"]
        self.assertEqual(len(losses), 4)
        self.assertLess(losses[-1], losses[0] - 0.5, "it learns")
        self.assertEqual([line["prompt"] for line in log if line["event"] == "sample"], ["The old"] * 3)
        self.assertEqual(len(self.ok("run", "model", "-p", "The old", "-n", "5", "--temp", "0", "--json").out) > 0, True)
        # The same from where it ended, and only the text that it has not read.
        start = (self.folder / "run.toml").read_text()
        start = re.sub(r"(?s)\[model\].*?\[\[data", '[model]\nfrom = "model"\n[[data', start)
        (self.folder / "run.toml").write_text(start)
        self.ok(*self.train("model2"))
        first = [line["loss"] for line in self.log("model2") if line["event"] == "held_out"][0]
        self.assertLess(first, losses[0] - 0.5, "it begins where the other ended")

    def test_bf16(self):
        self.config(precision="bf16")
        self.ok(*self.train("model"))
        losses = [line["loss"] for line in self.log("model") if line["event"] == "held_out"]
        self.assertLess(losses[-1], losses[0] - 0.5)

    def test_accumulated_batches_are_the_batch(self):
        self.config(steps=5)
        self.ok(*self.train("whole"))
        text = (self.folder / "run.toml").read_text()
        (self.folder / "run.toml").write_text(text.replace("batch = 4", "batch = 4\naccumulate = 2"))
        self.ok(*self.train("parts"))
        whole, parts = (self.log(name)[-1]["loss"] for name in ("whole", "parts"))
        self.assertAlmostEqual(whole, parts, 4)


class Interruptions(TrainTest):
    STEPS, EVERY, KILLS = 1200, 20, 20

    def start(self, out, *words):
        return subprocess.Popen([TRAINER, *self.train(out, "--resume", *words)], cwd=self.folder, env=clean_environment(),
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def checkpoints(self, out):
        return sorted(path.name for path in (self.folder / f"{out}.work").glob("step-*.checkpoint"))

    def wait_for_step(self, process, out, before):
        """Until there is a checkpoint that was not there before; False if the run ends first."""
        while process.poll() is None:
            if self.checkpoints(out)[-1:] not in ([], before):
                return True
            time.sleep(0.002)
        return False

    def weights(self, out):
        return {name: data for name, data in self.files(out).items() if not name.startswith("log.")}

    def test_kill_twenty_times(self):
        self.config(steps=self.STEPS, every=self.EVERY)
        self.ok(*self.train("whole"))
        chance = random.Random(1)
        for kill in range(self.KILLS):
            before = self.checkpoints("cut")[-1:]
            process = self.start("cut")
            self.assertTrue(self.wait_for_step(process, "cut", before), f"ended before kill {kill}")
            time.sleep(chance.random() * 0.02)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            self.assertLessEqual(len(self.checkpoints("cut")), 3)
        process = self.start("cut")
        self.assertEqual(process.communicate()[1].count(b"going on from step"), 1)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.weights("cut"), self.weights("whole"), "the weights are those of the run that was not killed")
        without_times = [[{k: v for k, v in line.items() if k not in ("seconds", "tokens_per_second")} for line in self.log(out)]
                         for out in ("cut", "whole")]
        self.assertEqual(*without_times)

    def test_interrupted_and_resumed(self):
        self.config(steps=400, every=1000)
        self.ok(*self.train("whole"))
        process = self.start("cut")
        while not (self.folder / "cut.work/log.csv").exists() or b"\n10," not in (self.folder / "cut.work/log.csv").read_bytes():
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        err = process.communicate()[1].decode()
        self.assertEqual(process.returncode, 130, err)
        self.assertRegex(err, r"interrupted at step \d+; --resume goes on from it")
        self.refused(1, "--resume goes on with it", *self.train("cut"))
        self.ok(*self.train("cut", "--resume"))
        self.assertEqual(self.weights("cut"), self.weights("whole"))

    def test_a_full_disk_keeps_the_last_checkpoint(self):
        self.config(steps=self.STEPS, every=self.EVERY)
        process = self.start("cut")
        self.assertTrue(self.wait_for_step(process, "cut", []))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100, 100))  # nothing longer can be written from now on
        err = process.communicate()[1].decode()
        self.assertEqual(process.returncode, 1, err)
        self.assertIn("File too large", err)
        self.assertNotEqual(self.checkpoints("cut"), [])
        self.ok(*self.train("cut", "--resume"))


class Refusals(TrainTest):
    def refused_data(self, words, name, text):
        (self.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        self.config(files=name)
        self.refused(1, words, *self.train("model"))
        self.assertFalse((self.folder / "model").exists())

    def test_bad_data(self):
        self.refused_data("bad.jsonl: line 2: not JSON", "bad.jsonl", '{"text": "a"}\n{"text": "b"\n')
        self.refused_data("field.jsonl: line 1: field 'text'", "field.jsonl", '{"txt": "a"}\n')
        self.refused_data("empty.txt: holds no document", "empty.txt", "")
        self.refused_data("bytes.txt: line 2: byte 4 is no UTF-8", "bytes.txt", b"abc\n\xff")
        self.config(files="none.txt")
        self.refused(1, "none.txt: no such file", *self.train("model"))

    def test_bad_configurations(self):
        self.config(more="[trian]\n")
        self.refused(1, "run.toml:30: field 'trian': unknown; did you mean 'train'?", *self.train("model"))
        self.config(steps=100000)
        self.refused(1, "4 times are allowed", *self.train("model"))
        text = (self.folder / self.config()).read_text()
        (self.folder / "run.toml").write_text(text.replace("kv_heads = 1", "kv_heads = 3"))
        self.refused(1, "num_key_value_heads", *self.train("model"))
        (self.folder / "run.toml").write_text(text.replace("held_out_share = 0.1", ""))
        self.refused(1, "nothing is held out", *self.train("model"))
        self.refused(1, "no.toml", "train", "--config", "no.toml", "--out", "model")
        (self.folder / "there").mkdir()
        self.config()
        self.refused(1, "there: exists already", *self.train("there"))
        self.refused(2, "--out is required", "train", "--config", "run.toml")


class WithoutTheTrainer(CliTest):
    def test_the_package_is_named(self):
        program = self.folder / "smelt"
        shutil.copy(SMELT, program)
        result = subprocess.run([program, "train", "--config", "x", "--out", "y"], capture_output=True, cwd=self.folder,
                                env=clean_environment(PATH="/nowhere"), timeout=60)
        self.assertEqual(result.returncode, 1)
        self.assertIn("the package smelt-train has it", result.stderr.decode())


if __name__ == "__main__":
    main()
