#!/usr/bin/env python3
"""Makes tests/golden/eval/stories260K.json, to which src/eval/golden_test.cc compares: perplexity and KL divergence on the
text of tests/fixtures/stories260K/stories260K.md, by a tokenizer, a forward pass in float64
and statistics of this script's own.

  pip install numpy
  python make_eval_fixtures.py

The model compared with stories260K is itself with all weights cut to 3 bits of mantissa.
"""

import json
import pathlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[3]
FOLDER = ROOT / "tests/fixtures/stories260K"
CASES = [dict(n_ctx=64), dict(n_ctx=128, first_scored=1), dict(n_ctx=300), dict(n_ctx=64, max_windows=3)]
BOS = 1


def read_pieces():
    data, at, pieces, scores = (FOLDER / "tok512.bin").read_bytes(), 4, [], []
    while at < len(data):
        score, length = np.frombuffer(data, "<f4", 1, at)[0], int(np.frombuffer(data, "<i4", 1, at + 4)[0])
        pieces.append(data[at + 8 : at + 8 + length])
        scores.append(float(score))
        at += 8 + length
    return pieces, scores


def encode(text, pieces, scores):
    """BOS, then pieces merged by the best score, first pair of several; characters not known as bytes."""
    index = {}
    for i, piece in enumerate(pieces):
        index.setdefault(piece, i)
    ids = []
    for character in " " + text:
        raw = character.encode()
        ids += [index[raw]] if raw in index else [3 + b for b in raw]
    while True:
        best = max(((scores[index[pieces[a] + pieces[b]]], -i) for i, (a, b) in enumerate(zip(ids, ids[1:]))
                    if pieces[a] + pieces[b] in index), default=None)
        if best is None:
            return [BOS] + ids
        i = -best[1]
        ids[i : i + 2] = [index[pieces[ids[i]] + pieces[ids[i + 1]]]]


def spelled_bytes(piece):
    return 1 if piece.startswith(b"<0x") and piece.endswith(b">") else len(piece)


class Model:
    def __init__(self, mantissa_bits=23):
        data = (FOLDER / "stories260K.bin").read_bytes()
        d, ff, layers, heads, kv_heads, vocab, self.n_ctx = (int(x) for x in np.frombuffer(data, "<i4", 7))
        words = np.frombuffer(data, "<u4", offset=28) & np.uint32(0xFFFFFFFF << (23 - mantissa_bits) & 0xFFFFFFFF)
        weights, at = words.view(np.float32).astype(np.float64), 0

        def take(*shape):
            nonlocal at
            at += int(np.prod(shape))
            return weights[at - int(np.prod(shape)) : at].reshape(shape)

        self.heads, self.kv_heads, self.d_head = heads, kv_heads, d // heads
        kv = kv_heads * self.d_head
        self.embedding = take(vocab, d)
        self.att_norm = take(layers, d)
        self.wq, self.wk, self.wv, self.wo = take(layers, d, d), take(layers, kv, d), take(layers, kv, d), take(layers, d, d)
        self.ffn_norm = take(layers, d)
        self.w1, self.w2, self.w3 = take(layers, ff, d), take(layers, d, ff), take(layers, ff, d)
        self.norm = take(d)

    @staticmethod
    def rms(x, weight):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * weight

    def rotate(self, x):  # [n, heads, d_head]
        angle = np.arange(x.shape[0])[:, None] * 10000.0 ** (-np.arange(0, self.d_head, 2) / self.d_head)
        turned = (x[..., ::2] + 1j * x[..., 1::2]) * np.exp(1j * angle)[:, None, :]
        return np.stack([turned.real, turned.imag], -1).reshape(x.shape)

    def logits(self, ids):
        n = len(ids)
        x = self.embedding[ids]
        hidden = np.triu(np.full((n, n), -np.inf), 1)
        for layer in range(len(self.wq)):
            h = self.rms(x, self.att_norm[layer])
            q = self.rotate((h @ self.wq[layer].T).reshape(n, self.heads, -1))
            k = self.rotate((h @ self.wk[layer].T).reshape(n, self.kv_heads, -1))
            v = (h @ self.wv[layer].T).reshape(n, self.kv_heads, -1)
            k, v = (np.repeat(t, self.heads // self.kv_heads, 1) for t in (k, v))
            scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(self.d_head) + hidden
            p = np.exp(scores - scores.max(-1, keepdims=True))
            p /= p.sum(-1, keepdims=True)
            x = x + np.einsum("hqk,khd->qhd", p, v).reshape(n, -1) @ self.wo[layer].T
            h = self.rms(x, self.ffn_norm[layer])
            gate = h @ self.w1[layer].T
            x = x + (gate / (1 + np.exp(-gate)) * (h @ self.w3[layer].T)) @ self.w2[layer].T
        return self.rms(x, self.norm) @ self.embedding.T


def log_softmax(logits):
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def mean_with_error(values):
    return [float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))]


def perplexity(nll, n_bytes):
    mean, error = mean_with_error(nll)
    return dict(perplexity=[float(np.exp(mean)), float(np.exp(mean) * error)], mean_nll=mean,
                bits_per_byte=float(nll.sum() / np.log(2) / n_bytes))


def run_case(case, ids, pieces, reference, model):
    n_ctx = case["n_ctx"]
    first = case.get("first_scored", n_ctx // 2)
    n_windows = min(len(ids) // n_ctx, case.get("max_windows", len(ids)))
    rows = dict(p=[], q=[], truth=[])
    for w in range(n_windows):
        window = [BOS] + ids[w * n_ctx + 1 : (w + 1) * n_ctx]
        scored = slice(first, n_ctx - 1)
        rows["p"].append(log_softmax(reference.logits(window)[scored]))
        rows["q"].append(log_softmax(model.logits(window)[scored]))
        rows["truth"] += window[first + 1 :]
    p, q, truth = np.concatenate(rows["p"]), np.concatenate(rows["q"]), np.array(rows["truth"])
    at = np.arange(truth.size), truth
    n_bytes = sum(spelled_bytes(pieces[t]) for t in truth)
    kl = (np.exp(p) * (p - q)).sum(-1)
    delta = np.exp(q[at]) - np.exp(p[at])
    square, square_error = mean_with_error(delta**2)
    return dict(
        case, n_tokens=int(truth.size), n_windows=n_windows,
        reference=perplexity(-p[at], n_bytes), model=perplexity(-q[at], n_bytes),
        mean_kl=mean_with_error(kl),
        kl_percentiles=[float(np.quantile(kl, f)) for f in (0.5, 0.9, 0.99, 0.999, 1)],
        top1_agreement=mean_with_error((p.argmax(-1) == q.argmax(-1)).astype(np.float64)),
        rms_delta_p=[square**0.5, square_error / (2 * square**0.5)],
        delta_p_percentiles=[float(np.quantile(delta, f)) for f in (0.01, 0.05, 0.5, 0.95, 0.99)],
        log_perplexity_ratio=mean_with_error(p[at] - q[at]))


def main():
    pieces, scores = read_pieces()
    text = (FOLDER / "stories260K.md").read_text(encoding="utf-8")
    ids = encode(text, pieces, scores)
    reference, model = Model(), Model(mantissa_bits=3)
    out = dict(made_by="tests/golden/scripts/make_eval_fixtures.py", n_ids=len(ids), ids=ids,
               cases=[run_case(case, ids, pieces, reference, model) for case in CASES])
    folder = ROOT / "tests/golden/eval"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(c) for c in out.pop("cases")]
    head = json.dumps(out)[:-1]
    (folder / "stories260K.json").write_text(head + ', "cases": [\n' + ",\n".join(lines) + "\n]}\n")


if __name__ == "__main__":
    main()
