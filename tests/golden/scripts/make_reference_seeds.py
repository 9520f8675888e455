#!/usr/bin/env python3
"""Makes tests/corpora/reference_file_fuzz/: small reference files, written from the description in
src/eval/reference_file.h by this script alone, sound ones and ones that are wrong in a way that a fuzzer would be long in
finding. src/eval/reference_file_test.cc reads the sound ones.

  pip install zstandard
  python make_reference_seeds.py
"""

import math
import pathlib
import struct

import zstandard

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "corpora" / "reference_file_fuzz"
MASK = 2**64 - 1
HALF = round(math.log(2) * 2048)


def hash64(data):
    """base/hash.h, for whole 8-byte words."""
    state = 0x243F6A8885A308D3
    for (word,) in struct.iter_unpack("<Q", data):
        state = (state ^ word) * 0x9E3779B97F4A7C15 & MASK
        state ^= state >> 29
    state = (state ^ state >> 33) * 0xFF51AFD7ED558CCD & MASK
    state = (state ^ state >> 33) * 0xC4CEB9FE1A85EC53 & MASK
    return state ^ state >> 33


def header(n_vocab, n_ctx, first_scored, n_windows, rows_per_block):
    head = b"SMELTREF" + struct.pack("<4IQ4Q2I", 1, n_vocab, n_ctx, first_scored, n_windows, 100, 1, 2, 3, rows_per_block, 0)
    return head + struct.pack("<Q", hash64(head))


def leb128(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def unpacked(rows):
    """rows: (top, log p of the true token, tail, {id: code})."""
    heads = b"".join(struct.pack("<IIff", len(kept), top, true_log_p, tail) for top, true_log_p, tail, kept in rows)
    gaps, codes = b"", []
    for _, _, _, kept in rows:
        expected = 0
        for token in sorted(kept):
            gaps += leb128(token - expected)
            expected = token + 1
            codes.append(kept[token])
    return heads + gaps + bytes(c & 0xFF for c in codes) + bytes(c >> 8 for c in codes)


def frame(raw):
    packed = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(raw)
    return struct.pack("<I", len(packed)) + packed


def block(rows):
    return frame(unpacked(rows))


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    even = (3, -1.5, 0.0, {3: HALF, 9: HALF})
    certain = (7, -0.25, 0.0, {7: 0})
    with_tail = (1, -9.0, 0.5, {1: HALF})
    quarters = (0, -2.0, 0.0, {i: 2 * HALF for i in (0, 1, 200, 40000)})
    files = {
        "sound_two_blocks": header(10, 4, 1, 2, 3) + block([even, certain, even]) + block([certain]),
        "sound_one_row": header(8, 2, 0, 1, 1000) + block([certain]),
        "sound_tail": header(5, 3, 0, 1, 2) + block([with_tail, with_tail]),
        "sound_wide": header(50000, 3, 1, 1, 1) + block([quarters]),
        "many_rows_declared": header(10, 1 << 20, 0, 1000, 1000) + block([even]),
        "adds_up_to_three": header(10, 2, 0, 1, 1) + block([(3, -1.0, 1.0, {3: 0, 4: 0})]),
        "zeros": header(10, 2, 0, 1, 1) + frame(bytes(23)),
        "cut_ids": header(10, 2, 0, 1, 1) + frame(struct.pack("<IIff", 10, 0, 0.0, 0.0) + b"\0\0\0"),
        "long_leb128": header(10, 2, 0, 1, 1) + frame(struct.pack("<IIff", 1, 0, 0.0, 0.0) + b"\xff" * 5),
        # For the part of the fuzz target that reads what a block unpacks to: rows - 1 and n_vocab - 1, then the bytes.
        "unpacked_two_rows": bytes([1, 9]) + unpacked([even, certain]),
        "unpacked_wide": bytes([0, 255]) + unpacked([(0, -2.0, 0.0, {i: 2 * HALF for i in (0, 1, 200, 255)})]),
        "empty_frame": header(10, 2, 0, 1, 1) + frame(b""),
    }
    for name, data in files.items():
        (FOLDER / name).write_bytes(data)


if __name__ == "__main__":
    main()
