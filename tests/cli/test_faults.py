"""Faults of the surroundings: full disks, closed streams, signals, limits, files that change. Nothing is half written,
nothing is left behind, and each is told in one line."""
import os
import resource
import shutil
import signal
import subprocess
import time
import unittest

from model_files import make_model, read_gguf, repeated_f16
from support import PROMPT, SMELT, StoriesTest, clean_environment, main

INTERRUPTED = "interrupted; o.gguf was not written"


def limited(kind, value):
    return lambda: resource.setrlimit(kind, (value, value))


def closed(fd):
    return lambda: os.close(fd)


class Models(StoriesTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Seconds of work for one thread in the slowest type.
        cls.big = make_model(cls.shared / "big.gguf", cls.model, d_model=1024, d_ff=2816, n_layers=3, values=repeated_f16)

    def quantized_bytes(self):
        self.ok("quantize", self.model, "wanted.gguf")
        data = (self.folder / "wanted.gguf").read_bytes()
        (self.folder / "wanted.gguf").unlink()
        return data

    def in_mounts(self, mount, *words):
        """Runs the command where `mount` (shell commands on $D, a folder) holds for it alone."""
        if os.geteuid() != 0 or not shutil.which("unshare"):
            self.skipTest("mounts of one's own need root and unshare")
        place = self.folder / "mounted"
        place.mkdir(exist_ok=True)
        script = f'({mount}) || exit 99; "$@"; code=$?; ls -A "$D" > "$D.names"; exit $code'
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", SMELT, *map(os.fsencode, words)], cwd=self.folder,
                              env=clean_environment(D=str(place)), capture_output=True, timeout=60)
        if done.returncode == 99 or b"unshare" in done.stderr:
            self.skipTest("no mounts here: " + done.stderr.decode())
        return done, (self.folder / "mounted.names").read_text().split()


class Disks(Models):
    def test_a_full_disk(self):
        for size in (16, 64, 128, 240):  # KiB; the output has 275
            done, names = self.in_mounts(f'mount -t tmpfs -o size={size}k none "$D"', "quantize", self.model,
                                         "mounted/o.gguf")
            with self.subTest(size=size):
                self.assertEqual((done.returncode, done.stdout, names), (1, b"", []))
                self.assert_one_line(done.stderr, "mounted/o.gguf: write error: No space left on device")

    def test_a_full_disk_keeps_the_old_file(self):
        done, names = self.in_mounts('mount -t tmpfs -o size=64k none "$D" && echo old > "$D/o.gguf"', "quantize",
                                     self.model, "mounted/o.gguf", "--force")
        self.assertEqual((done.returncode, names), (1, ["o.gguf"]))

    def test_a_full_disk_and_folders(self):
        done, names = self.in_mounts('mount -t tmpfs -o size=500k none "$D"', "convert", self.model, "mounted/hf", "--type",
                                     "f32")
        self.assertEqual((done.returncode, done.stdout, names), (1, b"", []))
        self.assert_one_line(done.stderr, "mounted/hf/model.safetensors: write error: No space left on device")

    def test_a_read_only_folder(self):
        mount = 'mount -t tmpfs none "$D" && mount -o remount,ro "$D"'
        done, names = self.in_mounts(mount, "quantize", self.model, "mounted/o.gguf")
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assert_one_line(done.stderr, "mounted/o.gguf: cannot create: Read-only file system")

    def test_a_limit_on_file_size(self):
        result = self.smelt("quantize", self.model, "o.gguf", preexec_fn=limited(resource.RLIMIT_FSIZE, 100000))
        self.assert_refused(result, 1, "o.gguf: write error: File too large")
        result = self.smelt("convert", self.model, "hf", preexec_fn=limited(resource.RLIMIT_FSIZE, 100000))
        self.assert_refused(result, 1, "hf/model.safetensors: write error: File too large")
        self.assertEqual(self.names(), [])

    def test_without_network_and_folder_for_temporaries(self):
        if os.geteuid() != 0 or not shutil.which("unshare"):
            self.skipTest("namespaces need root and unshare")
        done = subprocess.run(["unshare", "-n", SMELT, "run", str(self.model), "-p", PROMPT, "-n", "3"], timeout=60,
                              capture_output=True, env=clean_environment(TMPDIR="/nowhere"))
        if b"unshare" in done.stderr:
            self.skipTest("no namespaces here: " + done.stderr.decode())
        self.assertEqual(done.returncode, 0, done.stderr)


class Streams(Models):
    def test_standard_output_full(self):
        for words in (("--help",), ("run", self.model, "-p", "x"), ("inspect", self.model), ("tokenize", self.model, "-p", "x"),
                      ("completions", "bash"), ("run", self.model, "-p", "x", "--json")):
            with self.subTest(words), open("/dev/full", "wb") as full:
                result = self.smelt(*words, stdout=full)
                self.assertEqual(result.code, 1)
                self.assert_one_line(result.err, "standard output: write error: No space left on device")

    def test_standard_output_closed(self):
        for words in (("inspect", self.model), ("run", self.model, "-p", "x")):
            result = self.smelt(*words, preexec_fn=closed(1))
            self.assertEqual(result.code, 1)
            self.assert_one_line(result.err, "standard output: write error: Bad file descriptor")

    def test_standard_input_closed(self):
        result = self.smelt("run", self.model, stdin=None, preexec_fn=closed(0))
        self.assert_refused(result, 1, "standard input: read error: Bad file descriptor")

    def test_standard_error_closed(self):
        wanted = self.quantized_bytes()
        for fds in ((2,), (0, 2), (0, 1, 2)):
            self.smelt("quantize", self.model, "o.gguf", "--force", stdin=None,
                       preexec_fn=lambda fds=fds: [os.close(fd) for fd in fds])
            self.assertEqual((self.folder / "o.gguf").read_bytes(), wanted, "messages went into the model")

    def test_closed_pipes_end_quietly(self):
        long = "word " * 50000
        for words in (("tokenize", self.model), ("run", self.model, "-n", "0", "-c", "200000")):
            with self.subTest(words):
                process = self.start(*words, stdin=subprocess.PIPE)
                process.stdout.close()
                process.stdin.write(long.encode())
                process.stdin.close()
                error = process.stderr.read()
                self.assertEqual((process.wait(60), error), (0, b""))
        shell = subprocess.run(["bash", "-c", '"$0" inspect "$1" --tensors | head -1; echo ${PIPESTATUS[0]}', SMELT,
                                str(self.model)], capture_output=True, timeout=60)
        self.assertEqual((shell.stdout.splitlines()[1:], shell.stderr), ([b"0"], b""))

    def test_a_slow_reader_gets_everything(self):
        words = ("tokenize", self.model)
        text = "word " * 50000
        wanted = self.ok(*words, stdin=text).out
        process = self.start(*words, stdin=subprocess.PIPE)
        os.set_blocking(process.stdout.fileno(), False)  # this end and the writer's are two descriptions
        process.stdin.write(text.encode())
        process.stdin.close()
        time.sleep(0.3)
        os.set_blocking(process.stdout.fileno(), True)
        self.assertEqual(process.stdout.read(), wanted)

    def test_an_output_that_does_not_block(self):
        read, write = os.pipe()
        os.set_blocking(write, False)
        text = "word " * 50000
        process = self.start("tokenize", self.model, stdin=subprocess.PIPE, stdout=write)
        os.close(write)
        process.stdin.write(text.encode())
        process.stdin.close()
        time.sleep(0.3)
        with open(read, "rb") as stream:
            self.assertEqual(stream.read(), self.ok("tokenize", self.model, stdin=text).out)
        self.assertEqual(process.wait(60), 0)


class Signals(Models):
    def quantize(self, *words, **more):
        """Starts long work and waits until part of its output is on the disk."""
        process = self.start("quantize", self.big, "o.gguf", "--type", "IQ4_XS", "-t", "1", *words, **more)
        self.wait_for(lambda: any(n.endswith(".tmp") and os.path.getsize(self.folder / n) > 0 for n in self.names()),
                      "the beginning of the output")
        return process

    def test_interruptions_leave_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                process = self.quantize()
                process.send_signal(number)
                out, err = process.communicate(timeout=30)
                self.assertEqual((process.returncode, out), (128 + number, b""))
                self.assert_one_line(err, INTERRUPTED)
                self.assertEqual(self.names(), [])

    def test_an_interruption_keeps_the_old_file(self):
        (self.folder / "o.gguf").write_text("old")
        process = self.quantize("--force")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(30), 130)
        self.assertEqual((self.folder / "o.gguf").read_text(), "old")
        self.assertEqual(self.names(), ["o.gguf"])

    def test_two_interruptions_leave_nothing(self):
        process = self.quantize()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        self.assertIn(process.wait(30), (130, -signal.SIGINT))
        self.assertEqual(self.names(), [])

    def test_folders_too(self):
        process = self.start("convert", self.big, "hf", "--type", "f32", "-t", "1")
        self.wait_for(lambda: self.names() != [], "the beginning of the output")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        self.assertEqual((process.returncode, out), (130, b""))
        self.assert_one_line(err, "interrupted; hf was not written")
        self.assertEqual(self.names(), [])

    def test_killed_at_any_time_the_old_file_is_whole(self):
        (self.folder / "o.gguf").write_text("old")
        process = self.quantize("--force")
        process.kill()
        process.wait()
        self.assertEqual((self.folder / "o.gguf").read_text(), "old")
        for delay in (0.0, 0.005, 0.01, 0.02, 0.04):
            process = self.start("quantize", self.model, "o.gguf", "--force")
            time.sleep(delay)
            process.kill()
            process.wait()
            data = (self.folder / "o.gguf").read_bytes()
            if data != b"old":
                self.ok("inspect", "o.gguf")
        self.ok("quantize", self.model, "o.gguf", "--force")

    def test_signals_that_do_no_harm(self):
        process = self.start("quantize", self.big, "o.gguf", "--type", "Q4_0")
        self.wait_until_listening(process)
        for number in (signal.SIGWINCH, signal.SIGCONT, signal.SIGSTOP, signal.SIGCONT):
            time.sleep(0.05)
            process.send_signal(number)
        self.assertEqual(process.wait(60), 0)

    def test_ignored_interruptions_stay_ignored(self):
        process = self.start("quantize", self.big, "o.gguf", "--type", "Q4_0",
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(60), 0)

    def test_while_text_is_written(self):
        process = self.start("run", self.big, "-p", PROMPT, "-n", "-1", "--ignore-end", "-c", "100000", "-t", "1")
        self.assertTrue(self.read_exactly(process, len(PROMPT) + 8).startswith(PROMPT.encode()))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertTrue(out.endswith(b"\n"))
        self.assertRegex(err.decode(), r"\Asmelt: prompt 5 tokens, .*seed \d+\nsmelt: interrupted\n\Z")

    def test_while_waiting_for_input(self):
        for words in (("run", self.model), ("tokenize", self.model), ("chat", self.model)):
            with self.subTest(words):
                process = self.start(*words, stdin=subprocess.PIPE)
                self.wait_until_listening(process)
                time.sleep(0.3)
                process.send_signal(signal.SIGINT)
                err = process.stderr.read().decode()
                self.assertEqual((process.wait(30), process.stdout.read(), err), (130, b"", "smelt: interrupted\n"))

    def test_while_measuring(self):
        text = self.folder / "text"
        text.write_text("Once upon a time there was a fish. " * 2000)
        for words in (("eval", "perplexity", self.big, "--text", text), ("eval", "kl", self.big, "--against", self.big,
                                                                           "--text", text)):
            process = self.start(*words, "-c", "128", "-t", "1")
            self.wait_until_listening(process)
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
            self.assertEqual((process.returncode, out, err), (130, b"", b"smelt: interrupted\n"))

    def test_progress_in_a_log_is_plain_lines(self):
        process = self.quantize()
        started = time.monotonic()
        out, err = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0)
        self.assertRegex(err.decode(), r"\A(?:IQ4_XS: \d+/\d+ MiB \(\d+ %\)[^\r\x1b\n]*\n)*\Z")
        if time.monotonic() - started > 8:
            self.assertGreaterEqual(err.count(b"\n"), 1, "a line every few seconds")


@unittest.skipIf(os.environ.get("SMELT_SANITIZE"), "sanitizers need more than any limit")
class Limits(Models):
    def test_memory(self):
        """However little there is: it works, or one line says that it does not."""
        refused = 0
        for mebibytes in (12, 16, 20, 24, 32, 48, 64):
            for words in (("run", self.model, "-p", PROMPT, "-n", "3"), ("quantize", self.model, "o.gguf", "--force"),
                          ("run", self.big, "-p", PROMPT, "-n", "3"), ("inspect", self.big),
                          ("eval", "perplexity", self.model, "--text", __file__, "--windows", "1")):
                with self.subTest(mebibytes=mebibytes, words=words):
                    result = self.smelt(*words, preexec_fn=limited(resource.RLIMIT_AS, mebibytes << 20))
                    if result.code == 127 or b"error while loading shared libraries" in result.err:
                        continue  # too little to start any program
                    self.assertIn(result.code, (0, 1), result)
                    if result.code == 1:
                        refused += 1
                        self.assert_one_line(result.err)
        self.assertGreater(refused, 0)
        self.assertEqual([n for n in self.names() if n.endswith(".tmp")], [])

    def test_memory_that_the_machine_lacks(self):
        self.refused(1, ["context", "memory"], "run", self.model, "-p", "x", "-c", "900000000")

    def test_open_files(self):
        self.ok("run", self.model, "-p", PROMPT, "-n", "3", preexec_fn=limited(resource.RLIMIT_NOFILE, 16))
        self.ok("quantize", self.model, "o.gguf", preexec_fn=limited(resource.RLIMIT_NOFILE, 16))
        result = self.smelt("run", self.model, "-p", PROMPT, preexec_fn=limited(resource.RLIMIT_NOFILE, 3))
        self.assertNotIn(result.code, (0, -signal.SIGABRT, -signal.SIGSEGV))

    def test_threads(self):
        wanted = self.ok("run", self.model, "-p", PROMPT, "-n", "9", "--temp", "0", "-t", "1").out
        # So little stack space is left that only some of the threads can be had.
        result = self.smelt("run", self.model, "-p", PROMPT, "-n", "9", "--temp", "0", "-t", "200",
                            preexec_fn=limited(resource.RLIMIT_AS, 400 << 20))
        self.assertIn(result.code, (0, 1))
        if result.code == 0:
            self.assertEqual(result.out, wanted)
        self.assertEqual(self.ok("run", self.model, "-p", PROMPT, "-n", "9", "--temp", "0", "-t", "64").out, wanted)


class ChangingFiles(Models):
    def start_writing(self, model):
        process = self.start("run", model, "-p", PROMPT, "-n", "40", "--ignore-end", "-c", "1000", "-t", "1", "--temp", "0")
        self.read_exactly(process, len(PROMPT) + 3)
        return process

    def test_a_model_deleted_or_replaced_in_use_goes_on(self):
        wanted = self.ok("run", self.big, "-p", PROMPT, "-n", "40", "--ignore-end", "-c", "1000", "--temp", "0").out
        model = self.folder / "m.gguf"
        for change in ("delete", "replace"):
            shutil.copyfile(self.big, model)
            process = self.start_writing(model)
            if change == "delete":
                model.unlink()
            else:
                shutil.copyfile(self.model, self.folder / "new.gguf")
                os.replace(self.folder / "new.gguf", model)
            out, _ = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0)
            self.assertEqual(out, wanted[len(PROMPT) + 3:])

    def test_a_model_cut_off_in_use_is_told(self):
        model = self.folder / "m.gguf"
        shutil.copyfile(self.big, model)
        process = self.start_writing(model)
        os.truncate(model, 4096)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, err)
        self.assert_one_line(err, "a file in use became shorter")

    def test_an_input_cut_off_while_it_is_quantized(self):
        model = self.folder / "m.gguf"
        shutil.copyfile(self.big, model)
        process = self.start("quantize", model, "o.gguf", "--type", "IQ4_XS", "-t", "1")
        self.wait_for(lambda: any(n.endswith(".tmp") for n in self.names()), "the beginning of the output")
        os.truncate(model, 4096)
        out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out, self.names()), (1, b"", ["m.gguf"]))
        self.assert_one_line(err, "a file in use became shorter")

    def test_two_at_once_on_one_output(self):
        both = [self.start("quantize", self.model, "o.gguf", "--type", kind) for kind in ("Q4_0", "Q8_0")]
        codes = [p.wait(60) for p in both]
        self.assertIn(0, codes)
        self.assertTrue(set(codes) <= {0, 1})
        self.ok("inspect", "o.gguf")
        self.assertEqual(self.names(), ["o.gguf"])
        read_gguf(self.folder / "o.gguf")


if __name__ == "__main__":
    main()
