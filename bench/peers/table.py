"""From samples to the table: medians, ratios taken within a round, targets beside the results. Used by run.py."""
import statistics
import textwrap
from typing import NamedTuple, Optional

import rows

LIMIT_NAMES = {"int8": "of the int8 peak", "read": "of the memory bandwidth"}


class Line(NamedTuple):
    row: str
    measure: str
    smelt: float
    peer: float
    ratio: float  # how many times better smelt is: faster, or with less
    ratio_range: tuple
    rounds: int
    share: Optional[float]  # of the machine's limit
    gain: Optional[float]  # of many sequences together, compared with one
    targets: list  # (words, whether it is met)


def median_of(samples, field):
    values = [sample[field] for sample in samples if sample.get(field) is not None]
    return statistics.median(values) if values else None


def ratios_of(samples, more_is_better):
    return [sample["smelt"] / sample["peer"] if more_is_better else sample["peer"] / sample["smelt"] for sample in samples]


def targets_of(name, line, model):
    measure = rows.MEASURES[name]
    targets = []
    if measure.ratio:
        targets.append((f"≥ {measure.ratio:g}×", line["ratio"] >= measure.ratio))
    if measure.share:
        met = line["share"] >= measure.share if line["share"] is not None else None
        targets.append((f"≥ {measure.share:.0%} {LIMIT_NAMES[measure.limit]}".replace("%", " %"), met))
    if name == "batch8":
        met = line["gain"] >= rows.MIN_BATCH_GAIN if line["gain"] is not None else None
        targets.append((f"≥ {rows.MIN_BATCH_GAIN:g}× one sequence", met))
    if name.startswith("start"):
        targets.append((f"≤ {rows.MAX_START_SECONDS:g} s", line["smelt"] <= rows.MAX_START_SECONDS))
    if name.startswith("memory"):
        most = (model["file_bytes"] + model["kv_bytes"]) / 2**20 + rows.MAX_EXTRA_MIB
        targets.append((f"≤ {most:,.0f} MiB", line["smelt"] <= most))
    return targets


def make_line(result, name):
    samples = result["samples"][name]
    ratios = ratios_of(samples, rows.MEASURES[name].unit == "tok/s")
    alone = result["samples"].get("tg128") if name == "batch8" else None
    line = {"smelt": median_of(samples, "smelt"), "peer": median_of(samples, "peer"), "ratio": statistics.median(ratios),
            "share": median_of(samples, "share"), "gain": None}
    if alone:
        line["gain"] = line["smelt"] / median_of(alone, "smelt")
    return Line(row=result["row"], measure=name, ratio_range=(min(ratios), max(ratios)), rounds=len(samples),
                targets=targets_of(name, line, result["model"]), **line)


def make_lines(results):
    """Measure by measure, each over all rows."""
    return [make_line(result, name) for name in rows.MEASURES for result in results if result["samples"].get(name)]


def format_number(value, unit):
    if unit == "s":
        return f"{value:.2f} s"
    return f"{value:,.0f} MiB" if unit == "MiB" else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def format_ratio(line):
    low, high = (f"{value:.2f}" for value in line.ratio_range)
    return f"{line.ratio:.2f}×" + (f" ({low}–{high})" if line.rounds > 1 else "")


def format_verdict(met):
    return {True: "met", False: "**missed**", None: "not measured"}[met]


def format_line(line):
    measure = rows.MEASURES[line.measure]
    beside = [f"{line.share:.0%}".replace("%", " %")] if line.share is not None else []
    beside += [f"{line.gain:.1f}× one sequence"] if line.gain is not None else []
    targets = "; ".join(f"{words}: {format_verdict(met)}" for words, met in line.targets)
    cells = [line.row, format_number(line.smelt, measure.unit), format_number(line.peer, measure.unit), format_ratio(line),
             ", ".join(beside) or "–", targets or "–"]
    return "| " + " | ".join(cells) + " |"


def share_of_others(results):
    shares = [sample["others"] for result in results for samples in result["samples"].values() for sample in samples]
    return max(shares, default=0.0)


def format_conditions(conditions):
    others = f"{conditions['others']:.0%}".replace("%", " %")
    features = conditions["peer"]["features"].replace(" = 1", "").strip(" |")
    text = (f"{conditions['machine']}, {conditions['threads']} threads, {conditions['date']}; smelt {conditions['smelt']}; "
            f"llama.cpp of llama-cpp-python {conditions['peer']['llama-cpp-python']}, built here for this processor "
            f"({features}). Other programs took {others} of the processors at most.")
    return textwrap.fill(text, 135, break_on_hyphens=False)


def format_table(results, conditions):
    """Markdown: the conditions, then a table for each measure."""
    out = [format_conditions(conditions), ""]
    lines = make_lines(results)
    for name, measure in rows.MEASURES.items():
        of_measure = [line for line in lines if line.measure == name]
        if not of_measure:
            continue
        unit = " (tok/s)" if measure.unit == "tok/s" else ""
        share = {"int8": "of int8 peak", "read": "of bandwidth", None: "besides"}[measure.limit]
        out += [f"**{measure.title[0].upper()}{measure.title[1:]}**{unit}", "",
                f"| model | smelt | llama.cpp | smelt better by | {share} | targets |", "|---|---|---|---|---|---|"]
        out += [format_line(line) for line in of_measure] + [""]
    met = [done for line in lines for _, done in line.targets]
    out.append(f"{met.count(True)} of {len(met)} targets met.")
    return "\n".join(out) + "\n"


def as_json(results, conditions):
    return {"conditions": conditions,
            "lines": [line._asdict() | {"targets": [{"target": words, "met": met} for words, met in line.targets]}
                      for line in make_lines(results)]}
