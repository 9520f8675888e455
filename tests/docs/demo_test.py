"""tools/demo.py from outside, on tests/fixtures/stories260K (a second's work): table, JSON, terminal and none, errors.

    demo_test.py BUILD_FOLDER/bin/smelt
"""
import json, os, pathlib, pty, re, subprocess, sys, tempfile, unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MODEL = ROOT / "tests/fixtures/stories260K/stories260K.bin"
TYPES = ["original", "Q8_0", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K"]


def command(folder, *more):
    return [sys.executable, ROOT / "tools/demo.py", "--smelt", SMELT, "--model", MODEL, "--text", ROOT / "CONTRIBUTING.md",
            "--windows", "2", "--tokens", "20", "--out", folder, *more]


def run(*words, **options):
    return subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, **options)


def run_on_terminal(words, environment):
    """Standard output and standard error are a terminal; returns what came and the exit code."""
    master, slave = pty.openpty()
    process = subprocess.Popen([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                               env={**os.environ, **environment})
    os.close(slave)
    seen = b""
    try:
        while chunk := os.read(master, 4096):
            seen += chunk
    except OSError:  # the other side is closed
        pass
    os.close(master)
    return seen.decode(), process.wait(120)


class Demo(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def test_table(self):
        done = run(*command(self.folder))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([line.split()[0] for line in done.stdout.splitlines()[4:10]], TYPES)
        self.assertEqual(re.findall(r"^(original|Q\w+)(?:  \(.*\))?$", done.stdout, re.M), TYPES)
        self.assertEqual(done.stdout.count("The little girl"), len(TYPES))
        self.assertLessEqual(max(len(line) for line in done.stdout.splitlines() if "/" not in line), 100)
        self.assertNotIn("\x1b", done.stdout + done.stderr)
        self.assertIn("smelt quantize", done.stderr)
        self.assertIn("smelt eval kl", done.stderr)

    def test_json_is_what_the_files_are(self):
        done = run(*command(self.folder, "--json"))
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = json.loads(done.stdout)["rows"]
        self.assertEqual([row["name"] for row in rows], TYPES)
        for row in rows:
            self.assertEqual(row["file_bytes"], pathlib.Path(row["path"]).stat().st_size)
            self.assertGreater(row["tokens_per_second"], 0)
            self.assertEqual(len(row["ids"]), 20)
            self.assertGreater(row["perplexity"]["value"], 1)
        self.assertIsNone(rows[0]["kl_divergence"])
        loss = [row["kl_divergence"]["value"] for row in rows[1:]]
        self.assertTrue(all(a < b for a, b in zip(loss, loss[1:]) if a != b), loss)
        self.assertGreater(loss[-1], 10 * loss[0])
        self.assertGreater(rows[1]["top1_agreement"]["value"], 0.9)

    def test_peak_memory_is_the_commands_own(self):
        ballast = bytearray(b"1") * (100 << 20)
        done = run(SMELT, "run", MODEL, "-p", "Once", "-n", 4, "--json")
        self.assertLess(json.loads(done.stdout)["peak_memory_bytes"], len(ballast) // 2)

    def test_terminal_and_no_colour(self):
        seen, code = run_on_terminal(command(self.folder), {"TERM": "xterm", "NO_COLOR": ""})
        self.assertEqual(code, 0, seen)
        self.assertIn("\x1b[1m", seen)
        seen, code = run_on_terminal(command(self.folder), {"TERM": "xterm", "NO_COLOR": "1"})
        self.assertEqual(code, 0, seen)
        self.assertNotRegex(seen, r"\x1b\[[0-9;]*m")

    def test_failures_are_one_line(self):
        bad = self.folder / "bad.gguf"
        bad.write_bytes(b"GGUF nonsense")
        broken = self.folder / "broken"
        broken.write_text("#!/bin/sh\nexit 3\n")
        broken.chmod(0o755)
        for words, code, told in ((("--model", self.folder / "no"), 1, "no: no such model"),
                                  (("--text", self.folder / "no"), 1, "no: no such file"),
                                  (("--smelt", self.folder / "no"), 1, "no: no such program"),
                                  (("--smelt", broken), 1, "exit code 3"),
                                  (("--model", bad), 1, r"bad\.gguf: "),
                                  (("--out", MODEL), 1, "File exists"),
                                  (("--windows", "0"), 2, "'0' is not a number of 1 and above"),
                                  (("--frobnicate",), 2, "unrecognized arguments")):
            done = run(*command(self.folder, *words))
            self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
            lines = [line for line in done.stderr.splitlines() if line.startswith("demo: ")]
            self.assertEqual(len(lines), 1, done.stderr)
            self.assertRegex(lines[0], told)
            self.assertNotIn("Traceback", done.stderr)

    def test_closed_pipe_is_quiet(self):
        words = " ".join(f"'{w}'" for w in command(self.folder))
        done = run("bash", "-c", f"{words} | head -1")
        self.assertEqual(done.stdout.count("\n"), 1)
        self.assertNotIn("Traceback", done.stderr)
        self.assertNotIn("Broken pipe", done.stderr)


if __name__ == "__main__":
    SMELT = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
