"""smelt completions: the scripts are sound for their shells, and the shells complete with them."""
import os
import pathlib
import shutil
import subprocess

from support import ROOT, SMELT, CliTest, Terminal, clean_environment, main


class Scripts(CliTest):
    def script(self, shell):
        path = self.folder / f"smelt.{shell}"
        path.write_bytes(self.ok("completions", shell).out)
        return path

    def shell(self, name):
        if not shutil.which(name):
            self.skipTest(f"{name} is not installed")
        return name

    def environment(self):
        place = self.folder / "bin"
        place.mkdir(exist_ok=True)
        if not (place / "smelt").exists():
            (place / "smelt").symlink_to(pathlib.Path(SMELT).resolve())
        return clean_environment(PATH=f"{place}:{os.environ['PATH']}", HOME=str(self.folder), TERM="xterm")

    def test_syntax(self):
        for shell in ("bash", "zsh", "fish"):
            with self.subTest(shell):
                done = subprocess.run([self.shell(shell), "-n", self.script(shell)], capture_output=True, timeout=60)
                self.assertEqual((done.returncode, done.stderr), (0, b""))

    def bash_completes(self, line):
        """What bash offers for the last word of the line."""
        words = line.split(" ")
        script = f'''source "$1"; shift
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${{#COMP_LINE}}
            _smelt smelt "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}"; printf '%s\\n' "${{COMPREPLY[@]}}"'''
        done = subprocess.run(["bash", "--norc", "-c", script, "bash", self.script("bash"), *words], capture_output=True,
                              timeout=60, cwd=self.folder, env=self.environment())
        self.assertEqual((done.returncode, done.stderr), (0, b""), done.stderr)
        return [w for w in done.stdout.decode().splitlines() if w]

    def test_bash(self):
        (self.folder / "model one.gguf").touch()
        cases = {"smelt ": None, "smelt qu": ["quantize"], "smelt run --kv-type ": ["f16", "q8", "f32"],
                 "smelt run --te": ["--temp"], "smelt eval ": ["perplexity", "kl", "save-reference", "task"],
                 "smelt eval kl --ag": ["--against"], "smelt quantize in out --type Q4_K_": ["Q4_K_M", "Q4_K_S"],
                 "smelt completions ": ["bash", "zsh", "fish"], "smelt run mod": ["model one.gguf"],
                 "smelt run -f mod": ["model one.gguf"], "smelt run --temp ": [], "smelt --ver": ["--version"]}
        for line, wanted in cases.items():
            with self.subTest(line):
                got = self.bash_completes(line)
                if wanted is None:
                    self.assertIn("quantize", got)
                    self.assertEqual(len(got), (ROOT / "src/apps/commands.inc").read_text().count("\nSMELT_COMMAND("))
                else:
                    self.assertEqual(got, wanted)

    def type_in_shell(self, argv, setup, line, wanted):
        """Types the line and a tab in an interactive shell and waits for what it makes of it."""
        terminal = Terminal(self, *argv[1:], env=self.environment(), program=shutil.which(argv[0]))
        terminal.send("echo begin-$((1+1))\n")
        terminal.expect("begin-2")
        terminal.send(setup + "; echo set-$?up\n")
        terminal.expect("set-0up")
        terminal.send(line + "\t")
        terminal.expect(wanted)

    def test_typing_in_bash(self):
        self.shell("bash")
        self.type_in_shell(["bash", "--norc", "-i"], "source <(smelt completions bash)", "smelt quantize --allow", "-requantize")

    def test_typing_in_zsh(self):
        self.shell("zsh")
        self.type_in_shell(["zsh", "-f", "-i"], "autoload -U compinit; compinit -u -D; source <(smelt completions zsh)",
                           "smelt quantize --allow", "-requantize")

    def test_zsh_as_a_file_in_fpath(self):
        self.shell("zsh")
        functions = self.folder / "functions"
        functions.mkdir()
        (functions / "_smelt").write_bytes(self.ok("completions", "zsh").out)
        self.type_in_shell(["zsh", "-f", "-i"], f"fpath=({functions} $fpath); autoload -U compinit; compinit -u -D",
                           "smelt quantize --allow", "-requantize")

    def fish_completes(self, line):
        done = subprocess.run(["fish", "--no-config", "-c", 'source $argv[1]; complete -C $argv[2]', self.script("fish"), line],
                              capture_output=True, timeout=60, cwd=self.folder, env=self.environment())
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return [w.split("\t")[0] for w in done.stdout.decode().splitlines()]

    def test_fish(self):
        self.shell("fish")
        (self.folder / "model.gguf").touch()
        cases = {"smelt qu": ["quantize"], "smelt run --kv-type ": ["f16", "f32", "q8"], "smelt run --te": ["--temp"],
                 "smelt eval ": ["kl", "perplexity", "save-reference"], "smelt quantize in out --type Q4_K_": ["Q4_K_M", "Q4_K_S"],
                 "smelt run mod": ["model.gguf"], "smelt completions ": ["bash", "fish", "zsh"]}
        for line, wanted in cases.items():
            with self.subTest(line):
                self.assertEqual(sorted(self.fish_completes(line)), wanted)


if __name__ == "__main__":
    main()
