"""One round of one group of measures: smelt's figures and the peer's, each in a process of its own. Used by run.py."""
import json
import os
import pathlib
import subprocess
import sys
import time

import rows

HERE = pathlib.Path(__file__).resolve().parent
# What one process of each side measures.
GROUPS = {"short": ["pp512", "tg128", "batch8"], "deep": ["pp4096", "tg128@4096"],
          "start": ["start", "start-packed", "memory", "memory-packed"]}


class Failure(Exception):
    """A message for whoever ran the script."""


def call(words, timeout=1800):
    """Standard output of a program that must succeed, its seconds and its largest resident set in MiB."""
    words = [str(word) for word in words]
    begin = time.perf_counter()
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             errors="replace")
    try:
        out, err = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        raise Failure(f"{' '.join(words)}: not done after {timeout} s") from None
    if child.returncode != 0:
        raise Failure(f"{' '.join(words)}: exit status {child.returncode}\n{err[-1500:]}")
    return out, time.perf_counter() - begin


def peak_memory(words):
    """The largest resident set of a program that must succeed, in MiB."""
    words = [str(word) for word in words]
    with open(os.devnull, "r+b") as null:
        child = subprocess.Popen(words, stdin=null, stdout=null, stderr=null)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise Failure(f"{' '.join(words)}: exit status {child.returncode}")
    return usage.ru_maxrss / 1024


def smelt_speed(smelt, model, threads, wanted):
    words = [smelt, "bench", model, "-t", threads, "-r", 1, "--json"]
    words += ["-p", 4096 if "pp4096" in wanted else rows.N_PROMPT if "pp512" in wanted else 0]
    words += ["-n", rows.N_TEXT, "-d", rows.DEPTH if "tg128@4096" in wanted else 0]
    words += ["-b", rows.N_SEQUENCES if "batch8" in wanted else 0]
    figures = json.loads(call(words)[0])
    out = {}
    for name in wanted:
        key = f"{name}.tokens_per_second"
        if key not in figures:
            raise Failure(f"{' '.join(str(word) for word in words)} gave no '{key}'")
        limit = rows.MEASURES[name].limit
        out[name] = {"smelt": figures[key], "share": figures.get(f"{name}.{limit}_share") if limit else None}
    return out


def smelt_start(smelt, model, threads):
    common = [smelt, "run", model, "-t", threads, "-c", rows.CONTEXT, "--temp", 0, "--ignore-end", "--no-echo"]
    seconds = call(common + ["-p", "a", "-n", 1])[1]
    memory = peak_memory(common + ["-p", " a" * (rows.N_PROMPT - 1), "-n", 16])
    return seconds, memory


def smelt_side(setup, model, group, wanted):
    if group != "start":
        return smelt_speed(setup.smelt, model.stock, setup.threads, wanted)
    out = {}
    for suffix, path in (("", model.stock), ("-packed", model.packed)):
        if f"start{suffix}" in wanted or f"memory{suffix}" in wanted:
            seconds, memory = smelt_start(setup.smelt, path, setup.threads)
            out |= {f"start{suffix}": {"smelt": seconds}, f"memory{suffix}": {"smelt": memory}}
    return {name: out[name] for name in wanted}


def peer_side(setup, model, group, wanted):
    script = HERE / "peer.py"
    if group != "start":
        return json.loads(call([setup.python, script, "speed", model.stock, setup.threads, *wanted])[0])
    figures = json.loads(call([setup.python, script, "start", model.stock, setup.threads, rows.CONTEXT])[0])
    return {name: figures[name.removesuffix("-packed")] for name in wanted}  # the peer has the stock file in both


def peer_version(python):
    return json.loads(call([python, HERE / "peer.py", "version"])[0])


def processor_seconds():
    """Of all processors: (busy, at all), stolen by a hypervisor's other guests included; and of this script's children."""
    with open("/proc/stat", encoding="ascii") as stat:
        ticks = [int(word) for word in stat.readline().split()[1:9]]
    times = os.times()
    tick = os.sysconf("SC_CLK_TCK")
    return (sum(ticks) - ticks[3] - ticks[4]) / tick, sum(ticks) / tick, times.children_user + times.children_system


def share_of_others(before, after):
    """How much of the processors other programs had meanwhile."""
    busy, total, own = (now - then for then, now in zip(before, after))
    return max(0.0, busy - own) / total if total > 0 else 0.0


def measure_round(setup, model, group, wanted, smelt_first):
    """{measure: {"smelt": …, "peer": …, "share": …}}; who comes first alternates, so that a drift of the machine's speed
    favours neither."""
    sides = [smelt_side, peer_side] if smelt_first else [peer_side, smelt_side]
    before = processor_seconds()
    figures = {side: side(setup, model, group, wanted) for side in sides}
    others = share_of_others(before, processor_seconds())
    return {name: figures[smelt_side][name] | {"peer": figures[peer_side][name], "others": others} for name in wanted}


def make_models(setup, row, model):
    """The row's file of random weights, and the same in the packed layout, where they are not there yet."""
    model.stock.parent.mkdir(parents=True, exist_ok=True)
    if not model.stock.exists():
        call([setup.smelt, "make-random", "--shape", row.shape, "--type", row.type, model.stock])
    if not model.packed.exists():
        call([setup.smelt, "convert", model.stock, model.packed, "--layout", "packed"])


def describe(smelt, stock):
    """Bytes that the file and the KV cache take."""
    config = json.loads(call([smelt, "inspect", stock, "--json"])[0])["config"]
    kv = 2 * 2 * config["n_layers"] * config["n_kv_heads"] * config["d_head"] * rows.CONTEXT
    return {"file_bytes": stock.stat().st_size, "kv_bytes": kv}


def note(text):
    print(text, file=sys.stderr, flush=True)
