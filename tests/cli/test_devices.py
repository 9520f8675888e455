"""smelt devices: what it shows of the machine is what the machine says, and SMELT_ISA changes what is chosen."""
import json
import os
import pathlib
import platform

from support import CliTest, clean_environment, main


class Devices(CliTest):
    def shown(self, **changes):
        return json.loads(self.ok("devices", "--json", env=clean_environment(**changes)).out)

    def test_text(self):
        text = self.ok("devices").text
        for title in ("processor", "threads", "caches", "memory", "instruction sets", "kernels", "SMELT_ISA"):
            self.assertRegex(text, rf"(?m)^{title} +\S")
        self.assertRegex(text, r"(?m)^ +reference +portable C\+\+$")

    def test_json(self):
        shown = self.shown()
        self.assertEqual(list(shown), ["processor", "threads", "processors", "caches", "memory_bytes", "memory_budget_bytes",
                                       "instruction_sets", "chosen", "kernels", "SMELT_ISA"])
        self.assertLessEqual(shown["threads"], len(os.sched_getaffinity(0)))
        self.assertEqual(shown["memory_bytes"], os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE"))
        self.assertLessEqual(shown["memory_budget_bytes"], shown["memory_bytes"])
        names = [each["name"] for each in shown["instruction_sets"]]
        self.assertEqual(names[-1], "reference")
        self.assertEqual(shown["chosen"], names[0])
        self.assertLessEqual(set(shown["kernels"].values()), set(names))
        self.assertEqual(shown["SMELT_ISA"], "")

    def test_the_flags_of_the_system_agree(self):
        flags = set()
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                flags = set(line.split(":")[1].split())
        names = {each["name"] for each in self.shown()["instruction_sets"]}
        wide = {"avx512f", "avx512bw", "avx512vl", "avx512dq"}
        needed = {"x86_64": {"avx2": {"avx2", "fma", "f16c"}, "avxvnni": {"avx2", "avx_vnni"}, "avx512": wide,
                             "avx512vl_vnni": wide | {"avx512_vnni"},
                             "avx512vnni": wide | {"avx512_vnni", "avx512vbmi", "avx512_bf16"},
                             "amxint8": wide | {"avx512_vnni", "avx512vbmi", "avx512_bf16", "amx_tile", "amx_int8"}},
                  "aarch64": {"neon": {"asimd"}, "dotprod": {"asimddp"}, "i8mm": {"asimddp", "i8mm"}}}
        wanted = {isa for isa, needs in needed.get(platform.machine(), {}).items() if needs <= flags}
        self.assertEqual(names - {"reference"}, wanted)

    def test_an_instruction_set_is_forced(self):
        for name in [each["name"] for each in self.shown()["instruction_sets"]]:
            shown = self.shown(SMELT_ISA=name)
            self.assertEqual((shown["chosen"], shown["SMELT_ISA"]), (name, name))
        self.assertEqual(set(self.shown(SMELT_ISA="reference")["kernels"].values()), {"reference"})
        text = self.ok("devices", env=clean_environment(SMELT_ISA="reference")).text
        self.assertRegex(text, r"(?m)^SMELT_ISA +reference: ")

    def test_one_that_cannot_be_used_is_told(self):
        other = "neon" if platform.machine() == "x86_64" else "avx2"
        for name, why in (("nonsense", "is not an instruction set"), (other, "this machine cannot run")):
            done = self.ok("devices", env=clean_environment(SMELT_ISA=name))
            self.assertRegex(done.text, rf"(?m)^SMELT_ISA +ignored: .*{why}")
            self.assertIn(why, done.err.decode())
            self.assertEqual(self.shown(SMELT_ISA=name)["chosen"], self.shown()["chosen"])


if __name__ == "__main__":
    main()
