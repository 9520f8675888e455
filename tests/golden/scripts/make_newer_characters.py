#!/usr/bin/env python3
"""Prints the rows of src/tokenizers/newer_characters.inc: characters to which the PyPI package `tokenizers` gives a general
category and the Unicode tables of this Python (14.0 with 3.11, as PCRE2 10.42 has them) none, with a stand-in for each."""
import unicodedata

from tokenizers import Regex, normalizers

CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cf".split()
# By the highest code point for which they stand: the same length in bytes, and on the same side of the ranges of pre-tokenizers.
STAND_INS = [(0x4DFF, dict(Lu=0x10C7, Ll=0x10FD, Mn=0x1DC0, Mc=0x903, Po=0x2020, So=0x2600)), (0xFFFF, dict(Lu=0xA792, Ll=0xA793)),
             (0x10FFFF, dict(Lu=0x16E40, Ll=0x16E60, Lm=0x16B40, Lo=0x10000, Mn=0x1D167, Mc=0x1D165, Nd=0x104A0, No=0x10107, Po=0x10100,
                             So=0x1D000, Sm=0x1D6C1, Pd=0x10EAD, Cf=0x1D173))]


def main():
    codes = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF and unicodedata.category(chr(c)) == "Cn"]
    text = "".join(map(chr, codes))
    known = {ord(c): category for category in CATEGORIES for c in normalizers.Replace(Regex(rf"[^\p{{{category}}}]"), "").normalize_str(text)}
    ranges = []
    for code in sorted(known):
        if ranges and ranges[-1][1] == code - 1 and ranges[-1][2] == known[code]:
            ranges[-1][1] = code
        else:
            ranges.append([code, code, known[code]])
    for first, last, category in ranges:
        stand_in = next(row for limit, row in STAND_INS if last <= limit)[category]
        print(f"SMELT_NEWER(0x{first:X}, 0x{last:X}, 0x{stand_in:X})")


if __name__ == "__main__":
    main()
