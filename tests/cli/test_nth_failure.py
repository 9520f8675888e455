"""Every single call of the system fails once: the first open, the second, …, the first write, …, until a run is through.
Each time the command is done with the right result, or says in one line what failed, and leaves nothing half written.

fail_nth.cc, preloaded, makes the calls fail. Allocations, of which there are thousands, are sampled, more densely under
SMELT_FULL (./dev test --full).
"""
import errno
import os
import unittest

from support import PROMPT, StoriesTest, clean_environment, main

LIBRARY = os.environ.get("SMELT_FAIL_LIBRARY", "")
FULL = os.environ.get("SMELT_FULL") == "1"


@unittest.skipUnless(LIBRARY, "SMELT_FAIL_LIBRARY names no library to preload")
class NthFailure(StoriesTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hf = cls.make_hf()
        cls.make("run", cls.model, "-p", PROMPT, "-n", "3", "--prompt-cache", "cache")
        cls.commands = {
            "quantize": ("quantize", cls.model, "out"),
            "quantize over another": ("quantize", cls.hf, "old", "--force"),
            "convert to a folder": ("convert", cls.model, "out"),
            "convert over a folder": ("convert", cls.model, "old-folder", "--force"),
            "run": ("run", cls.hf, "-p", PROMPT, "-n", "4", "--temp", "0", "--seed", "1"),
            "run with a cache": ("run", cls.model, "-p", PROMPT, "-n", "4", "--temp", "0", "--prompt-cache", "out"),
            "inspect": ("inspect", cls.model, "--json"),
            "tokenize": ("tokenize", cls.model, "-f", __file__),
            "eval": ("eval", "perplexity", cls.model, "--text", __file__, "--windows", "1", "-c", "32"),
            "help": ("help", "run"),
        }
        cls.wanted = {}

    def contents(self):
        """All files of the folder with their bytes."""
        return {str(p.relative_to(self.folder)): p.read_bytes() for p in self.folder.rglob("*") if p.is_file()}

    def prepare(self):
        for name in ("out", "old", "old-folder"):
            path = self.folder / name
            if path.is_dir():
                for file in path.iterdir():
                    file.unlink()
                path.rmdir()
            elif path.exists():
                path.unlink()
        (self.folder / "old").write_text("old")
        (self.folder / "old-folder").mkdir()
        (self.folder / "old-folder/config.json").write_text("{}")
        return self.contents()

    def outcome_without_failure(self, name):
        if name not in self.wanted:
            self.prepare()
            done = self.ok(*self.commands[name])
            self.wanted[name] = (None if name == "eval" else done.out, self.contents())
        return self.wanted[name]

    def fail_once(self, name, function, nth, code, on=None):
        """One run with the Nth call failing; false if there was no Nth call."""
        before = self.prepare()
        mark = self.shared / "mark"
        mark.unlink(missing_ok=True)
        env = clean_environment(LD_PRELOAD=LIBRARY, SMELT_FAIL=f"{function} {nth} {code}", SMELT_FAIL_MARK=str(mark),
                                SMELT_FAIL_ON=on)
        result = self.smelt(*self.commands[name], env=env)
        if not mark.exists():
            return False
        out, files = self.wanted[name]
        with self.subTest(command=name, function=function, nth=nth, code=errno.errorcode.get(code, code)):
            self.assertIn(result.code, (0, 1), result)
            after = self.contents()
            if result.code == 0:
                self.check_done(name, result, out, files, after)
            else:
                last = result.err.splitlines(keepends=True)[-1]
                self.assert_one_line(last)
                # What is told after the work (a folder that could not be synced, an output that failed) comes too late to undo it.
                self.assertIn(after, (before, files), "half written")
        return True

    def check_done(self, name, result, out, files, after):
        self.assertEqual(after, files)
        if out is not None and name not in ("quantize", "quantize over another"):  # these tell times
            self.assertEqual(result.out, out)

    def fail_each(self, function, codes, names=None, at_least=1):
        fired = 0
        for name in names or self.commands:
            self.outcome_without_failure(name)
            for code in codes:
                nth = 1
                while self.fail_once(name, function, nth, code):
                    nth += 1
                fired += nth - 1
        self.assertGreaterEqual(fired, at_least, f"{function} is never called")

    def test_open(self):
        self.fail_each("open", (errno.EMFILE,))

    def test_mmap(self):
        self.fail_each("mmap", (errno.ENOMEM,))

    def test_read(self):
        self.fail_each("read", (errno.EIO,), ("run", "tokenize", "run with a cache"))

    def test_reads_that_are_short_or_interrupted(self):
        self.must_go_on("read", ("run", "tokenize"))

    def test_write_to_files(self):
        names = ("quantize", "quantize over another", "convert to a folder", "convert over a folder", "run with a cache")
        self.fail_each("pwrite", (errno.ENOSPC, errno.EIO), names, at_least=10)

    def test_writes_that_are_short_or_interrupted(self):
        self.must_go_on("pwrite", ("quantize", "convert to a folder"))
        self.must_go_on("write", ("run", "inspect", "tokenize", "help"))

    def must_go_on(self, function, names):
        for name in names:
            self.outcome_without_failure(name)
            for code in (0, errno.EINTR):
                nth = 1
                while self.fail_once(name, function, nth, code):
                    nth += 1
                self.assertGreater(nth, 1, f"{name} never calls {function}")
                self.prepare()
                env = clean_environment(LD_PRELOAD=LIBRARY, SMELT_FAIL=f"{function} 1 {code}")
                self.assertEqual(self.smelt(*self.commands[name], env=env).code, 0, "no reason to give up")

    def test_standard_output(self):
        self.fail_each("write", (errno.ENOSPC, errno.EIO), ("run", "inspect", "tokenize", "help"))

    def test_sync_rename_link_close_mkdir(self):
        names = ("quantize", "quantize over another", "convert to a folder", "convert over a folder", "run with a cache")
        for function in ("fsync", "rename", "link", "close", "mkdir"):
            self.fail_each(function, (errno.EIO,), names)

    def test_allocations(self):
        for name in self.commands:
            self.outcome_without_failure(name)
            for on in (None, "1"):
                nth, step = 1, 1
                while self.fail_once(name, "malloc", nth, errno.ENOMEM, on):
                    nth += step
                    step = 1 + nth // 50 if FULL else 1 + step + step // 4


if __name__ == "__main__":
    main()
