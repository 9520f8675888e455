"""Where things are, and one function for each program that the comparisons run. Used by setup.py, check.py and
comparisons.py, and by tests/golden/scripts/make_peer_fixtures.py."""
import json
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
HOME = ROOT / "build" / "peers"
VERSION = "0.3.36"  # of llama-cpp-python, whose source distribution carries llama.cpp
SOURCE = HOME / f"llama_cpp_python-{VERSION}" / "vendor" / "llama.cpp"
BIN = HOME / "llama" / "bin"
PYTHON = HOME / "venv" / "bin" / "python"
SMELT = pathlib.Path(os.environ.get("SMELT", ROOT / "build" / "release" / "bin" / "smelt"))
DATA = pathlib.Path(os.environ.get("SMELT_DATA", ROOT.parent / "shared" / "data"))


def run(*command, timeout=900):
    """Standard output and standard error of a program that must succeed."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=timeout,
                          stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)[:300]}\nexit status {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout, done.stderr


# ------------------------------------------------------------------------------------------------------------- smelt


def smelt_random(shape, kind, out):
    run(SMELT, "make-random", "--shape", shape, "--type", kind, out)
    return out


def smelt_convert(model, out, kind):
    run(SMELT, "convert", model, out, "--type", kind, "--force", "--allow-requantize")
    return out


def smelt_quantize(model, out, kind):
    run(SMELT, "quantize", model, out, "--type", kind, "--force", "--allow-requantize")
    return out


def smelt_tokens(model, text, *more):
    return [int(i) for i in run(SMELT, "tokenize", model, "--special", "-p", text, *more)[0].split()]


def smelt_greedy(model, prompt, n, compute="f32", kv_type="f32"):
    out = run(SMELT, "run", model, "-p", prompt, "-n", n, "--temp", 0, "--ignore-end", "--kv-type", kv_type, "--compute", compute,
              "--json")[0]
    return json.loads(out)["ids"]


def smelt_perplexity(model, text, windows, *more):
    out = run(SMELT, "eval", "perplexity", model, "--text", text, "--windows", windows, "--json", *more)[0]
    return json.loads(out)["perplexity"]


def smelt_kl(model, reference, text, windows):
    out = json.loads(run(SMELT, "eval", "kl", model, "--against", reference, "--text", text, "--windows", windows,
                         "--compute", "f32", "--kv-type", "f32", "--json")[0])
    return out["mean_kl"]["value"], out["top1_agreement"]["value"]


# --------------------------------------------------------------------------------------------------------- llama.cpp


def peer_tokens(model, text, *more):
    out = run(BIN / "llama-tokenize", "-m", model, "-p", text, "--ids", "--no-escape", "--log-disable", *more)[0]
    return json.loads(out)


class Follow:
    """llama.cpp's most likely token at every place of a text, and how far the token that stands there is behind."""

    def __init__(self, model, prompt_ids, following, kv_type="f32"):
        ids = f"-{following}" if isinstance(following, int) else ",".join(map(str, following))
        out = run(BIN / "follow", model, kv_type, ",".join(map(str, prompt_ids)), ids)[0]
        rows = [line.split() for line in out.splitlines()]
        self.best = [int(row[0]) for row in rows]
        self.behind = [float(row[1]) - float(row[2]) for row in rows]
        self.margin = [float(row[1]) - float(row[3]) for row in rows]  # of the best to the second best


def peer_quantize(model, out, kind):
    run(BIN / "llama-quantize", "--allow-requantize", model, out, kind, 1)
    return out


def peer_split(model, prefix, tensors_each):
    run(BIN / "llama-gguf-split", "--split", "--split-max-tensors", tensors_each, model, prefix)
    parts = sorted(prefix.parent.glob(prefix.name + "-*-of-*.gguf"))
    return parts[0], len(parts)


def peer_convert(folder, out, kind):
    run(PYTHON, HERE / "convert_to_gguf.py", SOURCE, folder, out, kind)
    return out


def measure(*arguments, patterns):
    """Numbers of llama-perplexity's report. Its log is written by a thread that may be cut off at the end of the program, so
    that a line is missing now and then: then once more."""
    for _ in range(10):
        text = "".join(run(BIN / "llama-perplexity", "-c", 512, "-b", 512, "-t", 1, *arguments))
        found = [re.search(pattern, text) for pattern in patterns]
        if all(found):
            return [float(each[1]) for each in found]
    raise RuntimeError(f"no {patterns} in the output of llama-perplexity, whose end is:\n{text[-2000:]}")


def peer_perplexity(model, text, windows):
    return measure("-m", model, "-f", text, "--chunks", windows, patterns=[r"Final estimate: PPL = ([0-9.]+)"])[0]


def peer_kl(model, reference, text, windows, scratch):
    base = scratch / "reference.logits"
    measure("-m", reference, "-f", text, "--chunks", windows, "--kl-divergence-base", base, patterns=[])
    kl, same = measure("-m", model, "--chunks", windows, "--kl-divergence-base", base, "--kl-divergence",
                       patterns=[r"Mean +KLD: +([0-9.]+)", r"Same top p: +([0-9.]+)"])
    base.unlink()
    return kl, same / 100


# ------------------------------------------------------------------------------------------------------ transformers


def transformers_answers(folder, question):
    """What transformers_reference.py says of this folder: ids, most likely tokens, perplexity."""
    scratch = HOME / "question.json"
    scratch.write_text(json.dumps(question))
    out = run(PYTHON, HERE / "transformers_reference.py", folder, scratch, timeout=1800)[0]
    return json.loads(out.splitlines()[-1])
