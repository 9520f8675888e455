"""An old x86 processor never meets an instruction that it does not have: kernels and whole command on qemu's models of
processors without AVX and without AVX-512, and a look at every object file.

    old_cpu_test.py BUILD_FOLDER
"""
import json, pathlib, re, sys, unittest

from emulation import FULL, Emulated, run, skip_unless

# qemu's name of a processor (qemu-x86_64 -cpu help) and the instruction sets that smelt must find there. qemu 7.2, of
# Debian 12, emulates up to AVX2 and FMA, nothing of AVX-512.
PROCESSORS = {"Nehalem": ["reference"], "SandyBridge": ["reference"], "Haswell": ["avx2", "reference"]}
# Tests of kernels. Every kernel runs; many shapes of the portable code would prove no more about instructions.
TESTS = {"Nehalem": "*-*MatmulTest.EqualsTheSum*:*QMatmulTest.TokensAndThreads*:*Decoder*", "SandyBridge": "Isa.*:KernelLists.*",
         "Haswell": "*avx2*:QMatmul.*:Isa.*:KernelLists.*-*MatmulTest.EqualsTheSum*:*MatmulTest.TokensAndThreads*"}


class OldCpu(Emulated):
    def emulator(self, processor):
        return ["qemu-x86_64", "-cpu", processor]

    def test_the_emulator_refuses_what_the_processor_lacks(self):
        program = BUILD / "bin/one_avx2_instruction"
        self.assertEqual(run(*self.emulator("Nehalem"), program).returncode, -4, "SIGILL is wanted")
        self.done(*self.emulator("Haswell"), program)

    def test_kernels(self):
        for processor, pattern in TESTS.items():
            with self.subTest(processor):
                self.run_gtest(self.emulator(processor), BUILD / "bin/kernels_test", "*" if FULL else pattern, at_least=8)

    def test_the_command(self):
        words = [BUILD / "bin/smelt", "run", "models/books-3m", "-p", "Once upon a time", "-n", "16", "--temp", "0"]
        for processor, isas in PROCESSORS.items():
            with self.subTest(processor):
                shown = json.loads(self.done(*self.emulator(processor), words[0], "devices", "--json"))
                self.assertEqual([each["name"] for each in shown["instruction_sets"]], isas)
                text = self.done(*self.emulator(processor), *words)
                native = self.done(*words, env={"SMELT_ISA": isas[0]}) if runs_here(isas[0]) else None
                self.assertIn(native, (text, None))
                self.assertGreater(len(text), 20)


def runs_here(isa):
    shown = json.loads(run(BUILD / "bin/smelt", "devices", "--json").stdout)
    return isa in [each["name"] for each in shown["instruction_sets"]]


class Objects(unittest.TestCase):
    """Wide registers are used in files named after an instruction set only, and nothing of those files may be taken by
    the linker in the place of another file's copy."""

    def objects(self):
        found = [p for p in (BUILD / "src").rglob("*.cc.o") if not re.search(r"_(test|bench|fuzz)\.cc\.o$", p.name)]
        self.assertGreater(len(found), 100)
        return found

    def is_isa(self, path):
        return re.search(r"(^|_)x86_a[vm]x", path.name) is not None

    def test_wide_registers(self):
        plain = [p for p in self.objects() if not self.is_isa(p)]
        listing = run("objdump", "-d", "--no-show-raw-insn", *plain).stdout
        self.assertIn("%xmm0", listing)
        name, leaks = "", set()
        for line in re.findall(r"(?m)^.*file format.*$|^.*%[yz]mm.*$|^.*\tv\w+ .*%xmm.*$", listing):
            if "file format" in line:
                name = line.split(":")[0]
            else:
                leaks.add(f"{pathlib.Path(name).name}: {line.strip()}")
        self.assertEqual(sorted(leaks)[:10], [])

    def test_no_function_of_an_instruction_set_can_replace_another(self):
        isa = [p for p in self.objects() if self.is_isa(p)]
        self.assertGreater(len(isa), 5)
        weak = re.findall(r"(?m)^.* [WVu] .*$", run("nm", "-C", "--defined-only", *isa).stdout)
        self.assertEqual(weak, [], "inline functions compiled for an instruction set: put them into an unnamed namespace")


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
    skip_unless("qemu-x86_64", "objdump", "nm")
    unittest.main()
