#!/usr/bin/env python3
"""Makes tests/fixtures/tensor/: what the PyPI package gguf decodes from 10,000 pseudo-random blocks of each format (as
hashes) and the mean squared errors of its encoders, to which src/tensor/decode_golden_test.cc and encode_test.cc
compare ours.

  pip install gguf numpy
  python make_block_fixtures.py [--ggml libggml-base.so]

The blocks and values come from a counter-based generator that src/tensor/test_data.h implements too, so the fixtures
are small. With --ggml, the errors of llama.cpp's own encoders (with an importance of one, their best search) are
recorded as well.
"""

import argparse
import ctypes
import pathlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

BLOCKS = 10_000
GROUP = 500  # blocks a hash
VALUES = 65_536
ROW = 1024
# Byte offsets of the f16 scales in a block; every 8th block gets special ones.
SCALES = {
    "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q2_K": [80, 82], "Q3_K": [108],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0],
    "TQ1_0": [52], "TQ2_0": [64],
}
# Zeros, subnormals, the smallest normal, the largest finite, -infinity, NaN.
SPECIAL = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x7BFF, 0xFC00, 0x7E00]
KINDS = ["uniform", "bell", "heavy", "shifted", "outliers", "weights"]
ENCODED = [*SCALES]


def splitmix64(seed, index):
    index = np.asarray(index, dtype=np.uint64)
    z = np.uint64(seed) + (index + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniform24(seed, index):
    return (splitmix64(seed, index) >> np.uint64(40)).astype(np.float64) * 2.0**-24


def random_values(kind, n, seed):
    at = np.arange(n, dtype=np.uint64) * np.uint64(6)
    x = sum((uniform24(seed, at + np.uint64(k)) for k in range(6)), -3.0)
    if kind == "uniform":
        x = 2 * uniform24(seed, at) - 1
    if kind == "heavy":
        x = x * x * x
    if kind == "shifted":
        x = x + 1.5
    if kind == "outliers":
        x[::61] *= 8
    if kind == "weights":
        x = x * 2.0**-5
    return x.astype(np.float32)


def random_blocks(name):
    size = gguf.GGML_QUANT_SIZES[Type[name]][1]
    words = splitmix64(int(Type[name]), np.arange((BLOCKS * size + 7) // 8))
    blocks = words.view(np.uint8)[: BLOCKS * size].reshape(BLOCKS, size).copy()
    for k, offset in enumerate(SCALES[name]):
        for turn, block in enumerate(range(0, BLOCKS, 8)):
            blocks[block, offset : offset + 2] = np.array([SPECIAL[(turn + 3 * k) % 8]], dtype="<u2").view(np.uint8)
    return blocks


def hash_words(words):
    """Sum of (word + 1) times random odd numbers, modulo 2^64."""
    words = words.astype(np.uint64).ravel()
    return int(((words + np.uint64(1)) * (splitmix64(0, np.arange(words.size)) | np.uint64(1))).sum(dtype=np.uint64))


def float_bits(values):
    """Bits of f32 values; every NaN counts as the same one, since its payload depends on the order of operands."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32).copy()
    bits[np.isnan(values)] = 0x7FC00000
    return bits


def decode_lines():
    for name in SCALES:
        blocks = random_blocks(name)
        values = gguf.quants.dequantize(blocks, Type[name])
        for first in range(0, BLOCKS, GROUP):
            yield f"{name} {first} {hash_words(float_bits(values[first:first + GROUP])):016x}"
    every = np.arange(65_536, dtype=np.uint16)
    yield f"F16 0 {hash_words(float_bits(gguf.quants.dequantize(every.view(np.uint8), Type.F16))):016x}"
    yield f"BF16 0 {hash_words(float_bits(gguf.quants.dequantize(every.view(np.uint8), Type.BF16))):016x}"


def narrowing_lines():
    """f32 -> f16 and bf16: random bit patterns, and patterns whose low bits are such that many are ties."""
    bits = (splitmix64(7, np.arange(200_000)) >> np.uint64(32)).astype(np.uint32)
    bits[50_000:100_000] &= np.uint32(0xFFFFF000)
    bits[100_000:150_000] &= np.uint32(0xFFFF8000)
    bits[150_000:] = (bits[150_000:] & np.uint32(0x87FFFFFF)) | np.uint32(0x30000000)  # around f16's subnormals
    values = bits.view(np.float32)
    nan = np.isnan(values)
    with np.errstate(over="ignore"):
        halves = values.astype(np.float16).view(np.uint16).copy()
    halves[nan] = 0x7E00
    yield f"F16 narrow {hash_words(halves):016x}"
    brains = gguf.quants.quantize(values, Type.BF16).view(np.uint16).copy()
    brains[nan] = 0x7FC0
    yield f"BF16 narrow {hash_words(brains):016x}"


def mse(values, decoded):
    return float(((decoded.reshape(-1).astype(np.float64) - values.astype(np.float64)) ** 2).mean())


def ggml_encode(library, values, name):
    block, size = gguf.GGML_QUANT_SIZES[Type[name]]
    out = np.zeros(values.size // block * size, dtype=np.uint8)
    importance = np.ones(ROW, dtype=np.float32)
    pointer = ctypes.c_void_p
    library.ggml_quantize_chunk(int(Type[name]), values.ctypes.data_as(pointer), out.ctypes.data_as(pointer),
                                ctypes.c_int64(0), ctypes.c_int64(values.size // ROW), ctypes.c_int64(ROW),
                                importance.ctypes.data_as(pointer))
    return out


def encode_lines(library):
    for name in ENCODED:
        for kind in KINDS:
            values = random_values(kind, VALUES, 1)
            try:
                encoded = gguf.quants.quantize(values.reshape(-1, ROW), Type[name])
                yield f"{name} {kind} gguf {mse(values, gguf.quants.dequantize(encoded, Type[name])):.9e}"
            except NotImplementedError:
                pass
            if library:
                decoded = gguf.quants.dequantize(ggml_encode(library, values, name), Type[name])
                yield f"{name} {kind} llama.cpp {mse(values, decoded):.9e}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ggml", help="path of llama.cpp's libggml-base.so")
    arguments = parser.parse_args()
    library = ctypes.CDLL(arguments.ggml) if arguments.ggml else None
    folder = pathlib.Path(__file__).resolve().parents[2] / "fixtures" / "tensor"
    folder.mkdir(parents=True, exist_ok=True)
    head = "# Made by tests/golden/scripts/make_block_fixtures.py with PyPI gguf; figures only, no licence needed.\n"
    decode = head + "# format, first block of 500 (or 'narrow': f32 to this type), hash\n"
    (folder / "block_decode.txt").write_text(decode + "\n".join([*decode_lines(), *narrowing_lines()]) + "\n")
    encode = head + "# format, kind of values, encoder, its mean squared error on 65536 values\n"
    (folder / "block_encode.txt").write_text(encode + "\n".join(encode_lines(library)) + "\n")


if __name__ == "__main__":
    main()
