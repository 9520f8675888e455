#!/usr/bin/env python3
"""Compares smelt's block formats with PyPI's gguf on fresh random blocks: decoding bit for bit on 10,000 blocks of every type
that both decode, encoding by mean squared error for every type that gguf encodes. Exit status 1 where they disagree.

    tests/sweeps/blocks.py [--tool FILE] [--blocks N] [--seed N]
    tests/sweeps/blocks.py --if-full …      as a test: skipped (77) unless SMELT_FULL=1

Without --seed every run has other blocks; the seed is printed. The packages are taken from the virtual environment
SMELT_PEER_VENV, or from one made in build/sweeps. src/tensor/decode_golden_test.cc compares 10,000 fixed blocks a type
with hashes in every run of the tests."""

import argparse
import os
import pathlib
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ["gguf==0.19.0", "numpy"]
SKIPPED = 77
VALUES = 1 << 18
SEEDS = 4  # of every kind of values


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default=str(ROOT / "build/release/bin/block_tool"))
    parser.add_argument("--blocks", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--if-full", action="store_true")
    return parser.parse_args()


def find_python():
    folder = pathlib.Path(os.environ.get("SMELT_PEER_VENV") or ROOT / "build/sweeps/venv")
    python = folder / "bin/python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    found = subprocess.run([python, "-c", "import gguf, numpy"], capture_output=True, check=False)
    if found.returncode != 0:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return str(python)


class Tool:
    def __init__(self, path):
        self.path = path

    def run(self, *words, data=b""):
        return subprocess.run([self.path, *words], input=data, capture_output=True, check=True).stdout

    def types(self):
        """Name → values and bytes of a block."""
        lines = self.run("types").decode().split("\n")
        return {f[0]: (int(f[1]), int(f[2])) for f in (line.split() for line in lines) if f}


def random_blocks(name, n, size, random, np, fixtures):
    """Any bytes; every 8th block has scales that are zero, subnormal, largest, infinite or NaN."""
    blocks = random.integers(0, 256, (n, size), dtype=np.uint8)
    for offset in fixtures.SCALES.get(name, []):
        special = random.choice(np.array(fixtures.SPECIAL, dtype="<u2"), len(blocks[::8]))
        blocks[::8, offset : offset + 2] = special.view(np.uint8).reshape(-1, 2)
    return blocks


def compare_decoders(tool, arguments, np, gguf, fixtures):
    random = np.random.default_rng(arguments.seed)
    failed = []
    for name, (_, size) in tool.types().items():
        blocks = random_blocks(name, arguments.blocks, size, random, np, fixtures)
        try:
            with np.errstate(all="ignore"):
                expected = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[name])
        except (NotImplementedError, KeyError):
            print(f"decode {name:<7} gguf does not decode it")
            continue
        ours = np.frombuffer(tool.run("decode", name, data=blocks.tobytes()), dtype="<f4")
        different = int((fixtures.float_bits(ours) != fixtures.float_bits(expected.ravel())).sum())
        failed += [name] if different or ours.size != expected.size else []
        print(f"decode {name:<7} {len(blocks)} blocks, {ours.size} values, {different} differ")
    return failed


def compare_encoders(tool, arguments, np, gguf, fixtures):
    failed = []
    for name, (block, _) in tool.types().items():
        kind_of = getattr(gguf.GGMLQuantizationType, name, None)
        if block == 1 or kind_of is None:
            continue
        try:
            gguf.quants.quantize(np.zeros((1, 256), dtype=np.float32), kind_of)
        except NotImplementedError:
            print(f"encode {name:<7} gguf does not encode it")
            continue
        ratios = []
        for kind in fixtures.KINDS:
            for turn in range(SEEDS):
                values = fixtures.random_values(kind, VALUES, arguments.seed + turn + 1)
                theirs = gguf.quants.dequantize(gguf.quants.quantize(values.reshape(-1, 1024), kind_of), kind_of)
                encoded = np.frombuffer(tool.run("encode", name, data=values.tobytes()), dtype=np.uint8)
                ours = gguf.quants.dequantize(encoded.reshape(VALUES // 1024, -1), kind_of)
                ratios.append(fixtures.mse(values, ours) / fixtures.mse(values, theirs))
        failed += [name] if max(ratios) > 1 else []
        print(f"encode {name:<7} {len(ratios)} sets of {VALUES} values: error is {min(ratios):.4f} to {max(ratios):.4f} of "
              "gguf's")
    return failed


def main():
    arguments = parse_arguments()
    if arguments.if_full and os.environ.get("SMELT_FULL") != "1":
        print("skipped: ./dev test --full compares with PyPI's gguf")
        return SKIPPED
    python = find_python()
    if pathlib.Path(sys.prefix) != pathlib.Path(python).parents[1]:
        os.execv(python, [python, __file__, f"--seed={arguments.seed}", *sys.argv[1:]])
    sys.path.insert(0, str(ROOT / "tests/golden/scripts"))
    import gguf
    import make_block_fixtures as fixtures
    import numpy as np

    print(f"seed {arguments.seed}", flush=True)
    parts = (Tool(arguments.tool), arguments, np, gguf, fixtures)
    failed = compare_decoders(*parts) + compare_encoders(*parts)
    print(f"disagree: {' '.join(failed)}" if failed else "all agree")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
