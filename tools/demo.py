#!/usr/bin/env python3
"""Makes a real model smaller, five times, and shows what was lost: ./dev demo (which builds the command first).

Only the `smelt` command works here; this script runs it, reads its --json and lays out the table. What it runs, and
how long that took, goes to standard error; the table and the texts go to standard output. Every figure is measured in
this run. Exit codes: 0 done, 1 something failed, 2 usage, 130 interrupted.
"""
import argparse, json, os, pathlib, shlex, signal, subprocess, sys, textwrap, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TYPES = ["Q8_0", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K"]
WIDTH = 100
SPEED_TOKENS, SPEED_RUNS = 256, 5


class Failure(Exception):
    """One line for the user."""


def shown(path):
    """The path as it would be typed: relative where it lies below this folder."""
    path = pathlib.Path(path)
    return str(path.relative_to(pathlib.Path.cwd())) if path.is_relative_to(pathlib.Path.cwd()) else str(path)


def coloured(text, code, stream):
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb" or not stream.isatty()
    return text if plain else f"\x1b[{code}m{text}\x1b[0m"


def bold(text, stream=sys.stdout):
    return coloured(text, "1", stream)


def grey(text, stream=sys.stdout):
    return coloured(text, "90", stream)


def say(text):
    print(text, file=sys.stderr, flush=True)


class Smelt:
    """Runs the command, tells what it runs, and turns its failures into one line."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        if not os.access(self.path, os.X_OK):
            raise Failure(f"{path}: no such program; build it with ./dev build")

    def __call__(self, *arguments, quiet=False):
        arguments = [shown(a) if isinstance(a, pathlib.Path) else str(a) for a in arguments]
        if not quiet:
            say("  smelt " + " ".join(shlex.quote(a) for a in arguments if a not in ("--force", "--quick")))
        # On a terminal the command draws its own progress bar and says itself what is wrong.
        watched = sys.stderr.isatty()
        done = subprocess.run([self.path, *arguments, "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=None if watched else subprocess.PIPE, text=True)
        if done.returncode in (130, -signal.SIGINT):
            raise KeyboardInterrupt
        if done.returncode != 0:
            told = (done.stderr or "").strip().splitlines()
            reason = told[-1].removeprefix("smelt: ") if told else f"exit code {done.returncode}"
            raise Failure(f"smelt {arguments[0]} failed: {reason}")
        return json.loads(done.stdout)


def measure_speed(smelt, model, options):
    """Tokens a second in writing, by the fastest of a few runs: the model is small, a run is over in no time, and what else
    the machine does only ever makes it slower. One thread, for the same reason."""
    runs = [smelt("run", model, "-p", options.prompt, "-n", SPEED_TOKENS, "--temp", 0, "--ignore-end", "-t", 1, quiet=True)
            for _ in range(SPEED_RUNS)]
    return max(run["text_tokens_per_second"] for run in runs)


def measure(smelt, name, model, options):
    """A row of the table, all but the comparison with the original."""
    facts = smelt("inspect", model, "--quick", quiet=True)
    text = smelt("run", model, "-p", options.prompt, "-n", options.tokens, "--temp", 0)
    return {"name": name, "path": shown(model), "file_bytes": facts["file_bytes"],
            "bits_per_weight": facts["bits_per_weight"],
            "tokens_per_second": measure_speed(smelt, model, options),
            "peak_memory_bytes": text["peak_memory_bytes"], "text": text["text"], "ids": text["ids"]}


def compare(smelt, model, options):
    """How far the smaller model is from the original, on text that neither was trained on."""
    windows = ["--windows", options.windows] if options.windows else []
    return smelt("eval", "kl", model, "--against", options.model, "--text", options.text, *windows)


def estimate(value):
    return {"value": value["value"], "standard_error": value["standard_error"]}


def perplexity(report):
    return {"value": report["perplexity"], "standard_error": report["standard_error"]}


def model_name(path):
    return path.stem if path.is_file() else path.resolve().name


def shrink(smelt, kind, options):
    path = options.out / f"{model_name(options.model)}-{kind}.gguf"
    smelt("quantize", options.model, path, "--type", kind, "--force")
    row, lost = measure(smelt, kind, path, options), compare(smelt, path, options)
    row.update(perplexity=perplexity(lost["model"]), kl_divergence=estimate(lost["mean_kl"]),
               top1_agreement=estimate(lost["top1_agreement"]), scored_tokens=lost["tokens"])
    return row, lost["reference"]


def run_all(smelt, options):
    options.out.mkdir(parents=True, exist_ok=True)
    say(bold(f"The original, {shown(options.model)}", sys.stderr))
    facts = smelt("inspect", options.model)
    rows = [measure(smelt, "original", options.model, options)]
    for number, kind in enumerate(TYPES, 1):
        say(bold(f"Smaller, {number} of {len(TYPES)}: {kind}", sys.stderr))
        row, reference = shrink(smelt, kind, options)
        rows.append(row)
    rows[0].update(perplexity=perplexity(reference), kl_divergence=None, top1_agreement=None,
                   scored_tokens=row["scored_tokens"])
    return facts, rows


def plus_minus(value, digits, scale=1.0):
    if value is None:
        return "–"
    return f"{value['value'] * scale:.{digits}f} ± {value['standard_error'] * scale:.{digits}f}"


HEADS = ["model", "bytes", "smaller", "bits/\nweight", "tokens\nper s", "peak\nmemory", "perplexity", "KL divergence",
         "same top\nchoice, %"]


def cells(row, original):
    digits = 2 if original["perplexity"]["value"] < 99 else 1
    return [row["name"], f"{row['file_bytes']:,}", f"{original['file_bytes'] / row['file_bytes']:.2f}×",
            f"{row['bits_per_weight']:.2f}", f"{row['tokens_per_second']:,.0f}",
            f"{row['peak_memory_bytes'] / 2**20:.1f} MiB", plus_minus(row["perplexity"], digits),
            plus_minus(row["kl_divergence"], 5), plus_minus(row["top1_agreement"], 1, 100)]


def lay_out(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADS))]
    return ["  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths))).rstrip()
            for line in lines]


def table(rows):
    heads = [[(head.split("\n") if "\n" in head else ["", head])[part] for head in HEADS] for part in (0, 1)]
    lines = lay_out(heads + [cells(row, rows[0]) for row in rows])
    return [bold(line) for line in lines[:2]] + lines[2:]


def same_tokens(ids, original):
    """How many tokens from the beginning are equal."""
    return next((i for i, (a, b) in enumerate(zip(ids, original)) if a != b), min(len(ids), len(original)))


def text_by(row, original, prompt):
    n = same_tokens(row["ids"], original["ids"])
    remark = ""
    if row is not original:
        remark = "  (the same as the original's)" if row["ids"] == original["ids"] else f"  (the same for {n} tokens)"
    body = textwrap.wrap(" ".join((prompt + row["text"]).split()), WIDTH - 4)
    return [bold(row["name"]) + grey(remark)] + ["    " + line for line in body]


def report(facts, rows, options):
    config = facts.get("config", {})
    lines = [bold(f"{shown(options.model)}: {facts['parameters']:,} parameters, {config.get('n_layers')} layers of width "
                  f"{config.get('d_model')}, {config.get('n_vocab'):,} tokens"), ""]
    lines += table(rows)
    lines += ["", *textwrap.wrap(
        f"Perplexity, KL divergence (nats per token) and same top choice: {rows[0]['scored_tokens']:,} tokens of "
        f"{shown(options.text)}, which the model was not trained on, ± one standard error; against the original. "
        f"Bytes: of the weights' file; GGUF files hold the tokenizer too. Tokens per s: writing {SPEED_TOKENS} tokens "
        f"with one thread, the fastest of {SPEED_RUNS} runs.", WIDTH, break_on_hyphens=False)]
    lines += ["", bold("The same beginning, always the likeliest token (smelt run draws instead, and repeats less):")]
    for row in rows:
        lines += text_by(row, rows[0], options.prompt)
    usual = next(row for row in rows if row["name"] == "Q4_K_M")
    command = shown(options.smelt)
    lines += ["", "Go on with:", f"    {command} run {usual['path']} -p \"The old wizard said\"",
              f"    {command} inspect {usual['path']} --tensors", f"    {command} --help"]
    return "\n".join(lines) + "\n"


def as_json(facts, rows, options):
    return json.dumps({"model": shown(options.model), "text": shown(options.text), "prompt": options.prompt,
                       "parameters": facts["parameters"], "speed_tokens": SPEED_TOKENS, "speed_runs": SPEED_RUNS,
                       "rows": rows}, indent=2, ensure_ascii=False) + "\n"


def positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of 1 and above")
    return int(text)


class Parser(argparse.ArgumentParser):
    def error(self, message):
        print(f"demo: {message}; see ./dev demo --help", file=sys.stderr)
        sys.exit(2)


def parse_options():
    p = Parser(prog="./dev demo", description="Makes a real model smaller, five times, and shows what was lost.")
    p.add_argument("--json", action="store_true", help="the figures and texts as one JSON object")
    p.add_argument("--model", type=pathlib.Path, default=ROOT / "models/books-3m", metavar="MODEL",
                   help="the model to start from (default models/books-3m)")
    p.add_argument("--text", type=pathlib.Path, metavar="FILE",
                   help="text to measure the loss on (default heldout.txt in the model's folder)")
    p.add_argument("--windows", type=positive, metavar="N", help="measure on N windows of the text (default: all of it)")
    p.add_argument("--prompt", default="The little girl", metavar="TEXT", help="what all models continue")
    p.add_argument("--tokens", type=positive, default=48, metavar="N", help="how many tokens each writes (default 48)")
    p.add_argument("--out", type=pathlib.Path, default=ROOT / "build/demo", metavar="DIR",
                   help="where the smaller models are left (default build/demo)")
    p.add_argument("--smelt", type=pathlib.Path, default=ROOT / "build/release/bin/smelt", metavar="FILE",
                   help="the command (default build/release/bin/smelt)")
    options = p.parse_args()
    options.text = options.text or options.model / "heldout.txt"
    return options


def check(options):
    if not options.model.exists():
        raise Failure(f"{shown(options.model)}: no such model; --model names another")
    if not options.text.is_file():
        raise Failure(f"{shown(options.text)}: no such file; --text names another")


def main():
    options = parse_options()
    check(options)
    started = time.monotonic()
    facts, rows = run_all(Smelt(options.smelt), options)
    say(f"Done in {time.monotonic() - started:.0f} s.\n")
    sys.stdout.write(as_json(facts, rows, options) if options.json else report(facts, rows, options))
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        say("")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Failure, OSError) as failure:
        say(f"demo: {failure}")
        sys.exit(1)
