"""What the tests of the command share: running it, judging refusals, pseudo-terminals, small models.

SMELT names the program to test (default: build/release/bin/smelt). Standard library only.
"""
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMELT = os.environ.get("SMELT", str(ROOT / "build/release/bin/smelt"))
STORIES = ROOT / "tests/fixtures/stories260K/stories260K.bin"
PROMPT = "Once upon a time"
TIMEOUT_S = 60


def published_text():
    """The greedy text in the model's card, from the prompt to its last character."""
    card = STORIES.with_suffix(".md").read_text()
    return card.split("-t 0.0\n", 1)[1].split("\n```", 1)[0]


PROGRESS = re.compile(r"[^:\n]+: .*\(\d+ %\)(, .* left)?\n")


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def text(self):
        return self.out.decode()

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out[:2000]!r}\n--- stderr\n{self.err[:2000]!r}"


def clean_environment(**changes):
    """Of the caller's variables only what programs need; None removes one."""
    environment = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TERM", "LD_LIBRARY_PATH")}
    environment.update(changes)
    return {k: v for k, v in environment.items() if v is not None}


class CliTest(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        if not os.access(SMELT, os.X_OK):
            raise AssertionError(f"{SMELT} is missing; build it, or name it by SMELT")
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="smelt-cli-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared, True)

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="t", dir=self.shared))

    def smelt(self, *words, stdin=b"", env=None, cwd=None, timeout=TIMEOUT_S, **more):
        """Runs the command to its end."""
        if isinstance(stdin, str):
            stdin = stdin.encode()
        source = {"stdin": stdin} if stdin is None or isinstance(stdin, int) else {"input": stdin}
        done = subprocess.run([SMELT, *map(os.fsencode, words)], stdout=more.pop("stdout", subprocess.PIPE),
                              stderr=more.pop("stderr", subprocess.PIPE), cwd=cwd or self.folder,
                              env=env or clean_environment(), timeout=timeout, **source, **more)
        return Result(done.returncode, done.stdout or b"", done.stderr or b"")

    def ok(self, *words, **more):
        result = self.smelt(*words, **more)
        self.assertEqual(result.code, 0, result)
        return result

    def assert_refused(self, result, code, *needles):
        """One line on standard error that begins with "smelt: ", nothing on standard output."""
        self.assertEqual(result.code, code, result)
        self.assertEqual(result.out, b"", result)
        self.assert_one_line(result.err, *needles)

    def assert_one_line(self, err, *needles):
        """One line, not counting those of progress, which come every few seconds of long work."""
        line = "".join(each for each in err.decode().splitlines(True) if not PROGRESS.fullmatch(each))
        self.assertRegex(line, r"\Asmelt: [^\x00-\x1f\x7f]+\n\Z")
        for needle in needles:
            self.assertIn(needle, line)

    def refused(self, code, needles, *words, **more):
        needles = [needles] if isinstance(needles, str) else needles
        self.assert_refused(self.smelt(*words, **more), code, *needles)

    def names(self, folder=None):
        return sorted(os.listdir(folder or self.folder))

    def read_exactly(self, process, n):
        """The next n bytes of its standard output, not one more: communicate() would not see what a buffer holds."""
        text = b""
        while len(text) < n:
            part = os.read(process.stdout.fileno(), n - len(text))
            if not part:
                self.fail(f"standard output ended after {text!r}")
            text += part
        return text

    def start(self, *words, **more):
        """Starts the command and leaves it running; it is killed when the test ends."""
        process = subprocess.Popen([SMELT, *map(os.fsencode, words)], stdin=more.pop("stdin", subprocess.DEVNULL),
                                   stdout=more.pop("stdout", subprocess.PIPE), cwd=self.folder,
                                   stderr=more.pop("stderr", subprocess.PIPE), env=clean_environment(), **more)
        self.addCleanup(self.end, process)
        return process

    def wait_until_listening(self, process):
        """Until the program has taken the signal for itself: before, it would just die of it."""
        def caught():
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            return int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16) >> (signal.SIGINT - 1) & 1
        self.wait_for(caught, "the handler of SIGINT")

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()

    def wait_for(self, condition, what, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, f"waited {seconds} s for {what}")
            time.sleep(0.005)


ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r|\x07")


class StoriesTest(CliTest):
    """Has the trained model as a GGUF file in .model, made once for a class."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.shared / "stories.gguf"
        cls.make("convert", STORIES, cls.model, "--type", "f32")

    @classmethod
    def make(cls, *words):
        """Runs the command in the folder that all tests of the class share."""
        maker = cls()
        maker.folder = cls.shared
        maker.ok(*words)

    @classmethod
    def make_hf(cls):
        """The model as a Hugging Face folder."""
        folder = cls.shared / "stories-hf"
        cls.make("convert", cls.model, folder, "--type", "f32")
        return folder


class Terminal:
    """The command (or another program) on a pseudo-terminal, as a person sees it. Everything that comes is kept in .raw."""

    def __init__(self, test, *words, env=None, columns=100, split_stdout=False, program=SMELT):
        self.test = test
        self.raw = ""
        self.seen = 0
        self.out_read = None
        environment = env or clean_environment(TERM="xterm", HOME=str(test.folder), XDG_STATE_HOME=None)
        if split_stdout:
            self.out_read, out_write = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            if split_stdout:
                os.dup2(out_write, 1)
            os.chdir(test.folder)
            os.execve(program, [program, *map(os.fsencode, words)], environment)
        if split_stdout:
            os.close(out_write)
        self.resize(columns)
        self.status = None
        test.addCleanup(self.close)

    def resize(self, columns, rows=24):
        import fcntl
        import struct
        import termios
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text):
        os.write(self.fd, text.encode())

    def read_some(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the other side is closed
            return None
        self.raw += data.decode(errors="replace")
        return bool(data) or None

    @property
    def screen(self):
        """What came, without control sequences."""
        return ESCAPES.sub("", self.raw)

    def expect(self, needle, seconds=20):
        """Waits until the needle appears behind what was expected before; returns what came up to it."""
        end = time.monotonic() + seconds
        while True:
            at = self.screen.find(needle, self.seen)
            if at >= 0:
                skipped = self.screen[self.seen:at]
                self.seen = at + len(needle)
                return skipped
            if time.monotonic() > end or self.read_some(0.2) is None:
                at = self.screen.find(needle, self.seen)
                if at < 0:
                    self.test.fail(f"{needle!r} did not come; the screen has {self.screen[self.seen:]!r}")

    def wait(self, seconds=20):
        """The exit code, negative for a signal; what is written until then is read."""
        end = time.monotonic() + seconds
        while self.status is None:
            self.read_some(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
            elif time.monotonic() > end:
                self.test.fail(f"still running; the screen has {self.screen[-2000:]!r}")
        while self.read_some(0.05):
            pass
        return os.waitstatus_to_exitcode(self.status)

    def running(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
        return self.status is None

    def close(self):
        if self.running():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.status = signal.SIGKILL
        for fd in (self.fd, self.out_read):
            if fd is not None:
                os.close(fd)


def main():
    unittest.main(verbosity=1)
