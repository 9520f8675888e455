"""Documents say what is: commands and options that they show exist, links and paths resolve, lists are whole, and the
README's tour of the command runs.

    docs_test.py BUILD_FOLDER/bin/smelt
"""
import functools, os, pathlib, re, shlex, subprocess, sys, tempfile, unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = sorted(p for pattern in ("*.md", "docs/**/*.md", "models/**/*.md", "tests/**/README.md") for p in ROOT.glob(pattern))
FOLDERS = [p.name for top in (ROOT, ROOT / "src") for p in top.iterdir() if p.is_dir()]
PATH_START = re.compile(rf"^({'|'.join(map(re.escape, FOLDERS))})/")


def run(*command, **options):
    return subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                          **options)


@functools.lru_cache(None)
def help_page(command):
    """The help of `smelt` and the words of command, or None if there is no such command."""
    done = run(SMELT, *command, "--help")
    usage = re.search(r"^Usage: (.*)$", done.stdout, re.M)
    return done.stdout if done.returncode == 0 and usage and usage[1].startswith(" ".join(["smelt", *command])) else None


def children(command=()):
    """Names of the commands that a help page lists."""
    section = re.search(r"^Commands:\n((?:  .*\n)+)", help_page(command) or "", re.M)
    return re.findall(r"^  (\w[\w-]*)", section[1], re.M) if section else []


def options_of(command):
    names = set()
    for line in re.findall(r"^  +(-.*)$", help_page(command), re.M):
        names |= set(re.findall(r"(?:^|, )(--?[\w-]+)", line))
    return names


def command_of(words):
    """The words after `smelt` that name a command: ("eval", "kl")."""
    command = ()
    for word in words:
        if word not in children(command):
            break
        command += (word,)
    return command


def smelt_calls(text):
    """(line, words after `smelt`) of each call in a shell line: pipes and ends of comments are cut."""
    for part in re.split(r"\s\|\s|\s#\s|\s#$", text):
        try:
            words = shlex.split(part)
        except ValueError:
            continue
        while words and re.fullmatch(r"\w+=.*", words[0]):
            words.pop(0)
        if words and re.fullmatch(r"(build/release/bin/|bin/)?smelt", words[0]):
            yield words[1:]


def code_lines(page):
    """Lines of indented or fenced code, and spans between backticks."""
    text = page.read_text()
    fenced = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S))
    indented = re.findall(r"^ {4}(\S.*)$", text, re.M)
    return indented + fenced.splitlines() + spans(page)


def spans(page):
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", page.read_text())


class Commands(unittest.TestCase):
    def check_call(self, words, where):
        command = command_of(words)
        self.assertTrue(command or not words or words[0].startswith("-") or words[0].isupper(), f"{where}: no command in {words}")
        known = options_of(command)
        for word in words:
            if re.match(r"--?[a-zA-Z]", word):
                self.assertIn(word.split("=")[0], known, f"{where}: smelt {' '.join(command)} has no such option")

    def test_calls_in_documents(self):
        n = 0
        for page in PAGES:
            for line in code_lines(page):
                for words in smelt_calls(line):
                    self.check_call(words, f"{page.relative_to(ROOT)}: {line}")
                    n += 1
        self.assertGreater(n, 20)

    def test_examples_in_help(self):
        def visit(command):
            page = help_page(command)
            examples = page.split("\nExamples:\n")[1].splitlines()
            self.assertTrue(examples, command)
            for line in examples:
                for words in smelt_calls(line.strip()):
                    self.check_call(words, f"help of {command}: {line}")
            for child in children(command):
                visit((*command, child))
        visit(())

    def test_every_command_is_in_the_readme(self):
        text = (ROOT / "README.md").read_text()
        self.assertGreater(len(children()), 5)
        for name in children():
            self.assertTrue(f"`smelt {name}`" in text, name)
            for child in children((name,)):
                self.assertTrue(f"`{child}`" in text, f"{name} {child}")

    def test_dev_commands(self):
        known = set(re.findall(r"^  (\w+) ", run(ROOT / "dev", "help").stdout, re.M))
        for page in PAGES:
            for line in code_lines(page):
                for name in re.findall(r"(?:^|\s)\./dev (\w+)", line):
                    self.assertIn(name, known, f"{page.relative_to(ROOT)}: {line}")

    def test_demo_help(self):
        self.assertEqual(run(sys.executable, ROOT / "tools/demo.py", "--help").returncode, 0)


class Pages(unittest.TestCase):
    def test_links_resolve(self):
        for page in PAGES:
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
                if not re.match(r"\w+:", target):
                    self.assertTrue((page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}")

    def test_paths_exist(self):
        """`src/…` and the like, floors without `src/` too; names in capitals stand for something, and * for many."""
        for page in PAGES:
            for span in spans(page):
                if PATH_START.match(span) and not span.startswith("build/") and not re.search(r"[A-Z]{4,}|\s|…|\bx_|NNNN", span):
                    found = [*ROOT.glob(span.rstrip("/")), *(ROOT / "src").glob(span.rstrip("/"))]
                    self.assertTrue(found, f"{page.relative_to(ROOT)}: {span}")

    def test_decisions(self):
        pages = sorted((ROOT / "docs/decisions").iterdir())
        for number, page in enumerate(pages, 1):
            self.assertRegex(page.name, rf"^{number:04d}-[a-z0-9-]+\.md$")
            for part in ("**Context.**", "**Choice.**", "**Refused.**"):
                self.assertIn(part, page.read_text(), page.name)

    def test_every_package_is_explained(self):
        text = (ROOT / "docs/dependencies.md").read_text()
        for page in (ROOT / "setup").glob("packages-*.txt"):
            for line in page.read_text().splitlines():
                if line and not line.startswith("#"):
                    name, _, reason = line.partition(" ")
                    self.assertIn(name, text)
                    self.assertTrue(reason.strip(), f"{page.name}: {name} has no reason")

    def test_width(self):
        """Documents stay readable in a terminal; tables and code may be wider."""
        for page in PAGES:
            for line in re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S).splitlines():
                if not line.startswith(("|", "    ")):
                    self.assertLessEqual(len(line), 145, f"{page.relative_to(ROOT)}: {line[:60]}…")


class Tour(unittest.TestCase):
    def test_readme_tour_runs(self):
        block = next(b for b in re.findall(r"(?:^    .*\n)+", (ROOT / "README.md").read_text(), re.M) if "smelt inspect" in b)
        lines = [line.strip() for line in block.splitlines()]
        self.assertGreater(len(lines), 10)
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(ROOT / "models", f"{folder}/models")
            environment = {**os.environ, "PATH": f"{SMELT.parent}:{os.environ['PATH']}"}
            for line in lines:
                done = run("bash", "-o", "pipefail", "-c", line, cwd=folder, env=environment)
                self.assertEqual(done.returncode, 0, f"{line}\n{done.stderr}")
                self.assertTrue(done.stdout, line)


if __name__ == "__main__":
    SMELT = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
