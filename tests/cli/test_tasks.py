"""smelt eval task and smelt list tasks, from outside: figures, items files, refusals."""
import json

from support import ROOT, CliTest, main

BOOKS = str(ROOT / "models/books-3m")
GOLDEN = ROOT / "tests/golden/tasks"


class Tasks(CliTest):
    def run_task(self, *words):
        return self.ok("eval", "task", *words, BOOKS)

    def refused(self, code, *words):
        result = self.smelt("eval", "task", *words)
        self.assertEqual(result.code, code, result)
        self.assert_one_line(result.err)
        return result.err.decode()

    def test_the_list_has_what_is_shipped(self):
        tasks = json.loads(self.ok("list", "tasks", "--json").text)["tasks"]
        self.assertEqual([t["name"] for t in tasks], ["banking77", "gsm8k", "humaneval", "mbpp", "scitldr", "wnut17"])
        for task in tasks:
            self.assertEqual(set(task), {"name", "title", "file", "data_file", "data_form"})
            self.assertIn(task["name"], self.ok("list", "tasks").text)

    def test_json_has_its_keys_and_text_its_figures(self):
        report = json.loads(self.run_task(str(GOLDEN / "choice.toml"), "--json").text)
        self.assertEqual(list(report), ["task", "metric", "value", "stderr", "n", "metrics", "shots", "samples", "seed", "model_hash",
                                        "data_sha256", "resumed", "cut", "seconds"])
        self.assertEqual((report["task"], report["metric"], report["n"], report["shots"]), ("choice", "acc", 12, 2))
        self.assertEqual(report["metrics"]["acc"], {"value": report["value"], "stderr": report["stderr"]})
        self.assertRegex(self.run_task(str(GOLDEN / "choice.toml")).text, rf"acc +{report['value']:.4f} ± {report['stderr']:.4f}\n")

    def test_resumed_runs_have_the_same_figures(self):
        items = self.folder / "items.jsonl"
        task = str(GOLDEN / "choice.toml")
        whole = json.loads(self.run_task(task, "--json", "-t", "1").text)
        self.run_task(task, "--items", items, "--limit", "4")
        self.assertIn("--resume", self.refused(1, task, BOOKS, "--items", items))
        again = json.loads(self.run_task(task, "--items", items, "--resume", "--json", "-t", "2").text)
        self.assertEqual(again["resumed"], 4)
        for key in ("value", "stderr", "metrics", "model_hash", "data_sha256"):
            self.assertEqual(again[key], whole[key])
        self.assertIn("made with seed 0, now it is 1", self.refused(1, task, BOOKS, "--items", items, "--resume", "--seed", "1"))

    def test_refusals_say_what_to_do(self):
        self.assertIn("did you mean 'gsm8k'?", self.refused(2, "gsm8", BOOKS))
        self.assertIn("Google publishes mbpp.jsonl", self.refused(1, "mbpp", BOOKS))
        self.assertIn("--resume needs --items", self.refused(2, str(GOLDEN / "choice.toml"), BOOKS, "--resume"))
        self.assertIn("no chat template", self.refused(2, str(GOLDEN / "choice.toml"), BOOKS, "--chat"))
        self.assertIn("has 2 examples", self.refused(2, str(GOLDEN / "choice.toml"), BOOKS, "--shots", "3"))
        self.assertIn("--samples is for tasks of code", self.refused(2, str(GOLDEN / "choice.toml"), BOOKS, "--samples", "3"))
        (self.folder / "bad.toml").write_text('name = "x"\ntitel = "t"\n')
        self.assertIn("bad.toml:1: field 'title': missing", self.refused(1, str(self.folder / "bad.toml"), BOOKS))


if __name__ == "__main__":
    main()
