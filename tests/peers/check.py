#!/usr/bin/env python3
"""Compares smelt with llama.cpp and transformers and prints a table; exit status 1 where they disagree.

    tests/peers/check.py [--only NAME]… [--books FOLDER]     after tests/peers/setup.py; takes minutes
    tests/peers/check.py --if-full                           as a test: sets up what is missing if SMELT_FULL=1 asks for
                                                             the long sweeps, and is skipped (77) otherwise

--only names functions of comparisons.py; SMELT=PATH is the command to test (default build/release/bin/smelt)."""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import comparisons
import toolbox as t

SKIPPED = 77


def models(books):
    stories = t.ROOT / "tests" / "fixtures" / "stories260K" / "stories260K.bin"
    text = t.DATA / "text" / "tinystories-slices" / "minigpt_tinystories.txt"
    if not text.exists():
        text = books / "heldout.txt"
    yield comparisons.Model("stories260K", stories, text)
    if (books / "config.json").exists():
        yield comparisons.Model("books-3m", books, books / "heldout.txt")
    else:
        print(f"no model in {books}: stories260K alone is compared")


def check(books, only):
    failed = rows = 0
    started = time.time()
    for compare in comparisons.ALL + comparisons.ONCE:
        if only and compare.__name__ not in only:
            continue
        for model in ([model] for model in models(books)) if compare in comparisons.ALL else [[]]:
            with tempfile.TemporaryDirectory(dir=t.HOME) as scratch:
                for row in compare(*model, pathlib.Path(scratch)):
                    rows += 1
                    failed += not row.holds
                    print(f"{'ok  ' if row.holds else 'FAIL'} {row.part:<25} {row.model:<12} {row.what:<30} {row.measured}",
                          flush=True)
    print(f"{rows} comparisons, {failed} disagree, {time.time() - started:.0f} s")
    return 1 if failed or rows == 0 else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[f.__name__ for f in comparisons.ALL + comparisons.ONCE])
    parser.add_argument("--books", type=pathlib.Path, default=t.ROOT / "models" / "books-3m")
    parser.add_argument("--if-full", action="store_true")
    arguments = parser.parse_args()
    if arguments.if_full:
        if os.environ.get("SMELT_FULL") != "1":
            print("skipped: ./dev test --full compares with llama.cpp and transformers")
            return SKIPPED
        subprocess.run([sys.executable, t.HERE / "setup.py"], check=True)
    if not (t.HOME / "ready").exists():
        sys.exit("the peers are not built: run tests/peers/setup.py")
    return check(arguments.books, arguments.only)


if __name__ == "__main__":
    sys.exit(main())
