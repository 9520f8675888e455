#!/usr/bin/env python3
"""What smelt's compression keeps, beside llama.cpp's quantizer at equal bytes: mean KL divergence from the full-precision
model on held-out text, with standard errors. Prints the tables of docs/quality.md as Markdown.

    tests/peers/setup.py                                  # once: llama.cpp's tools, to build/peers
    bench/quality.py --model models/books-3m --calib CALIB.txt --heldout models/books-3m/heldout.txt

llama.cpp gets an importance matrix that its own llama-imatrix made of the same calibration text. Two judges: `smelt eval
kl`, and llama.cpp's llama-perplexity --kl-divergence. The calibration text and the held-out text are never the same."""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
MIXES = ["Q4_K_M", "Q4_K_S", "IQ4_XS", "Q3_K_M", "Q3_K_S", "IQ3_S", "IQ3_XXS", "Q2_K", "IQ2_M", "IQ2_XS"]
STEPS = ["Q2_K", "Q3_K_S", "Q3_K_M", "IQ4_XS", "Q4_K_M"]


def run(*command):
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}\nexit status {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout + done.stderr


class Bench:
    def __init__(self, options, work):
        self.o, self.work = options, work
        self.reference = work / "reference"
        self.smelt("eval", "save-reference", options.model, self.reference, "--text", options.heldout, "--kv-type", "f32")

    def smelt(self, *words):
        done = subprocess.run([str(self.o.smelt), *map(str, words)], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"smelt {' '.join(map(str, words))}\n{done.stderr}")
        return done.stdout

    def kl(self, path):
        """Mean KL divergence in nats a token, and its standard error, as smelt measures."""
        out = self.smelt("eval", "kl", path, "--against", self.reference, "--text", self.o.heldout, "--kv-type", "f32",
                         "--compute", "f32", "--json")
        mean = json.loads(out)["mean_kl"]
        return mean["value"], mean["standard_error"]

    def shrink(self, *target, rounding=None):
        out = self.work / "shrunk.gguf"
        extra = ["--rounding", rounding] if rounding else []
        self.smelt("shrink", self.o.model, "-o", out, "--calib", self.o.calib, "--heldout", self.o.heldout, "--force", *extra,
                   *target)
        return out, json.loads((self.work / "shrunk.gguf.json").read_text())


class Peer:
    """llama.cpp's quantizer and judge."""

    def __init__(self, options, work, smelt):
        self.o, self.work = options, work
        self.full = work / "full.gguf"
        smelt("convert", options.model, self.full, "--type", "F16")
        self.matrix = work / "imatrix.gguf"
        run(options.peer / "llama-imatrix", "-m", self.full, "-f", options.calib, "-o", self.matrix, "-c", 512, "-t", 2)
        self.base = work / "base.kld"
        run(options.peer / "llama-perplexity", "-m", self.full, "-f", options.heldout, "-c", 512, "-t", 2,
            "--kl-divergence-base", self.base)

    def quantize(self, mix):
        out = self.work / "peer.gguf"
        run(self.o.peer / "llama-quantize", "--imatrix", self.matrix, self.full, out, mix, 2)
        return out

    def kl(self, path):
        out = run(self.o.peer / "llama-perplexity", "-m", path, "-f", self.o.heldout, "-c", 512, "-t", 2, "--kl-divergence",
                  "--kl-divergence-base", self.base)
        found = re.search(r"Mean\s+KLD:\s+([-\d.]+)\s+±\s+([\d.]+)", out)
        return float(found[1]), float(found[2])


def cell(kl):
    return f" {kl[0]:.5f} ± {kl[1]:.5f} |"


def beside_peer(bench, peer, mixes):
    print("| llama.cpp's mix | its bytes | its KL | smelt's bytes, `--budget` | KL | less | its KL, its judge | smelt's, its judge | less |")
    print("|---|---|---|---|---|---|---|---|---|")
    for mix in mixes:
        theirs = peer.quantize(mix)
        size, kl, kl2 = theirs.stat().st_size, bench.kl(theirs) if readable(bench, theirs) else None, peer.kl(theirs)
        ours, _ = bench.shrink("--budget", size)
        own, own2 = bench.kl(ours), peer.kl(ours)
        first = f"{cell(kl)} {ours.stat().st_size} |{cell(own)} {1 - own[0] / kl[0]:.1%} |" if kl else \
                f" type unknown to smelt | {ours.stat().st_size} |{cell(own)} |"
        print(f"| {mix} | {size} |{first}{cell(kl2)}{cell(own2)} {1 - own2[0] / kl2[0]:.1%} |", flush=True)


def readable(bench, path):
    return subprocess.run([str(bench.o.smelt), "inspect", str(path)], capture_output=True).returncode == 0


def step_by_step(bench, mixes):
    importances = bench.work / "importances.gguf"
    bench.smelt("imatrix", bench.o.model, "--text", bench.o.calib, "-o", importances)
    print("| types of | bytes | no importances | importances | quantized prefix | + feedback | + polish | + solver, same bytes |")
    print("|---|---|---|---|---|---|---|---|")
    for mix in mixes:
        row, out = [], bench.work / "plain.gguf"
        for extra in ([], ["--imatrix", importances]):
            bench.smelt("quantize", bench.o.model, out, "--type", mix, "--force", *extra)
            row.append(bench.kl(out))
        size = out.stat().st_size
        for rounding in ("scales", "feedback", "polished"):
            row.append(bench.kl(bench.shrink("--mix", mix, rounding=rounding)[0]))
        row.append(bench.kl(bench.shrink("--budget", size)[0]))
        print(f"| {mix} | {size} |" + "".join(map(cell, row)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "calib", "heldout"):
        parser.add_argument("--" + name, required=True, type=pathlib.Path)
    parser.add_argument("--smelt", type=pathlib.Path, default=ROOT / "build/release/bin/smelt")
    parser.add_argument("--peer", type=pathlib.Path, default=ROOT / "build/peers/llama/bin", help="folder of llama.cpp's tools")
    parser.add_argument("--mixes", nargs="*", default=MIXES, help="llama.cpp's mixes to stand beside")
    parser.add_argument("--steps", nargs="*", default=STEPS, help="mixes for which the steps are told apart")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        bench = Bench(options, work)
        if options.mixes:
            beside_peer(bench, Peer(options, work, bench.smelt), options.mixes)
            print()
        if options.steps:
            step_by_step(bench, options.steps)


main()
