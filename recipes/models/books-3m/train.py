#!/usr/bin/env python3
"""Trains `models/books-3m`: a 3.4 M parameter Llama on public-domain children's books.

    python3 -m venv venv && venv/bin/pip install torch tokenizers safetensors numpy
    venv/bin/python recipes/models/books-3m/train.py --books DIR --out models/books-3m --work /tmp/books-3m

DIR holds one .txt file a book and `manifest.tsv` (columns: file, title, author, year, tier, ...). Tier 1 is what is
read here; the books in HELD_OUT are never read, neither by the tokenizer nor by the trainer. The run can be
interrupted: started again with the same --work it resumes from its last checkpoint.
"""
import argparse, csv, json, math, os, pathlib, time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

HELD_OUT = {
    "lewis-carroll-alice-s-adventures-in-wonderland.txt",
    "l-frank-baum-the-wonderful-wizard-of-oz.txt",
    "rudyard-kipling-the-jungle-book.txt",
    "edith-nesbit-the-railway-children.txt",
}
CONFIG = dict(n_vocab=4096, d_model=256, n_layers=4, n_heads=8, n_kv_heads=4, d_ff=512, n_ctx=512,
              rope_theta=10000.0, rms_norm_eps=1e-5)
BOS, EOS = 0, 1


def read_books(folder):
    with open(folder / "manifest.tsv", encoding="utf-8") as f:
        rows = [r for r in csv.DictReader(f, delimiter="\t") if r["tier"] == "1"]
    missing = HELD_OUT - {r["file"] for r in rows}
    if missing:
        raise SystemExit(f"held-out books not in the manifest: {sorted(missing)}")
    return [(folder / r["file"]).read_text(encoding="utf-8") for r in rows if r["file"] not in HELD_OUT]


def train_tokenizer(books, path):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=CONFIG["n_vocab"], special_tokens=["<|begin|>", "<|end|>"],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tok.train_from_iterator(books, trainer)
    tok.post_processor = processors.TemplateProcessing(
        single="<|begin|> $A", pair="<|begin|> $A <|begin|> $B", special_tokens=[("<|begin|>", BOS)])
    tok.save(str(path))


def token_store(books, tokenizer_path, path):
    from tokenizers import Tokenizer
    tok = Tokenizer.from_file(str(tokenizer_path))
    ids = []
    for text in books:
        ids += tok.encode(text, add_special_tokens=False).ids + [EOS]
    np.array(ids, dtype=np.uint16).tofile(path)


class RmsNorm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight, CONFIG["rms_norm_eps"])


def rope_tables(n_ctx, d_head):
    inv = CONFIG["rope_theta"] ** (-torch.arange(0, d_head, 2).float() / d_head)
    angle = torch.outer(torch.arange(n_ctx).float(), inv)
    angle = torch.cat([angle, angle], dim=-1)  # the half-split layout of Hugging Face checkpoints
    return angle.cos(), angle.sin()


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-b, a], dim=-1) * sin


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        d, h, kv, ff = (CONFIG[k] for k in ("d_model", "n_heads", "n_kv_heads", "d_ff"))
        self.h, self.kv, self.dh = h, kv, d // h
        self.input_layernorm, self.post_attention_layernorm = RmsNorm(d), RmsNorm(d)
        self.q_proj, self.o_proj = nn.Linear(d, d, bias=False), nn.Linear(d, d, bias=False)
        self.k_proj, self.v_proj = nn.Linear(d, kv * self.dh, bias=False), nn.Linear(d, kv * self.dh, bias=False)
        self.gate_proj, self.up_proj = nn.Linear(d, ff, bias=False), nn.Linear(d, ff, bias=False)
        self.down_proj = nn.Linear(ff, d, bias=False)

    def forward(self, x, cos, sin):
        b, t, d = x.shape
        h = self.input_layernorm(x)
        q = self.q_proj(h).view(b, t, self.h, self.dh).transpose(1, 2)
        k = self.k_proj(h).view(b, t, self.kv, self.dh).transpose(1, 2)
        v = self.v_proj(h).view(b, t, self.kv, self.dh).transpose(1, 2)
        q, k = rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype)
        group = self.h // self.kv
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        x = x + self.o_proj(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, d))
        h = self.post_attention_layernorm(x)
        return x + self.down_proj(F.silu(self.gate_proj(h)) * self.up_proj(h))


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_tokens = nn.Embedding(CONFIG["n_vocab"], CONFIG["d_model"])
        self.layers = nn.ModuleList(Layer() for _ in range(CONFIG["n_layers"]))
        self.norm = RmsNorm(CONFIG["d_model"])
        for name, p in self.named_parameters():
            if p.dim() == 2:
                depth = (2 * CONFIG["n_layers"]) ** 0.5 if name.endswith(("o_proj.weight", "down_proj.weight")) else 1
                nn.init.normal_(p, std=0.02 / depth)
        cos, sin = rope_tables(CONFIG["n_ctx"], CONFIG["d_model"] // CONFIG["n_heads"])
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, ids):
        x, t = self.embed_tokens(ids), ids.shape[1]
        for layer in self.layers:
            x = layer(x, self.cos[:t], self.sin[:t])
        return F.linear(self.norm(x), self.embed_tokens.weight)


def batches(store, batch, seed):
    """Windows of n_ctx tokens after a BOS, in an order that depends on nothing but the step number."""
    n, n_win = CONFIG["n_ctx"], len(store) // CONFIG["n_ctx"] - 1
    per_epoch = n_win // batch

    def at(step):
        epoch, i = divmod(step, per_epoch)
        rng = np.random.default_rng([seed, epoch])
        shift = int(rng.integers(n))
        order = rng.permutation(n_win)[i * batch:(i + 1) * batch]
        y = np.stack([store[shift + w * n: shift + (w + 1) * n] for w in order]).astype(np.int64)
        x = np.concatenate([np.full((batch, 1), BOS), y[:, :-1]], axis=1)
        return torch.from_numpy(x), torch.from_numpy(y)
    return at, per_epoch


def export(model, work, out):
    from safetensors.torch import save_file
    tensors = {}
    for name, p in model.state_dict().items():
        parts = name.split(".")
        if parts[0] == "layers":
            group = {"q": "self_attn.", "k": "self_attn.", "v": "self_attn.", "o": "self_attn."}.get(parts[2][0], "")
            if parts[2] in ("gate_proj", "up_proj", "down_proj"):
                group = "mlp."
            elif parts[2].endswith("layernorm"):
                group = ""
            name = f"layers.{parts[1]}.{group}{parts[2]}.weight"
        tensors["model." + name] = p.half().contiguous()
    out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(out / "model.safetensors"), metadata={"format": "pt"})
    c = CONFIG
    (out / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": c["d_model"],
        "intermediate_size": c["d_ff"], "num_hidden_layers": c["n_layers"], "num_attention_heads": c["n_heads"],
        "num_key_value_heads": c["n_kv_heads"], "vocab_size": c["n_vocab"], "max_position_embeddings": c["n_ctx"],
        "rope_theta": c["rope_theta"], "rms_norm_eps": c["rms_norm_eps"], "tie_word_embeddings": True,
        "attention_bias": False, "mlp_bias": False, "bos_token_id": BOS, "eos_token_id": EOS,
        "torch_dtype": "float16"}, indent=2) + "\n")
    (out / "generation_config.json").write_text(json.dumps({"bos_token_id": BOS, "eos_token_id": EOS}, indent=2) + "\n")
    (out / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin|>", "eos_token": "<|end|>",
        "add_bos_token": True, "clean_up_tokenization_spaces": False, "model_max_length": c["n_ctx"]}, indent=2) + "\n")
    (out / "tokenizer.json").write_bytes((work / "tokenizer.json").read_bytes())


def write_held_out(books, out, bytes_each=60_000):
    """The opening paragraphs of two held-out books, for the demo and the tests to be judged on."""
    parts = []
    for name in ("lewis-carroll-alice-s-adventures-in-wonderland.txt", "l-frank-baum-the-wonderful-wizard-of-oz.txt"):
        kept, size = [], 0
        for paragraph in (books / name).read_text(encoding="utf-8").split("\n\n"):
            size += len(paragraph.encode()) + 2
            if size > bytes_each:
                break
            kept.append(paragraph)
        parts.append("\n\n".join(kept))
    (out / "heldout.txt").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


@torch.no_grad()
def held_out_perplexity(model, work, out):
    """Windows of n_ctx, BOS first, second half scored: the convention of llama.cpp's tool and of `smelt eval`."""
    from tokenizers import Tokenizer
    text = (out / "heldout.txt").read_text(encoding="utf-8")
    ids = [BOS] + Tokenizer.from_file(str(work / "tokenizer.json")).encode(text, add_special_tokens=False).ids
    n, nll, count = CONFIG["n_ctx"], 0.0, 0
    for w in range(len(ids) // n):
        window = torch.tensor(ids[w * n:(w + 1) * n])
        window[0] = BOS
        logp = F.log_softmax(model(window[None])[0].float(), dim=-1)
        scored = range(n // 2, n - 1)
        nll -= sum(logp[i, window[i + 1]].item() for i in scored)
        count += len(scored)
    return math.exp(nll / count), count


def learning_rate(step, steps, peak, warmup=100):
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--books", type=pathlib.Path, required=True)
    a.add_argument("--out", type=pathlib.Path, required=True)
    a.add_argument("--work", type=pathlib.Path, required=True)
    a.add_argument("--steps", type=int, default=1800)
    a.add_argument("--batch", type=int, default=16)
    a.add_argument("--lr", type=float, default=3e-3)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--threads", type=int, default=1)
    o = a.parse_args()
    torch.manual_seed(o.seed)
    torch.set_num_threads(o.threads)
    o.work.mkdir(parents=True, exist_ok=True)
    tokenizer, store_path, ckpt = o.work / "tokenizer.json", o.work / "tokens.u16", o.work / "checkpoint.pt"
    if not store_path.exists():
        books = read_books(o.books)
        train_tokenizer(books, tokenizer)
        token_store(books, tokenizer, store_path)
    store = np.fromfile(store_path, dtype=np.uint16)
    model = Llama()
    decay = [p for p in model.parameters() if p.dim() == 2]
    rest = [p for p in model.parameters() if p.dim() != 2]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}],
                            lr=o.lr, betas=(0.9, 0.95), fused=True)
    first = 0
    if ckpt.exists():
        state = torch.load(ckpt)
        model.load_state_dict(state["model"]); opt.load_state_dict(state["opt"]); first = state["step"]
    at, per_epoch = batches(store, o.batch, o.seed)
    n_params = sum(p.numel() for p in model.parameters())
    print(f"{n_params} parameters, {len(store)} tokens, {per_epoch} steps an epoch, {o.steps} steps", flush=True)
    started, smooth = time.time(), None
    for step in range(first, o.steps):
        for g in opt.param_groups:
            g["lr"] = learning_rate(step, o.steps, o.lr)
        x, y = at(step)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(x)
        loss = F.cross_entropy(logits.float().view(-1, CONFIG["n_vocab"]), y.view(-1))
        opt.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
        if step % 20 == 0 or step + 1 == o.steps:
            rate = (step + 1 - first) * o.batch * CONFIG["n_ctx"] / (time.time() - started)
            print(f"step {step} loss {loss.item():.4f} smooth {smooth:.4f} tok/s {rate:.0f}", flush=True)
        if (step + 1) % 200 == 0 or step + 1 == o.steps:
            torch.save({"model": model.state_dict(), "opt": opt.state_dict(), "step": step + 1}, str(ckpt) + ".tmp")
            os.replace(str(ckpt) + ".tmp", ckpt)
    export(model, o.work, o.out)
    write_held_out(o.books, o.out)
    ppl, count = held_out_perplexity(model, o.work, o.out)
    print(f"held-out perplexity {ppl:.4f} over {count} tokens (f32 weights)", flush=True)


if __name__ == "__main__":
    main()
