#!/usr/bin/env python3
"""The floors of the house: fails on an include that points up or sideways, or that a folder may not have.

    tools/check_layers.py           checks src/, include/ and examples/, and that ARCHITECTURE.md shows this table
    tools/check_layers.py --write   writes the table into ARCHITECTURE.md
"""
import pathlib, re, sys

FLOORS = [  # lowest first: folders of src/ and what they hold; folders on one floor never include each other
    [("base", "errors, files, threads, memory, progress, units, metadata")],
    [("tensor", "dtypes, shapes, views, quantized block formats"), ("templates", "interpreter of chat templates (Jinja)"), ("sandbox", "runs programs that nobody has read: isolated, within limits")],
    [("kernels", "one folder per operation, one file per instruction set")],
    [("formats", "GGUF, safetensors, Hugging Face folders, llama2.c"), ("tokenizers", "BPE, SentencePiece, WordPiece, conversations and answers")],
    [("models", "one file per architecture family"), ("corpus", "documents of text files and JSON lines, to train on"), ("grammar", "constrained output: grammars, schemas, patterns → token masks")],
    [("runtime", "sessions, KV cache, sampling, speculative decoding, the main path `generate.cc`")],
    [("compress", "quantize and convert whole checkpoints"), ("eval", "perplexity, KL divergence, tasks, speed")],
    [("shrink", "statistics of activations; the smallest loss within a budget of bytes"), ("train", "gradient training (libtorch)")],
    [("api", "implements the public headers of include/smelt/")],
    [("apps", "the `smelt` command: wiring only")],
    [("trainer", "the `smelt-train` command, with what `smelt` hands over to it: wiring only")],
]
PUBLIC_FLOOR = {"result.h": 0, "control.h": 0, "version.h": 0}  # headers of include/smelt/; those not named belong to api
HEAVY = ("fmt/", "nlohmann/", "CLI/", "toml++/", "openssl/", "pcre2", "utf8proc", "zstd")  # slow or private headers: in .cc files only
OWNERS = {  # who may include what of other projects or of the machine
    "torch/": {"train"}, "ATen/": {"train"}, "c10/": {"train"},
    "nlohmann/": {"base", "formats", "tokenizers", "models", "eval", "apps"},  # base: json_walk.cc reads it; models: config.json <-> GGUF's keys; eval: writes items files
    "CLI/": {"apps", "trainer"},
    "utf8proc": {"tokenizers", "templates"},
    "pcre2": {"base", "tokenizers", "compress", "eval"},
    "zstd": {"eval"},
    "toml++/": {"formats"}, "openssl/": {"eval"},
    "gtest/": set(), "gmock/": set(), "benchmark/": set(),
}
ISA_FILE = re.compile(r"(^|_)(x86|arm)_|^isa\b")  # x86_avx2.cc, and what such files share: vec_x86_avx2.h
INTRINSICS = re.compile(r"^(x86intrin|[a-z]mmintrin|immintrin|arm_neon|arm_sve|cpuid)\.h$")
MARKS = ("<!-- floors: written by tools/check_layers.py --write -->\n", "<!-- end of floors -->\n")

FLOOR_OF = {name: floor for floor, folders in enumerate(FLOORS) for name, _ in folders}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)


def table():
    rows = ["| floor | folder | what it holds |", "|---|---|---|"]
    for floor in reversed(range(len(FLOORS))):
        rows += [f"| {floor} | `{name}/` | {what} |" for name, what in FLOORS[floor]]
    return "\n".join(rows) + "\n"


def check_public(header, target):
    """Public headers, and examples, see the standard library and other public headers only."""
    if header == '"' and not target.startswith("smelt/"):
        return "a public header or example includes only the standard library and smelt/*"
    if header == "<" and ("/" in target or target.endswith(".h")):
        return "a public header or example includes only the standard library and smelt/*"
    return None


def check_internal(path, folder, header, target):
    tests = path.stem.endswith(("_test", "_bench", "_fuzz")) or path.stem.startswith("test_")
    if header == '"':
        top, _, rest = target.partition("/")
        if top == "smelt":
            if PUBLIC_FLOOR.get(rest, FLOOR_OF["api"]) > FLOOR_OF[folder]:
                return f"{folder}/ (floor {FLOOR_OF[folder]}) lies below the public header smelt/{rest}"
        elif top not in FLOOR_OF:
            return f"\"{target}\" does not begin with a folder of src/"
        elif top != folder and FLOOR_OF[top] >= FLOOR_OF[folder]:
            way = "up" if FLOOR_OF[top] > FLOOR_OF[folder] else "sideways"
            return f"points {way}: {folder}/ is on floor {FLOOR_OF[folder]}, {top}/ on floor {FLOOR_OF[top]}"
        return None
    if path.suffix == ".h" and target.startswith(HEAVY):
        return f"<{target}> belongs in .cc files"
    if INTRINSICS.match(target) and not ISA_FILE.search(path.name):
        return f"<{target}>: intrinsics are for files named after an instruction set (x86_avx2.cc, vec_x86_avx2.h)"
    for prefix, owners in OWNERS.items():
        if target.startswith(prefix) and folder not in owners and not tests:
            return f"<{target}> is for {', '.join(sorted(owners)) or 'tests'} only"
    return None


def problems(root):
    for path in sorted(p for top in ("src", "include", "examples") for p in (root / top).rglob("*")):
        if path.suffix not in (".h", ".cc", ".inc"):
            continue
        parts, text = path.relative_to(root).parts, path.read_text(encoding="utf-8", errors="replace")
        if parts[0] == "src" and parts[1] not in FLOOR_OF:
            yield f"{path.relative_to(root)}: folder {parts[1]}/ is not in the floor table of tools/check_layers.py"
            continue
        for match in INCLUDE.finditer(text):
            header, target = match.groups()
            found = check_internal(path, parts[1], header, target) if parts[0] == "src" else check_public(header, target)
            if found:
                yield f"{path.relative_to(root)}:{text.count(chr(10), 0, match.start()) + 1}: {found}"


def check_page(root, write):
    page = root / "ARCHITECTURE.md"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    if MARKS[0] not in text or MARKS[1] not in text:
        return ["ARCHITECTURE.md: the marks of the floor table are missing"]
    head, rest = text.split(MARKS[0], 1)
    tail = rest.split(MARKS[1], 1)[1]
    wanted = head + MARKS[0] + table() + MARKS[1] + tail
    if write:
        page.write_text(wanted, encoding="utf-8")
    elif text != wanted:
        return ["ARCHITECTURE.md: the floor table is not that of tools/check_layers.py; run it with --write"]
    return []


def main():
    arguments = [a for a in sys.argv[1:] if a != "--write"]
    root = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parent.parent
    found = list(problems(root)) + check_page(root, "--write" in sys.argv)
    print("\n".join(found) if found else "floors: all includes point down")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
