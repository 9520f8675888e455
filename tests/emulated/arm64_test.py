"""The lower floors on 64-bit Arm: cross-compiled (preset arm64), their tests run under qemu-user, on a processor that
has every instruction set that smelt knows and on one that has none but the baseline.

    arm64_test.py BUILD_FOLDER

The build is made in BUILD_FOLDER/arm64.
"""
import os, pathlib, sys, unittest

from emulation import FULL, SKIPPED, Emulated, run, skip_unless

QEMU = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]
GOOGLETEST = pathlib.Path("/usr/src/googletest/CMakeLists.txt")
ALL = QEMU + ["-cpu", "max"]
OLD = QEMU + ["-cpu", "cortex-a72"]  # Armv8.0: neither dot products nor matrices


class Arm64(Emulated):
    @classmethod
    def setUpClass(cls):
        done = run("cmake", "--preset", "arm64", "-B", FOLDER, "-DCMAKE_CXX_FLAGS_RELEASE=-O2")
        if done.returncode == 0:
            done = run("cmake", "--build", FOLDER, "-j", os.environ.get("SMELT_JOBS", os.cpu_count()), "--target",
                       "base_test", "tensor_test", "kernels_test", timeout=1500)
        if done.returncode != 0:
            raise AssertionError(f"{done.stdout[-4000:]}{done.stderr[-4000:]}")

    def test_base(self):
        self.run_gtest(ALL, FOLDER / "bin/base_test", at_least=50)

    def test_tensor(self):
        # The search for best scales is the same code on every processor, and long.
        self.run_gtest(ALL, FOLDER / "bin/tensor_test", "*" if FULL else "-*Encode*", at_least=20)

    def test_kernels_of_a_new_processor(self):
        self.assertEqual(self.usable(ALL), ["i8mm", "dotprod", "neon", "reference"])
        self.run_gtest(ALL, FOLDER / "bin/kernels_test", "*" if FULL else "-*reference*", at_least=20)

    def test_kernels_of_an_old_processor(self):
        self.assertEqual(self.usable(OLD), ["neon", "reference"])
        self.run_gtest(OLD, FOLDER / "bin/kernels_test", "*" if FULL else "*reference*:Isa.*:KernelLists.*",
                       at_least=20)

    def usable(self, emulator):
        """By the names of a suite's tests, which are made from the instruction sets found."""
        lines = self.done(*emulator, FOLDER / "bin/kernels_test", "--gtest_list_tests").splitlines()
        names = [line.split("/")[1].split()[0] for line in lines if line.startswith("  RmsNorm")]
        return list(dict.fromkeys(names))


if __name__ == "__main__":
    FOLDER = pathlib.Path(sys.argv.pop(1)).resolve() / "arm64"
    skip_unless("aarch64-linux-gnu-g++", "qemu-aarch64")
    if not GOOGLETEST.exists():
        print("skipped: no /usr/src/googletest here (setup/packages-test.txt)")
        sys.exit(SKIPPED)
    unittest.main()
