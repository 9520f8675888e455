"""Tests of tools/check_layers.py and tools/check_sizes.py on small made-up trees: what each must refuse and must accept."""
import pathlib, subprocess, sys, tempfile, unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def run(script, files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([sys.executable, ROOT / "tools" / script, folder], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr


def page():
    return {"ARCHITECTURE.md": (ROOT / "ARCHITECTURE.md").read_text()}


class Layers(unittest.TestCase):
    def refuses(self, path, include, words):
        code, out = run("check_layers.py", {**page(), path: "// head\n#include " + include + "\n"})
        self.assertEqual(code, 1, out)
        self.assertIn(f"{path}:2: ", out)
        self.assertIn(words, out)

    def accepts(self, path, include):
        code, out = run("check_layers.py", {**page(), path: "#include " + include + "\n"})
        self.assertEqual(code, 0, out)

    def test_up_and_sideways(self):
        self.refuses("src/tensor/a.cc", '"models/model.h"', "points up")
        self.refuses("src/formats/a.cc", '"tokenizers/vocab.h"', "points sideways")
        self.refuses("src/base/a.cc", '"smelt/model.h"', "lies below")
        self.accepts("src/models/a.cc", '"formats/gguf.h"')
        self.accepts("src/base/a.h", '"smelt/result.h"')

    def test_unknown_places(self):
        self.refuses("src/base/a.cc", '"a.h"', "does not begin with a folder")
        code, out = run("check_layers.py", {**page(), "src/misc/a.cc": ""})
        self.assertEqual(code, 1, out)
        self.assertIn("not in the floor table", out)

    def test_public_headers_and_examples(self):
        self.refuses("include/smelt/a.h", '"base/result.h"', "public header")
        self.refuses("include/smelt/a.h", "<fmt/format.h>", "public header")
        self.refuses("examples/x/main.cc", '"runtime/generate.h"', "public header")
        self.accepts("include/smelt/a.h", "<vector>")
        self.accepts("include/smelt/a.h", '"smelt/result.h"')

    def test_other_projects(self):
        self.refuses("src/formats/a.h", "<nlohmann/json.hpp>", "belongs in .cc")
        self.refuses("src/runtime/a.cc", "<nlohmann/json.hpp>", "is for")
        self.refuses("src/kernels/matmul/reference.cc", "<immintrin.h>", "intrinsics")
        self.refuses("src/kernels/matmul/index86_a.cc", "<immintrin.h>", "intrinsics")
        self.accepts("src/kernels/matmul/x86_avx2.cc", "<immintrin.h>")
        self.accepts("src/kernels/vec_x86_avx2.h", "<immintrin.h>")
        self.accepts("src/kernels/isa.cc", "<cpuid.h>")

    def test_page_drift(self):
        drifted = {"ARCHITECTURE.md": page()["ARCHITECTURE.md"].replace("| 0 | `base/`", "| 0 | `ground/`")}
        code, out = run("check_layers.py", drifted)
        self.assertEqual(code, 1, out)
        self.assertIn("--write", out)


class Sizes(unittest.TestCase):
    def check(self, text, words=None):
        code, out = run("check_sizes.py", {"src/base/a.cc": text})
        self.assertEqual(code, 1 if words else 0, out)
        if words:
            self.assertIn(words, out)

    def test_file_length(self):
        self.check("\n" * 990)
        self.check("\n" * 1001, "limit 1000")

    def test_function_length(self):
        body = "  x += 1;\n"
        self.check("namespace a {\nint f(int x) {\n" + body * 78 + "}\n}\n")
        self.check("namespace a {\nint f(int x) {\n" + body * 90 + "}\n}\n", "function of 92 lines")
        self.check("class A {\n public:\n  A() : x_{1}, y_(2) {\n" + body * 90 + "}\n};\n", "function of 92 lines")
        self.check("// LONG: one table\nint f(int x) {\n" + body * 90 + "}\n")

    def test_parameters(self):
        self.check("int f(int a, int b, std::map<int, int> c, int d, int e, F<void(int, int)> f) { return 0; }\n")
        self.check("int f(int a, int b, int c, int d, int e, int f, int g) { return 0; }\n", "7 parameters")
        self.check("struct A {\n  A(int a, int b, int c, int d, int e, int f, int g) : x{a} {}\n};\n", "7 parameters")

    def test_nesting(self):
        loop = "for (int i = 0; i < n; ++i) {\n"
        self.check("void f(int n) {\n" + loop * 3 + "}" * 3 + "}\n")
        self.check("void f(int n) {\n" + loop * 4 + "}" * 4 + "}\n", "nested 4 deep")
        self.check("void f(int n) {\n" + loop * 3 + "g([&](int k) {\n" + loop * 3 + "}" * 3 + "});\n" + "}" * 3 + "}\n")

    def test_brackets_in_literals_do_not_count(self):
        self.check("int f() {\n  g(\"{{{\", '{', R\"(}})\"); // {{\n  return 1'000;\n}\n" + "int h(int a) {\n  return a;\n}\n")


if __name__ == "__main__":
    unittest.main()
