"""The comparisons of smelt with llama.cpp and transformers. Each function yields rows; check.py prints them.

Tokens are compared place by place: the peer is given smelt's greedy text and says at every place what it would have
written. Two ways, since both round activations to 8 bits (llama.cpp to 16 for f16 weights) before they multiply
quantized weights, each in its own way:
  exact   the peer's own tools decode the quantized file to f32 first and smelt runs with --compute f32, so that both compute in
          f32 from what they read. Every place must agree, but for ties closer than EXACT_GAP, the rounding of another order of
          summation.
  native  both compute as they do by default. Places that differ must be near ties, closer than NATIVE_GAP of the logit, and at
          least NATIVE_SHARE must be the same."""
import dataclasses
import pathlib

import toolbox as t

PROMPTS = ["Once upon a time", "The king said that his daughter"]
TEXTS = PROMPTS + ["Lily's mother said, \"Don't go  there!\"\n\nBut she went at 10:35.", " two  spaces\tand a tab\n",
                   "Größe, naïve café, 東京 – 🦊 end", "it's I'LL we'd THEY'RE 1234567 x=3.14;", "<s> </s> <|end|>"]
N_TOKENS = 160
WINDOWS = 20
EXACT_GAP = 1e-3
NATIVE_GAP = 0.4
NATIVE_SHARE = 0.95
PERPLEXITY_LIMIT = 0.005
KL_LIMIT = 0.02
PLAIN = ["F32", "F16", "BF16"]
QUANTIZED = ["Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q5_1", "Q5_0", "Q4_K_M", "Q4_K_S", "Q4_1", "Q4_0", "IQ4_NL", "IQ4_XS",
             "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K"]
PEER_QUANTIZED = ["Q8_0", "Q6_K", "Q5_K_M", "Q5_0", "Q4_K_M", "Q4_0", "Q4_1", "IQ4_NL", "IQ4_XS", "Q3_K_M", "Q2_K"]


@dataclasses.dataclass
class Model:
    name: str
    path: pathlib.Path
    held_out: pathlib.Path


@dataclasses.dataclass
class Row:
    part: str
    model: str
    what: str
    measured: str
    holds: bool


def compare_tokens(smelt_model, peer_model, compute, gap, share):
    """(measured, holds) over the greedy texts of all prompts."""
    same = places = 0
    worst, first = 0.0, None
    for prompt in PROMPTS:
        ids = t.smelt_tokens(smelt_model, prompt)
        written = t.smelt_greedy(smelt_model, prompt, N_TOKENS, compute)
        answer = t.Follow(peer_model, ids, written)
        differing = [i for i, (a, b) in enumerate(zip(answer.best, written)) if a != b]
        if differing and first is None:
            first = differing[0]
        same += len(written) - len(differing)
        places += len(written)
        worst = max([worst] + answer.behind)
    measured = f"{same} of {places}" + ("" if first is None else f", first at {first}, gap {worst:.4f}")
    return measured, worst <= gap and same >= share * places and places > 0


def exact(smelt_model, scratch):
    """The peer decodes the file to f32 and computes in f32."""
    expanded = t.peer_quantize(smelt_model, scratch / "expanded.gguf", "F32")
    result = compare_tokens(smelt_model, expanded, "f32", EXACT_GAP, 0.99)
    expanded.unlink()
    return result


def native(smelt_model):
    return compare_tokens(smelt_model, smelt_model, "int8", NATIVE_GAP, NATIVE_SHARE)


def tokenizers(model, scratch):
    gguf = t.smelt_convert(model.path, scratch / "m.gguf", "f32")
    for text in TEXTS:
        ours, theirs = t.smelt_tokens(gguf, text), t.peer_tokens(gguf, text, "--no-parse-special")
        yield Row("tokens of a text", model.name, repr(text)[:30], f"{len(ours)} ids", ours == theirs)
        ours, theirs = t.smelt_tokens(gguf, text, "--parse-special"), t.peer_tokens(gguf, text)
        yield Row("tokens with special ones", model.name, repr(text)[:30], f"{len(ours)} ids", ours == theirs)


def written_by_smelt(model, scratch):
    source = t.smelt_convert(model.path, scratch / "f32.gguf", "f32")
    for kind in PLAIN + QUANTIZED:
        file = t.smelt_quantize(source, scratch / "q.gguf", kind)
        yield Row("smelt's file, exact", model.name, kind, *exact(file, scratch))
        if kind != "F32":
            yield Row("smelt's file, native", model.name, kind, *native(file))


def written_by_the_peer(model, scratch):
    folder = t.smelt_convert(model.path, scratch / "folder", "f32")
    source = t.peer_convert(folder, scratch / "peer.gguf", "f32")
    yield Row("peer's file, exact", model.name, "convert_hf_to_gguf f32", *exact(source, scratch))
    for kind in ["f16", "bf16", "q8_0"]:
        file = t.peer_convert(folder, scratch / "peer-k.gguf", kind)
        yield Row("peer's file, exact", model.name, f"convert_hf_to_gguf {kind}", *exact(file, scratch))
    for kind in PEER_QUANTIZED:
        file = t.peer_quantize(source, scratch / "peer-q.gguf", kind)
        yield Row("peer's file, exact", model.name, f"llama-quantize {kind}", *exact(file, scratch))
    whole = t.peer_quantize(source, scratch / "whole.gguf", "Q4_K_M")
    first, n_parts = t.peer_split(whole, scratch / "split", 7)
    same = all(t.smelt_greedy(first, p, N_TOKENS) == t.smelt_greedy(whole, p, N_TOKENS) for p in PROMPTS)
    yield Row("peer's file, split", model.name, f"llama-gguf-split, {n_parts} parts", "equal" if same else "differs",
              same and n_parts > 2)


def perplexities(model, scratch):
    source = t.smelt_convert(model.path, scratch / "f32.gguf", "f32")
    for kind in ["F32", "F16", "Q8_0", "Q4_K_M", "Q2_K"]:
        file = t.smelt_quantize(source, scratch / "q.gguf", kind)
        ours = t.smelt_perplexity(file, model.held_out, WINDOWS)
        theirs = t.peer_perplexity(file, model.held_out, WINDOWS)
        off = ours / theirs - 1
        yield Row("perplexity", model.name, kind, f"{ours:.4f}, peer {theirs:.4f}, {100 * off:+.3f} %",
                  abs(off) <= PERPLEXITY_LIMIT)


def divergences(model, scratch):
    """Of the same numbers: the peer decodes to f32 first, or its own rounding of activations would be counted."""
    source = t.smelt_convert(model.path, scratch / "f32.gguf", "f32")
    for kind in ["Q8_0", "Q4_K_M", "Q2_K"]:
        file = t.smelt_quantize(source, scratch / "q.gguf", kind)
        expanded = t.peer_quantize(file, scratch / "expanded.gguf", "F32")
        kl, same = t.smelt_kl(file, source, model.held_out, WINDOWS)
        peer_kl, peer_same = t.peer_kl(expanded, source, model.held_out, WINDOWS, scratch)
        holds = abs(kl - peer_kl) <= KL_LIMIT * peer_kl + 2e-5 and abs(same - peer_same) <= 0.005
        yield Row("KL divergence", model.name, kind,
                  f"{kl:.6f}, peer {peer_kl:.6f}; same top {100 * same:.2f} %, peer {100 * peer_same:.2f} %", holds)


def transformers(model, scratch):
    source = t.smelt_convert(model.path, scratch / "f32.gguf", "f32")
    q8 = t.smelt_quantize(source, scratch / "q8.gguf", "Q8_0")
    for origin in [model.path, q8]:
        folder = t.smelt_convert(origin, scratch / "folder", "f32")
        what = "folder from " + ("the model" if origin == model.path else "Q8_0 GGUF")
        prompt = t.smelt_tokens(folder, PROMPTS[0])
        written = t.smelt_greedy(folder, PROMPTS[0], N_TOKENS)
        answer = t.transformers_answers(folder, {"texts": TEXTS, "prompt": prompt, "following": written, "windows": 5,
                                                 "held_out": str(model.held_out)})
        ids = [t.smelt_tokens(folder, text, "--parse-special") for text in TEXTS]
        same_ids = sum(a == b for a, b in zip(ids, answer["ids"]))
        yield Row("transformers, tokenizer", model.name, what, f"{same_ids} of {len(TEXTS)} texts", same_ids == len(TEXTS))
        same = sum(a == b for a, b in zip(answer["best"], written))
        yield Row("transformers, greedy", model.name, what, f"{same} of {len(written)}, gap {max(answer['behind']):.5f}",
                  max(answer["behind"]) <= EXACT_GAP)
        ours = t.smelt_perplexity(folder, model.held_out, 5, "--kv-type", "f32", "--compute", "f32")
        off = ours / answer["perplexity"] - 1
        yield Row("transformers, perplexity", model.name, what, f"{ours:.4f}, {answer['perplexity']:.4f}, {100 * off:+.4f} %",
                  abs(off) < 2e-5)


def families(scratch):
    """Of families without a model here, random weights: the same arithmetic, no text of any meaning."""
    for shape in ["tiny-qwen2"]:
        for kind in ["F32", "Q8_0", "Q4_K_M"]:
            file = t.smelt_random(shape, kind, scratch / f"{shape}-{kind}.gguf")
            yield Row("random weights, exact", shape, kind, *exact(file, scratch))


ALL = [tokenizers, written_by_smelt, written_by_the_peer, perplexities, divergences, transformers]  # of each model
ONCE = [families]
