#!/usr/bin/env python3
"""Writes the seeds of the tokenizer fuzz targets to tests/corpora: small files of every kind that is read, and some that
are refused. Needs the packages gguf and sentencepiece:  make_vocab_seeds.py
"""
import io, json, os, tempfile

import gguf
import sentencepiece

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "corpora")
TEXT = ["a cat and a hat sat on a mat", "the hat, the cat: that is that.", "at 12 the cat ate"]


def write(target, name, data):
    os.makedirs(os.path.join(ROOT, target), exist_ok=True)
    with open(os.path.join(ROOT, target, name), "wb") as file:
        file.write(data)


def letters():
    """The letters that stand for bytes in byte-level vocabularies, in the order of the bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(others)) for b in range(256)]


def added(*tokens, **flags):
    return [{"id": i, "content": text, "special": special, "single_word": False, "lstrip": False, "rstrip": False, **flags}
            for i, text, special in tokens]


def byte_level(**options):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True, **options}


def byte_bpe(pre_tokenizer, alphabet=None, **parts):
    tokens = list(alphabet or letters()) + ["he", "ll", "hell", "Ġw"]
    merges = ["h e", "l l", "he ll", "Ġ w"]
    model = {"type": "BPE", "vocab": {t: i for i, t in enumerate(tokens)}, "merges": merges}
    n = len(tokens)
    return {"version": "1.0", "added_tokens": added((n, "<|end|>", True), (n + 1, "<tool>", False)), "normalizer": None,
            "pre_tokenizer": pre_tokenizer, "post_processor": None, "decoder": byte_level(), "model": model, **parts}


def splits(*expressions):
    steps = [{"type": "Split", "pattern": {"Regex": e}, "behavior": "Isolated", "invert": False} for e in expressions]
    return {"type": "Sequence", "pretokenizers": steps + [byte_level(use_regex=False)]}


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def template(first):
    return {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": first, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [], "special_tokens": {first: {"id": first, "ids": [1], "tokens": [first]}}}


def metaspace_bpe():
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + list("▁achet") + ["at", "▁a", "▁at", "he"]
    merges = [["a", "t"], ["▁", "a"], ["▁", "at"], ["▁a", "t"], ["h", "e"]]
    return {"added_tokens": added((0, "<unk>", True), (1, "<s>", True), (2, "</s>", True)),
            "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                                                              {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
            "pre_tokenizer": None, "post_processor": template("<s>"),
            "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                                                        {"type": "ByteFallback"}, {"type": "Fuse"}]},
            "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True,
                      "vocab": {t: i for i, t in enumerate(tokens)}, "merges": merges}}


def unigram():
    pieces = [["<unk>", 0], ["</s>", 0], ["▁", -2], ["a", -3], ["t", -3.5], ["▁at", -4], ["at", -5], ["h", -6], ["▁▁", -7]]
    return {"added_tokens": added((0, "<unk>", True), (1, "</s>", True)), "normalizer": None,
            "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": False},
            "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
            "post_processor": None, "model": {"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": False}}


def wordpiece():
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "##a", "##b", "the", "##re", ",", "hello"]
    return {"added_tokens": added((0, "[PAD]", True), (1, "[UNK]", True), (2, "[CLS]", True), (3, "[SEP]", True)),
            "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
            "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                      "vocab": {t: i for i, t in enumerate(tokens)}}}


def sentencepiece_model(kind, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(TEXT * 3), model_writer=model, model_type=kind, minloglevel=2,
                                             num_threads=1, hard_vocab_limit=False, **options)
    return model.getvalue()


def gguf_vocab(model, tokens, types, scores=None, merges=None, more=lambda writer: None):
    path = os.path.join(tempfile.mkdtemp(), "x.gguf")
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(model)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    if scores is not None:
        writer.add_token_scores(scores)
    if merges is not None:
        writer.add_token_merges(merges)
    more(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with open(path, "rb") as file:
        return file.read()


def write_json():
    files = {"byte_bpe": byte_bpe(byte_level()), "byte_bpe_few": byte_bpe(byte_level(), "helloĠw"), "byte_bpe_llama3": byte_bpe(splits(LLAMA3)),
             "byte_bpe_nfc": byte_bpe(byte_level(), normalizer={"type": "NFC"}), "sentencepiece": metaspace_bpe(), "unigram": unigram(),
             "wordpiece": wordpiece(), "bad_regex": byte_bpe(splits("(a+)+$")), "no_type": {"model": {"vocab": {}, "merges": []}}}
    for name, tree in files.items():
        write("tokenizer_json_fuzz", name, json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode())


def write_models():
    # A small table of replacements; that of the package's default rules alone has 240 KB.
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.write("41\t61\n48\t68\n9\t20\n2026\t2E 2E 2E\n65 301\tE9\n")
        rules.flush()
        write("sentencepiece_model_fuzz", "unigram", sentencepiece_model("unigram", vocab_size=30, user_defined_symbols=["<tool>"],
                                                                        normalization_rule_tsv=rules.name))
    write("sentencepiece_model_fuzz", "unigram_identity", sentencepiece_model("unigram", vocab_size=30, normalization_rule_name="identity"))
    write("sentencepiece_model_fuzz", "bpe_bytes", sentencepiece_model("bpe", vocab_size=300, byte_fallback=True, normalization_rule_name="identity",
                                                                      remove_extra_whitespaces=False))


def write_gguf():
    def chat(writer):
        writer.add_bos_token_id(1)
        writer.add_chat_template("{{ '<|im_start|>' + m['role'] + m['content'] + '<|im_end|>' }}")

    def pre(writer):
        writer.add_tokenizer_pre("llama-bpe")
        writer.add_eos_token_id(0)

    spm = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + ["▁", "a", "▁a", "<tool>"]
    spm_types = [2, 3, 3] + [6] * 256 + [1, 1, 1, 4]
    write("gguf_vocab_fuzz", "llama", gguf_vocab("llama", spm, spm_types, [-float(i) for i in range(len(spm))], more=chat))
    bpe = ["<|end|>"] + letters() + ["he", "ll", "hell"]
    write("gguf_vocab_fuzz", "gpt2", gguf_vocab("gpt2", bpe, [3] + [1] * (len(bpe) - 1), merges=["h e", "l l", "he ll"], more=pre))
    t5 = ["<pad>", "</s>", "<unk>", "▁", "a", "▁a", "t", "at"]
    write("gguf_vocab_fuzz", "t5", gguf_vocab("t5", t5, [3, 3, 2, 1, 1, 1, 1, 1], [0.0, 0.0, 0.0, -1.0, -2.0, -3.0, -4.0, -5.0]))
    bert = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁a", "a", "▁the", "re", "▁,"]
    write("gguf_vocab_fuzz", "bert", gguf_vocab("bert", bert, [3] * 4 + [1] * 5, more=lambda w: (w.add_unk_token_id(1), w.add_sep_token_id(3))))


if __name__ == "__main__":
    write_json()
    write_models()
    write_gguf()
