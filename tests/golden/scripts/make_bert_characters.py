#!/usr/bin/env python3
"""Prints the rows of src/tokenizers/bert_characters.inc: characters that BERT's normalizer and pre-tokenizer in the PyPI package
`tokenizers` treat otherwise than their general category in newer Unicode tables asks for, since its own are older or newer."""
import unicodedata

from tokenizers import Regex, normalizers, pre_tokenizers

CHINESE = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0xF900, 0xFAFF),
           (0x2F800, 0x2FA1F)]
CODES = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
NEW_CATEGORIES = ["Mn", "Cf", "Pd", "Po", "Ps", "Pe"]


def newer_categories():
    """Of characters that this Python does not know."""
    text = "".join(chr(c) for c in CODES if unicodedata.category(chr(c)) == "Cn")
    return {ord(c): category for category in NEW_CATEGORIES for c in normalizers.Replace(Regex(rf"[^\p{{{category}}}]"), "").normalize_str(text)}


def kind_of_category(code, category):
    if code in (9, 10, 13) or category in ("Zs", "Zl", "Zp"):
        return "space"
    if code in (0, 0xFFFD):
        return "dropped"
    if chr(code) in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" or any(a <= code <= b for a, b in CHINESE) or category[0] == "P":
        return "separate"
    return "dropped" if category in ("Cc", "Cf", "Co", "Cs") else "letter"


def print_ranges(macro, rows):
    """Rows of (code, argument) with codes in order; neighbours with the same argument become one."""
    ranges = []
    for code, argument in rows:
        if ranges and ranges[-1][1] == code - 1 and ranges[-1][2] == argument:
            ranges[-1][1] = code
        else:
            ranges.append([code, code, argument])
    for first, last, argument in ranges:
        print(f"{macro}(0x{first:X}, 0x{last:X}, {argument})")


def main():
    newer = newer_categories()
    cleaner, cutter = normalizers.BertNormalizer(lowercase=False, strip_accents=False), pre_tokenizers.BertPreTokenizer()
    small = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, lowercase=True, strip_accents=True)
    kinds, marks, capitals = [], [], []
    for code in CODES:
        category = newer.get(code, unicodedata.category(chr(code)))
        words = [word for word, _ in cutter.pre_tokenize_str(cleaner.normalize_str(f"a{chr(code)}b"))]
        kind = {"ab": "dropped", "a|b": "space", f"a|{chr(code)}|b": "separate"}.get("|".join(words), "letter")
        if kind != kind_of_category(code, category):
            kinds.append((code, kind))
        made = small.normalize_str(chr(code))
        if len(unicodedata.normalize("NFD", chr(code))) == 1 and (made == "") != (category == "Mn"):
            marks.append((code, "true" if made == "" else "false"))
        if len(made) == 1 and made != chr(code) and unicodedata.category(chr(code)) == "Cn":
            capitals.append((code, ord(made) - code))
    print_ranges("SMELT_BERT_KIND", kinds)
    print_ranges("SMELT_BERT_MARK", marks)
    print_ranges("SMELT_BERT_CAPITAL", capitals)


if __name__ == "__main__":
    main()
