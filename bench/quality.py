#!/usr/bin/env python3
"""What each step of smelt's compression keeps: KL divergence on held-out text, at equal bytes. Prints the tables of
docs/quality.md as Markdown.

    bench/quality.py --smelt build/release/bin/smelt --model models/books-3m --calib CALIB.txt --heldout models/books-3m/heldout.txt
"""
import argparse, json, pathlib, subprocess, tempfile

MIXES = ["Q2_K", "Q3_K_S", "Q3_K_M", "IQ4_XS", "Q4_K_M", "Q5_K_M"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("smelt", "model", "calib", "heldout"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--mixes", nargs="*", default=MIXES)
    parser.add_argument("--budgets", action="store_true", help="also the solver's mix at each mix's bytes")
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)

        def smelt(*words):
            return subprocess.run([o.smelt, *map(str, words)], check=True, capture_output=True, text=True).stdout

        smelt("eval", "save-reference", o.model, work / "r.ref", "--text", o.heldout, "--kv-type", "f32")
        smelt("imatrix", o.model, "--text", o.calib, "-o", work / "i.gguf")

        def judge(path):
            kl = json.loads(smelt("eval", "kl", path, "--against", work / "r.ref", "--text", o.heldout, "--kv-type", "f32",
                                  "--compute", "f32", "--json"))["mean_kl"]
            return kl["value"], kl["standard_error"]

        def shrunk(*target, rounding="polished"):
            out = work / "s.gguf"
            smelt("shrink", o.model, "-o", out, "--calib", o.calib, "--heldout", o.heldout, "--rounding", rounding, "--force", *target)
            return out

        print("| types | bytes | no importances | importances | scales, quantized prefix | + feedback | + polish | solver, same bytes |")
        print("|---|---|---|---|---|---|---|---|")
        for mix in o.mixes:
            row = []
            for extra in ([], ["--imatrix", work / "i.gguf"]):
                smelt("quantize", o.model, work / "q.gguf", "--type", mix, "--force", *extra)
                size = (work / "q.gguf").stat().st_size if not extra else size
                row.append(judge(work / "q.gguf"))
            for rounding in ("scales", "feedback", "polished"):
                row.append(judge(shrunk("--mix", mix, rounding=rounding)))
            if o.budgets:
                row.append(judge(shrunk("--budget", size)))
            print(f"| {mix} | {size} |" + "".join(f" {kl:.5f} ± {error:.5f} |" for kl, error in row), flush=True)


main()
