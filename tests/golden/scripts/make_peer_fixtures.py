#!/usr/bin/env python3
"""Makes tests/golden/peers: small GGUF files written by llama.cpp's llama-quantize, and what llama.cpp says of them: greedy
tokens and perplexity on text.txt. src/eval/peer_golden_test.cc compares smelt with it. Needs the peers and the command:

    tests/peers/setup.py && ./dev build && build/peers/venv/bin/python tests/golden/scripts/make_peer_fixtures.py

Rows of stories260K are too short for the K formats, so a second model with rows of 256, its vocabulary and random weights
stands beside it. Tokens and "perplexity_f32" are of the file decoded to f32 by llama-quantize, which is what smelt computes;
"perplexity" is by llama.cpp's own kernels, which round activations to 8 bits."""
import json
import pathlib
import sys
import tempfile

import gguf
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "peers"))
import toolbox as t  # noqa: E402

OUT = ROOT / "tests" / "golden" / "peers"
STORIES = ROOT / "tests" / "fixtures" / "stories260K" / "stories260K.bin"
FILES = [("stories260K", "Q8_0"), ("stories260K", "Q4_K_M"), ("rows256", "Q4_K_M"), ("rows256", "Q2_K"), ("rows256", "IQ4_XS")]
PROMPTS = {"stories260K": "Once upon a time", "rows256": "The king said"}
N_TOKENS = 64
MIN_MARGIN = 2e-3  # of the best to the second best logit: other orders of summation must not change the tokens
D, D_KV, D_FF, LAYERS = 256, 64, 256, 1


def copy_vocabulary(source, writer):
    """The tokenizer keys of a GGUF file."""
    reader = gguf.GGUFReader(source)
    value = {name: field.contents() for name, field in reader.fields.items() if name.startswith("tokenizer.ggml.")}
    writer.add_tokenizer_model(value["tokenizer.ggml.model"])
    writer.add_token_list(value["tokenizer.ggml.tokens"])
    writer.add_token_scores(value["tokenizer.ggml.scores"])
    writer.add_token_types(value["tokenizer.ggml.token_type"])
    writer.add_bos_token_id(value["tokenizer.ggml.bos_token_id"])
    writer.add_eos_token_id(value["tokenizer.ggml.eos_token_id"])
    return len(value["tokenizer.ggml.tokens"])


def write_rows256(stories, path):
    rng = np.random.default_rng(256)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("rows256")
    writer.add_description("Random weights, for tests")
    writer.add_license("apache-2.0")
    writer.add_block_count(LAYERS)
    writer.add_context_length(512)
    writer.add_embedding_length(D)
    writer.add_feed_forward_length(D_FF)
    writer.add_head_count(4)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(64)
    n_vocab = copy_vocabulary(stories, writer)
    writer.add_vocab_size(n_vocab)

    def matrix(name, rows, columns, scale):
        writer.add_tensor(name, (rng.standard_normal((rows, columns)) * scale).astype(np.float32))

    matrix("token_embd.weight", n_vocab, D, 0.08)
    writer.add_tensor("output_norm.weight", rng.uniform(0.5, 1.5, D).astype(np.float32))
    for i in range(LAYERS):
        for part, rows, columns in [("attn_q", D, D), ("attn_k", D_KV, D), ("attn_v", D_KV, D), ("attn_output", D, D),
                                    ("ffn_gate", D_FF, D), ("ffn_up", D_FF, D), ("ffn_down", D, D_FF)]:
            matrix(f"blk.{i}.{part}.weight", rows, columns, 0.1)
        for part in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{i}.{part}.weight", rng.uniform(0.5, 1.5, D).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def describe(file, prompt, scratch):
    text = OUT / "text.txt"
    expanded = t.peer_quantize(file, scratch / "expanded.gguf", "F32")
    ids = t.peer_tokens(file, prompt)
    answer = t.Follow(expanded, ids, N_TOKENS)
    if min(answer.margin) < MIN_MARGIN:
        sys.exit(f"{file.name}: the margin is {min(answer.margin)} at {np.argmin(answer.margin)}; choose another prompt")
    return {"file": file.name, "prompt": prompt, "prompt_ids": ids, "ids": answer.best,
            "perplexity_f32": t.peer_perplexity(expanded, text, -1), "perplexity": t.peer_perplexity(file, text, -1)}


def main():
    golden = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        stories = t.smelt_convert(STORIES, scratch / "stories.gguf", "f32")
        sources = {"stories260K": stories, "rows256": write_rows256(stories, scratch / "rows256.gguf")}
        for model, kind in FILES:
            file = t.peer_quantize(sources[model], OUT / f"{model}-{kind}.gguf", kind)
            golden.append(describe(file, PROMPTS[model], scratch))
            g = golden[-1]
            print(f"{file.name}: {file.stat().st_size} bytes, perplexity {g['perplexity_f32']}, native {g['perplexity']}")
    (OUT / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
