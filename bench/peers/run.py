#!/usr/bin/env python3
"""smelt beside llama.cpp: both on the same files of random weights, with the same threads, in turn within one run; writes the
table of ratios with the project's targets (Markdown and JSON) to build/bench-peers, and prints it.

llama.cpp comes as PyPI's llama-cpp-python, built on this machine for its processor into build/peers-venv (once, 10 to 30
minutes), and its llama_decode is called directly. Results are kept row by row: a run that was cut off goes on where it
stopped. Nothing else should run on the machine meanwhile."""
import argparse
import datetime
import fnmatch
import hashlib
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import venv
from typing import NamedTuple

import measure
import rows
import table

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "bench-peers"
VENV = ROOT / "build" / "peers-venv"
PACKAGE = "llama-cpp-python==0.3.36"
# For this processor, and without the parts that are not called.
CMAKE_ARGS = "-DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAVA_BUILD=OFF"
# g++ before 13 drops the shapes of tiles before ldtilecfg reads them (its header names 8 of the 64 bytes as read), and
# llama.cpp dies of it where the processor has AMX. Such a build goes without; its line of features above the table shows it.
FIRST_COMPILER_FOR_AMX = 13
NO_AMX = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"
HEADING = "## Beside llama.cpp\nHow it is measured: [bench/peers](../bench/peers/README.md).\n"
MOST_ROUNDS = {"deep": 2, "start": 2}  # the first takes long, the second varies little
MARKS = ("<!-- peers table: the output of ./dev bench peers -->", "<!-- end of peers table -->")


class Setup(NamedTuple):
    smelt: pathlib.Path
    python: pathlib.Path
    threads: int
    rounds: int


class Model(NamedTuple):
    stock: pathlib.Path
    packed: pathlib.Path


def parse_arguments(words):
    parser = argparse.ArgumentParser(prog="./dev bench peers", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ", ".join(row.name for row in rows.ROWS)
    parser.add_argument("--rows", default="*", metavar="PATTERNS", help=f"rows, by names or patterns with commas between: {names}")
    parser.add_argument("--measures", metavar="NAMES", help=f"with commas between, from: {', '.join(rows.MEASURES)} (default: "
                        "all but those at depth 4096, which only some rows have)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of each measure; at depth, of memory and of start at most 2 (default 3)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="default: all")
    parser.add_argument("--venv", type=pathlib.Path, metavar="FOLDER", help="environment that has llama-cpp-python already")
    parser.add_argument("--smelt", type=pathlib.Path, default=ROOT / "build" / "release" / "bin" / "smelt", metavar="FILE")
    parser.add_argument("--work", type=pathlib.Path, default=WORK, metavar="FOLDER", help="for models and results")
    parser.add_argument("--keep-models", action="store_true", help="do not delete each row's files, up to 3 GB, after it")
    parser.add_argument("--fresh", action="store_true", help="forget results of earlier runs")
    parser.add_argument("--only-table", action="store_true", help="measure nothing, print what is there")
    parser.add_argument("--docs", action="store_true", help="put the table into docs/benchmarks.md too")
    options = parser.parse_args(words)
    options.rows = choose_rows(parser, options.rows)
    options.measures = choose_measures(parser, options.measures)
    if options.rounds < 1 or options.threads < 1:
        parser.error("--rounds and --threads want at least 1")
    return options


def choose_rows(parser, text):
    patterns = text.split(",")
    for pattern in patterns:
        if not any(fnmatch.fnmatch(row.name, pattern) for row in rows.ROWS):
            parser.error(f"no row is called '{pattern}'; there are {', '.join(row.name for row in rows.ROWS)}")
    return [row for row in rows.ROWS if any(fnmatch.fnmatch(row.name, pattern) for pattern in patterns)]


def choose_measures(parser, text):
    names = text.split(",") if text else None
    for name in names or []:
        if name not in rows.MEASURES:
            parser.error(f"no measure is called '{name}'; there are {', '.join(rows.MEASURES)}")
    return names


# --------------------------------------------------------------------------------------------------------- preparation


def prepare_python(folder):
    """The Python of an environment with llama-cpp-python, which is made if none was named."""
    python = (folder or VENV) / "bin" / "python"
    if not python.exists():
        if folder:
            raise measure.Failure(f"{python} does not exist; --venv wants the folder of a Python environment")
        venv.create(VENV, with_pip=True)
    if subprocess.run([python, "-c", "import llama_cpp"], capture_output=True, check=False).returncode == 0:
        return python
    if folder:
        raise measure.Failure(f"{python} has no llama-cpp-python that can be loaded; leave out --venv to have it built")
    measure.note(f"building {PACKAGE} for this processor into {VENV} …")
    words = [python, "-m", "pip", "install", "--no-binary", "llama-cpp-python", "--no-cache-dir", PACKAGE]
    if subprocess.run(words, env=os.environ | {"CMAKE_ARGS": cmake_args()}, check=False, stdout=sys.stderr).returncode != 0:
        raise measure.Failure(f"{PACKAGE} could not be built: pip's messages are above. It needs a C++ compiler and PyPI; with "
                              "a build of your own, give its environment by --venv")
    return python


def cmake_args():
    version = subprocess.run(["c++", "-dumpversion"], capture_output=True, text=True, check=False).stdout.strip()
    is_gnu = "Free Software" in subprocess.run(["c++", "--version"], capture_output=True, text=True, check=False).stdout
    if platform.machine() != "x86_64" or not is_gnu or int(version.split(".")[0]) >= FIRST_COMPILER_FOR_AMX:
        return CMAKE_ARGS
    return f"{CMAKE_ARGS} -DCMAKE_C_FLAGS='{NO_AMX}' -DCMAKE_CXX_FLAGS='{NO_AMX}'"


def machine_name():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        name = re.search(r"^model name\s*: (.*)$", info.read(), re.MULTILINE)
    return f"{name.group(1).strip() if name else platform.machine()}, {os.cpu_count()} processors"


def identify(setup, commit):
    """What a result depends on besides the row: another program's samples are not mixed with these."""
    digest = hashlib.sha256(setup.smelt.read_bytes()).hexdigest()[:16]
    return {"smelt": commit, "smelt_program": digest, "peer": measure.peer_version(setup.python), "threads": setup.threads,
            "machine": machine_name()}


def current_commit():
    words = ["git", "-C", ROOT, "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else "of unknown commit"


# ------------------------------------------------------------------------------------------------------------- results


def same_programs(a, b):
    """The commit may move without a change of the program."""
    return {**a, "smelt": ""} == {**b, "smelt": ""}


def load_result(path, row, identity):
    if path.exists():
        result = json.loads(path.read_text())
        if same_programs(result["identity"], identity):
            return result
        measure.note(f"{row.name}: earlier results are of another build or machine and are measured anew")
    return {"row": row.name, "identity": identity, "model": {}, "samples": {}}


def save_result(path, result):
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result, indent=1) + "\n")
    part.replace(path)


def open_tasks(result, wanted, rounds):
    """(group, measures) that lack samples, round by round, so that a cut-off run has a bit of everything."""
    for i in range(rounds):
        for group, names in measure.GROUPS.items():
            missing = [name for name in names if name in wanted and len(result["samples"].get(name, [])) <= i]
            if missing and i < MOST_ROUNDS.get(group, rounds):
                yield i, group, missing


def run_row(setup, row, wanted, work, identity):
    path = work / "results" / f"{row.name}.json"
    result = load_result(path, row, identity)
    tasks = list(open_tasks(result, wanted, setup.rounds))
    model = Model(*(work / "models" / f"{row.name}{end}" for end in (".gguf", "-packed.gguf")))
    if not tasks:
        return model
    if not result["samples"]:  # files of another build may differ
        for file in model:
            file.unlink(missing_ok=True)
    measure.note(f"{row.name}: making the model …")
    measure.make_models(setup, row, model)
    result["model"] = measure.describe(setup.smelt, model.stock)
    for i, group, names in tasks:
        measure.note(f"{row.name}: round {i + 1} of {', '.join(names)} …")
        for name, sample in measure.measure_round(setup, model, group, names, smelt_first=i % 2 == 0).items():
            result["samples"].setdefault(name, []).append(sample)
        result["date"] = datetime.date.today().isoformat()
        save_result(path, result)
    return model


def load_results(work, chosen):
    paths = [work / "results" / f"{row.name}.json" for row in chosen]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def write_docs(text):
    path = ROOT / "docs" / "benchmarks.md"
    document = path.read_text()
    if MARKS[0] not in document:
        document = f"{document.rstrip()}\n\n{HEADING}\n{MARKS[0]}\n{MARKS[1]}\n"
    before, mark, rest = document.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not end:
        raise measure.Failure(f"{path} has the line '{MARKS[0]}' and not '{MARKS[1]}'")
    path.write_text(f"{before}{mark}\n{text}{end}{after}")


def report(options):
    results = load_results(options.work, options.rows)
    if not results:
        raise measure.Failure(f"no results in {options.work / 'results'}")
    if not all(same_programs(result["identity"], results[0]["identity"]) for result in results):
        measure.note("note: not all rows are of the same build and machine; the line above the table is the first row's")
    conditions = results[0]["identity"] | {"date": max(result["date"] for result in results),
                                           "others": table.share_of_others(results)}
    text = table.format_table(results, conditions)
    (options.work / "table.md").write_text(text)
    (options.work / "table.json").write_text(json.dumps(table.as_json(results, conditions), indent=1) + "\n")
    if options.docs:
        write_docs(text)
    print(text, end="")


def run(options):
    if options.only_table:
        return report(options)
    if not options.smelt.exists():
        raise measure.Failure(f"{options.smelt} does not exist; ./dev build makes it")
    setup = Setup(options.smelt.resolve(), prepare_python(options.venv), options.threads, options.rounds)
    identity = identify(setup, current_commit())
    if os.getloadavg()[0] > 1:
        measure.note(f"note: the machine is busy (load {os.getloadavg()[0]:.1f}); figures will be low and ratios uncertain")
    for row in options.rows:
        if options.fresh:
            (options.work / "results" / f"{row.name}.json").unlink(missing_ok=True)
        model = run_row(setup, row, rows.measures_of(row, options.measures), options.work, identity)
        for path in () if options.keep_models else model:
            path.unlink(missing_ok=True)
    return report(options)


def main():
    try:
        run(parse_arguments(sys.argv[1:]))
    except measure.Failure as failure:
        sys.exit(f"bench peers: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
