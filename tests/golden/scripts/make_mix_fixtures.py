#!/usr/bin/env python3
"""Makes tests/golden/mixes: the type that llama.cpp's llama-quantize gives each matrix, for every mix and several shapes of
model, without an importance matrix. Needs PyPI gguf and numpy, and llama-quantize (llama.cpp, tools/quantize). Run from the
repository's root:

    tests/golden/scripts/make_mix_fixtures.py PATH/TO/llama-quantize       (made with llama.cpp 0.5.0-dev, commit 0c1e570)

A line "MIX TENSOR TYPE*COUNT ..." gives the types of TENSOR ("*" stands for the layer) from the first layer to the last."""
import itertools
import pathlib
import re
import subprocess
import sys
import tempfile

import gguf
import numpy

OUT = pathlib.Path("tests/golden/mixes")
MIXES = ("F32 F16 BF16 Q8_0 Q6_K Q5_K_M Q5_K_S Q5_1 Q5_0 Q4_K_M Q4_K_S Q4_1 IQ4_NL Q4_0 IQ4_XS Q3_K_L Q3_K_M Q3_K_S Q2_K "
         "Q2_K_S").split()
FIELDS = "n_layers n_heads n_kv_heads d_model d_ff n_vocab tied".split()
MODELS = {
    "two_layers_tied": (2, 4, 4, 256, 512, 96, 1),
    "grouped_22_layers": (22, 8, 2, 256, 512, 96, 0),
    "grouped_by_2_17_layers": (17, 8, 4, 512, 768, 96, 0),
    "plain_32_layers": (32, 8, 8, 256, 512, 96, 0),
    "one_layer": (1, 4, 1, 256, 256, 96, 0),
    "narrow_rows_tied": (5, 8, 4, 64, 172, 512, 1),
    "rows_of_288": (12, 9, 3, 288, 768, 96, 1),
    "rows_of_288_own_head": (12, 9, 9, 288, 800, 96, 0),
    "rows_of_48": (3, 3, 3, 48, 256, 96, 0),
    "layers_80_grouped": (80, 8, 1, 256, 256, 32, 0),
    "layers_80_plain": (80, 8, 8, 256, 256, 32, 0),
}


def write_model(path, m):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(m["n_layers"])
    writer.add_context_length(128)
    writer.add_embedding_length(m["d_model"])
    writer.add_feed_forward_length(m["d_ff"])
    writer.add_head_count(m["n_heads"])
    writer.add_head_count_kv(m["n_kv_heads"])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(m["n_vocab"])
    d, d_kv, d_ff = m["d_model"], m["d_model"] // m["n_heads"] * m["n_kv_heads"], m["d_ff"]

    def add(name, *shape):
        writer.add_tensor(name, numpy.zeros(shape, numpy.float32))

    add("token_embd.weight", m["n_vocab"], d)
    add("output_norm.weight", d)
    if not m["tied"]:
        add("output.weight", m["n_vocab"], d)
    for i in range(m["n_layers"]):
        for part, *shape in [("attn_norm", d), ("attn_q", d, d), ("attn_k", d_kv, d), ("attn_v", d_kv, d),
                             ("attn_output", d, d), ("ffn_norm", d), ("ffn_gate", d_ff, d), ("ffn_up", d_ff, d),
                             ("ffn_down", d, d_ff)]:
            add(f"blk.{i}.{part}.weight", *shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


LINE = re.compile(r"\[ *\d+/ *\d+\] (\S+) +- \[[^]]*\], type = +(\w+), size =[^(\n]*(?:\((\w+)\))?")


def chosen_types(program, path, mix):
    run = subprocess.run([program, "--dry-run", path, mix], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{mix}: {run.stderr[-1000:]}")
    types = {name: (to or source).upper() for name, source, to in LINE.findall(run.stdout + run.stderr)}
    return {name: kind for name, kind in types.items() if not name.endswith("norm.weight")}


def table(program, path, mix):
    rows = {}
    for name, kind in chosen_types(program, path, mix).items():
        found = re.fullmatch(r"blk\.(\d+)\.(.*)", name)
        row = f"blk.*.{found[2]}" if found else name
        rows.setdefault(row, []).append((int(found[1]) if found else 0, kind))
    for row, kinds in rows.items():
        groups = itertools.groupby(kind for _, kind in sorted(kinds))
        yield f"{mix} {row} " + " ".join(f"{kind}*{len(list(g))}" for kind, g in groups)


def main(program):
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.gguf"
        for name, values in MODELS.items():
            model = dict(zip(FIELDS, values))
            write_model(path, model)
            lines = ["# llama-quantize's choices, by tests/golden/scripts/make_mix_fixtures.py",
                     "model " + " ".join(f"{k}={v}" for k, v in model.items())]
            for mix in MIXES:
                lines += table(program, path, mix)
            (OUT / f"{name}.txt").write_text("\n".join(lines) + "\n")
            print(f"{name}: {len(lines) - 2} rows")


if __name__ == "__main__":
    main(sys.argv[1])
