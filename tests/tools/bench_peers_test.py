"""Tests of bench/peers without llama.cpp and without timing: arguments, and whole runs with programs in smelt's and the peer's
place that answer with known figures, so that the table's numbers can be foretold."""
import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "peers"))
import measure  # noqa: E402
import rows  # noqa: E402
import run  # noqa: E402

# Speeds of smelt are three times the peer's, but for the prompt: twice.
SMELT = """#!/usr/bin/env python3
import json, pathlib, sys
words = sys.argv[1:]
with open(pathlib.Path(__file__).with_suffix(".log"), "a") as log:
    print(*words, file=log)
option = lambda name: int(words[words.index(name) + 1])
if words[0] == "bench":
    out = {}
    if option("-p"):
        out[f"pp{option('-p')}.tokens_per_second"] = 200.0
        out[f"pp{option('-p')}.int8_share"] = 0.7
    for name, wanted in (("tg128", True), ("tg128@4096", option("-d")), ("batch8", option("-b"))):
        if wanted:
            out |= {name + ".tokens_per_second": 150.0 if name == "batch8" else 30.0, name + ".read_share": 0.8}
    print(json.dumps(out))
elif words[0] == "inspect":
    print(json.dumps({"config": {"n_layers": 2, "n_kv_heads": 2, "d_head": 64}}))
elif words[0] in ("make-random", "convert"):
    pathlib.Path(words[-1] if words[0] == "make-random" else words[2]).write_bytes(bytes(1000))
"""
PEER = """#!/usr/bin/env python3
import json, sys
words = sys.argv[2:]
if words[0] == "version":
    print(json.dumps({"llama-cpp-python": "1.2.3", "features": "AVX512 = 1"}))
elif words[0] == "speed":
    print(json.dumps({name: 100.0 if name.startswith("pp") else 10.0 for name in words[3:]}))
elif words[0] == "start":
    print(json.dumps({"start": 1.0, "memory": 300.0}))
"""


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.smelt, python = self.folder / "smelt", self.folder / "venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        for path, text in ((self.smelt, SMELT), (python, PEER)):
            path.write_text(text)
            path.chmod(0o755)

    def run_script(self, *words):
        common = ["--smelt", self.smelt, "--venv", self.folder / "venv", "--work", self.folder / "work", "--threads", 2]
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            run.run(run.parse_arguments([str(word) for word in (*common, *words)]))
        return out.getvalue()

    def commands(self, name):
        log = self.smelt.with_suffix(".log")
        return [line for line in log.read_text().splitlines() if line.startswith(name + " ")] if log.exists() else []


class Runs(Case):
    def test_table(self):
        out = self.run_script("--rows", "llama-3.2-1b-Q4_0", "--rounds", 2)
        self.assertIn("llama-cpp-python 1.2.3", out)
        self.assertRegex(out, r"Other programs took \d+ % of the processors at most\.")
        self.assertIn("| llama-3.2-1b-Q4_0 | 200 | 100 | 2.00× (2.00–2.00) | 70 % | ≥ 2.5×: **missed**; ≥ 65 % of the int8 "
                      "peak: met |", out)
        self.assertIn("| llama-3.2-1b-Q4_0 | 30.0 | 10.0 | 3.00× (3.00–3.00) | 80 % | ≥ 1.4×: met; ≥ 90 % of the memory "
                      "bandwidth: **missed** |", out)
        self.assertIn("| 30.0 | 10.0 | 3.00× (3.00–3.00) | 80 % | ≥ 2×: met |", out)
        self.assertIn("| 150 | 10.0 | 15.00× (15.00–15.00) | 5.0× one sequence | ≥ 4× one sequence: met |", out)
        self.assertEqual(out, (self.folder / "work" / "table.md").read_text())
        lines = json.loads((self.folder / "work" / "table.json").read_text())["lines"]
        self.assertEqual({line["measure"] for line in lines}, set(rows.MEASURES))
        self.assertTrue(all(line["rounds"] == 2 for line in lines), lines)
        memory = next(line for line in lines if line["measure"] == "memory")
        self.assertEqual(memory["targets"][0]["target"], "≤ 65 MiB")  # 1,000 bytes, 1 MiB of cache, 64 MiB

    def test_models_are_deleted_unless_kept(self):
        models = self.folder / "work" / "models"
        self.run_script("--rows", "qwen*", "--rounds", 1, "--measures", "tg128", "--keep-models")
        self.assertEqual(len(list(models.iterdir())), 2)
        self.run_script("--rows", "qwen*", "--rounds", 1, "--measures", "tg128")
        self.assertEqual(list(models.iterdir()), [])

    def test_a_later_run_measures_only_what_is_missing(self):
        self.run_script("--rows", "tiny*", "--rounds", 1, "--measures", "pp512,tg128")
        self.assertEqual(len(self.commands("bench")), 1)
        self.run_script("--rows", "tiny*", "--rounds", 1, "--measures", "pp512,tg128")
        self.assertEqual(len(self.commands("bench")), 1)
        self.run_script("--rows", "tiny*", "--rounds", 2, "--measures", "pp512")
        self.assertEqual(len(self.commands("bench")), 2)
        self.assertIn("-p 512", self.commands("bench")[1])
        self.run_script("--rows", "tiny*", "--rounds", 1, "--measures", "pp512", "--fresh")
        self.assertEqual(len(self.commands("bench")), 3)

    def test_another_program_starts_anew(self):
        self.run_script("--rows", "tiny*", "--rounds", 2, "--measures", "pp512")
        self.smelt.write_text(SMELT + "# changed\n")
        self.run_script("--rows", "tiny*", "--rounds", 1, "--measures", "pp512", "--keep-models")
        self.smelt.write_text(SMELT + "# changed again\n")
        self.run_script("--rows", "tiny*", "--rounds", 1, "--measures", "pp512")
        self.assertEqual(len(self.commands("make-random")), 3)
        result = json.loads((self.folder / "work" / "results" / "tinyllama-1.1b-Q4_0.json").read_text())
        self.assertEqual(len(result["samples"]["pp512"]), 1)

    def test_only_table(self):
        with self.assertRaisesRegex(measure.Failure, "no results in"):
            self.run_script("--only-table")
        self.run_script("--rows", "tiny*", "--rounds", 1, "--measures", "pp512")
        before = len(self.commands("bench"))
        self.assertIn("| tinyllama-1.1b-Q4_0 | 200 | 100 | 2.00× |", self.run_script("--only-table"))
        self.assertEqual(len(self.commands("bench")), before)


class Documents(Case):
    def test_the_table_goes_between_its_marks(self):
        path = self.folder / "docs" / "benchmarks.md"
        path.parent.mkdir()
        path.write_text("# Benchmarks\n")
        root, run.ROOT = run.ROOT, self.folder
        self.addCleanup(setattr, run, "ROOT", root)
        run.write_docs("first\n")
        path.write_text(path.read_text() + "## After\n")
        run.write_docs("second\n")
        text = path.read_text()
        self.assertIn(f"{run.MARKS[0]}\nsecond\n{run.MARKS[1]}\n## After\n", text)
        self.assertNotIn("first", text)
        self.assertEqual(text.count("## Beside llama.cpp"), 1)
        path.write_text(run.MARKS[0])
        with self.assertRaisesRegex(measure.Failure, "and not"):
            run.write_docs("third\n")


class Refusals(Case):
    def test_no_peer(self):
        python = self.folder / "venv" / "bin" / "python"
        python.write_text("#!/bin/sh\nexit 1\n")
        with self.assertRaisesRegex(measure.Failure, "has no llama-cpp-python that can be loaded; leave out --venv"):
            self.run_script()
        python.unlink()
        with self.assertRaisesRegex(measure.Failure, "does not exist; --venv wants"):
            self.run_script()

    def test_no_smelt_and_one_that_fails(self):
        self.smelt.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
        with self.assertRaisesRegex(measure.Failure, "exit status 3\nbroken"):
            self.run_script("--rows", "tiny*")
        self.smelt.unlink()
        with self.assertRaisesRegex(measure.Failure, "does not exist; ./dev build makes it"):
            self.run_script()

    def test_wrong_words(self):
        for words in (["--rows", "llama-9*"], ["--measures", "pp513"], ["--rounds", "0"], ["--threads", "x"], ["more"]):
            with self.subTest(words), self.assertRaises(SystemExit) as end:
                self.run_script(*words)
            self.assertEqual(end.exception.code, 2)


class Plans(unittest.TestCase):
    def test_deep_measures_are_taken_of_some_rows_only(self):
        names = [row.name for row in rows.ROWS if "pp4096" in rows.measures_of(row)]
        self.assertIn("llama-3.2-1b-Q4_0", names)
        self.assertNotIn("llama-3.2-1b-Q8_0", names)
        self.assertEqual(rows.measures_of(rows.ROWS[2], ["tg128@4096", "pp512"]), ["pp512", "tg128@4096"])

    def test_share_of_other_programs(self):
        self.assertAlmostEqual(measure.share_of_others((10, 100, 1), (20, 120, 9)), 0.1)  # 10 s busy, 8 of them ours, of 20
        self.assertEqual(measure.share_of_others((10, 100, 1), (12, 120, 9)), 0.0)
        busy, total, own = measure.processor_seconds()
        self.assertLessEqual(busy, total)
        self.assertLessEqual(0, own)

    def test_every_measure_belongs_to_one_group(self):
        grouped = [name for names in measure.GROUPS.values() for name in names]
        self.assertEqual(sorted(grouped), sorted(rows.MEASURES))

    def test_some_groups_are_measured_twice_at_most(self):
        tasks = list(run.open_tasks({"samples": {}}, list(rows.MEASURES), 5))
        self.assertEqual(sum(group == "deep" for _, group, _ in tasks), 2)
        self.assertEqual(sum(group == "start" for _, group, _ in tasks), 2)
        self.assertEqual(sum(group == "short" for _, group, _ in tasks), 5)


if __name__ == "__main__":
    unittest.main()
