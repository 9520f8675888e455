"""Installs the library and the command into an empty prefix, builds examples/ against it as an outside project would,
and runs both on tests/fixtures/stories260K.

    install_test.py BUILD_FOLDER CXX_COMPILER
"""
import os, pathlib, shutil, subprocess, sys, tempfile, unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MODEL = ROOT / "tests/fixtures/stories260K/stories260K.bin"
HEADERS = {"control.h", "evaluate.h", "model.h", "quantize.h", "result.h", "text_session.h", "tokenizer.h", "version.h"}


def run(*command):
    done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(str(c) for c in command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = pathlib.Path(cls.folder.name)
        cls.prefix = cls.work / "prefix"
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def outside_project(self, name, files):
        """Configures and builds a project that knows the prefix only; returns its build folder."""
        source, build = self.work / name, self.work / f"{name}-build"
        if build.exists():
            return build
        source.mkdir()
        for file, text in files.items():
            (source / file).write_text(text)
        # Ninja, as a fresh machine has no make.
        run("cmake", "-G", "Ninja", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}",
            f"-DCMAKE_CXX_COMPILER={COMPILER}")
        run("cmake", "--build", build, "-j", "2")
        return build

    def test_headers_are_the_public_ones(self):
        self.assertEqual({p.name for p in (self.prefix / "include/smelt").iterdir()}, HEADERS)

    def test_no_path_of_the_build_is_left(self):
        for file in (self.prefix / "lib").rglob("*.cmake"):
            for path in (str(ROOT), str(BUILD)):
                self.assertNotIn(path, file.read_text(), file.name)

    def examples(self):
        return self.outside_project("examples", {p.name: p.read_text() for p in (ROOT / "examples").iterdir() if p.is_file()})

    def test_example_runs_outside(self):
        small = self.work / "small.gguf"
        told = run(self.examples() / "shrink_and_run", MODEL, small)
        smelt = self.prefix / "bin/smelt"
        text = run(smelt, "run", small, "-p", "Once upon a time", "-n", 60, "--temp", 0)
        self.assertRegex(told, rf"^\d+ bytes of weights became a file of {small.stat().st_size}\n")
        self.assertEqual(told.split("\n", 1)[1], text)
        self.assertGreater(len(text), 100)

    def test_example_fails_with_one_line(self):
        done = subprocess.run([self.examples() / "shrink_and_run", self.work / "no.gguf", self.work / "x.gguf"], capture_output=True,
                              text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (1, "", 1))
        self.assertRegex(done.stderr, r"^shrink_and_run: .*no\.gguf: ")

    def test_each_header_stands_alone(self):
        """Included first and alone, with warnings as errors, and by C++20 without extensions."""
        cmake = ("cmake_minimum_required(VERSION 3.22)\nproject(alone LANGUAGES CXX)\nset(CMAKE_CXX_EXTENSIONS OFF)\n"
                 "find_package(smelt 0.1 REQUIRED)\nfile(GLOB sources *.cc)\nadd_library(alone STATIC ${sources})\n"
                 "target_compile_options(alone PRIVATE -Wall -Wextra -Werror)\ntarget_link_libraries(alone PRIVATE smelt::smelt)\n")
        sources = {f"{name}.cc": f'#include "smelt/{name}"\n#include "smelt/{name}"\n' for name in HEADERS}
        self.outside_project("alone", {"CMakeLists.txt": cmake, **sources})

    def test_completions_are_installed(self):
        for place, mark in (("bash-completion/completions/smelt", "complete "), ("zsh/site-functions/_smelt", "#compdef smelt"),
                            ("fish/vendor_completions.d/smelt.fish", "complete -c smelt")):
            self.assertIn(mark, (self.prefix / "share" / place).read_text(), place)


if __name__ == "__main__":
    BUILD, COMPILER = pathlib.Path(sys.argv.pop(1)).resolve(), sys.argv.pop(1)
    unittest.main()
