"""What the tests under qemu-user share: finding the emulator, running programs on a named processor, skipping."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FULL = os.environ.get("SMELT_FULL") == "1"
SKIPPED = 77  # ctest shows the entry as skipped


def skip_unless(*programs):
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        print(f"skipped: no {', '.join(missing)} here (setup/packages-test.txt)")
        sys.exit(SKIPPED)


def run(*command, timeout=600, **options):
    return subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, cwd=ROOT, **options)


class Emulated(unittest.TestCase):
    maxDiff = 4000

    def done(self, *command, **options):
        result = run(*command, **options)
        if result.returncode < 0:
            self.fail(f"{command}: {signal.Signals(-result.returncode).name}\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
        self.assertEqual(result.returncode, 0, f"{command}\n{result.stdout[-3000:]}{result.stderr[-3000:]}")
        return result.stdout

    def run_gtest(self, emulator, program, pattern="*", at_least=1):
        """Runs the tests named by pattern; fails too when there are fewer than at_least."""
        environment = {**os.environ, "SMELT_SHAPES_PERCENT": "100" if FULL else "10"}
        out = self.done(*emulator, program, f"--gtest_filter={pattern}", "--gtest_brief=1", env=environment)
        passed = int(out.rsplit("[  PASSED  ] ", 1)[1].split()[0])
        self.assertGreaterEqual(passed, at_least, out)
        return passed
