#!/usr/bin/env python3
"""Writes tests/golden/vocab: small tokenizers of every kind that tokenizer.json can hold, with the ids that the PyPI
packages `tokenizers` and `sentencepiece` give for a list of texts (expected.json), and the words into which each family
of pre-tokenizers cuts texts (words.json). Needs those two packages.

    make_vocab_fixtures.py OUT_DIR [LLAMA2_TOKENIZER_MODEL]

With the SentencePiece model of Llama 2, which is not kept here, also writes what it gives for the same texts (llama2.json).
"""
import io, json, pathlib, random, sys

import sentencepiece
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXT = [
    "The river ran slowly past the old mill, and nobody knew why it never froze.", "Il n'est pas là; où est-il allé ?",
    "In 2026 there were 365 days, 12 months and 52 weeks; 1234567 seconds passed.", "Don't stop! We'll see, they've gone.",
    "def add(a, b):\n    return a + b\n\nprint(add(1, 22))\n", "Der Fluß war größer als ein Meer, sagte die Frau.",
    "    four spaces,\ttabs and\r\nline ends   ", "水は流れる。川は海へ。", "one two three four five six seven eight nine ten",
]
CASES = TEXT + ["", " ", "  ", "a", " a", "Hello, world", "  leading", "trailing  ", "émigré e\u0301", "３４５ ½ ²", "😀 emoji 😀",
                "x\n\n\ny", "\t", "1", "12", "123", "1234", "12345 67", "!!! ... ---", "'s 'S 'LL don'T", "中文字符", "a  b   c",
                # What expressions, tables and limits trip over: line ends of all kinds, marks without letters, letters that
                # others fold to, blanks of every width, characters outside the basic plane, long runs.
                "a\r\n\r\nb\rc\n \n  d", "  \n", "\n  ", " \t \t x", "'ſ 'K it'ſ I'LL we'Re", "''s'''t", "e\u0301\u0301\u0301 \u0301x",
                "\u00a0a\u2003b\u3000c\u180ed\u200be\u2028f\u0085g\ufeffh", "٣٤٥٦ १२३ ⅷ ①②③ ２０２６", "日本語とカタカナ、ｶﾅ。한국어 조선말",
                "Ωμέγα ΏΜΕΓΑ Σίσυφος", "Å\u212bÅ ﬁ ﬆ ǅ İı ẞß", "नमस्ते दुनिया ไทยไม่มีวรรค", "👩\u200d👩\u200d👧 🇩🇪 ✌🏽", "𝐛𝐨𝐥𝐝 𐐀𐐨 𠀀𠮷",
                "a_b-c.d/e\\f?g=h&i#j", "$100+20=120<>^~|`", "«quoted» “x” ‘y’ 【z】", "a" * 150, " " * 70 + "x", "1" * 50, "\n" * 20, "!" * 40, "中" * 30]
SPLITS = {
    "llama-bpe": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}


CASED = ("\\s?["
         "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1f7dᾀ-ᾴ"
         "ᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿ"
         "ﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2"
         "\U000118a0-\U000118df\U0001e900-\U0001e943"
         "]+")
HAN = "[一-龥ࠀ-一가-\ud7ff]+"
DEEPSEEK = {
    "deepseek-llm": ["[\r\n]", CASED, "\\s?[!-/:-~！-／：-～‘-‟\u3000-。]+", r"\s+$", HAN],
    "deepseek-coder": ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", HAN],
    "deepseek-v3": [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
                    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"""
                    r"|\s*[\r\n]+|\s+(?!\S)|\s+"],
}
FAMILIES = ["gpt-2", "llama-bpe", "qwen2", "starcoder", "falcon", "mpt", "refact"] + list(DEEPSEEK)


def byte_level(use_regex):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def pre_tokenizer(family):
    sequence = pre_tokenizers.Sequence
    if family in SPLITS:
        return sequence([pre_tokenizers.Split(Regex(SPLITS[family]), "isolated"), byte_level(False)])
    if family in DEEPSEEK:
        digits = [pre_tokenizers.Digits(True)] if family != "deepseek-v3" else []
        return sequence([pre_tokenizers.Split(Regex(r), "isolated") for r in DEEPSEEK[family]] + digits + [byte_level(False)])
    if family in ("starcoder", "refact"):
        return sequence([pre_tokenizers.Digits(True), byte_level(True)])
    if family == "falcon":
        return sequence([pre_tokenizers.Punctuation("contiguous"), byte_level(True), pre_tokenizers.Digits(False),
                         pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")])
    return byte_level(True)


def byte_bpe(family):
    tokenizer = Tokenizer(models.BPE(ignore_merges=family == "llama-bpe"))
    tokenizer.pre_tokenizer = pre_tokenizer(family)
    tokenizer.decoder = decoders.ByteLevel()
    if family in ("qwen2", "mpt"):
        tokenizer.normalizer = normalizers.NFC()
    special = ["<|begin|>", "<|end|>"]
    tokenizer.train_from_iterator(TEXT * 3, trainers.BpeTrainer(
        vocab_size=420, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tokenizer.add_tokens(["<user>"])
    if family == "llama-bpe":
        tokenizer.post_processor = processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", 0)])
    return tokenizer


def sentencepiece_model(kind, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(TEXT * 3), model_writer=model, model_type=kind,
                                             minloglevel=2, num_threads=1, **options)
    return model.getvalue()


def pieces_of(model):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [(processor.id_to_piece(i), processor.get_score(i)) for i in range(len(processor))]


def merges_model(pieces):
    """As transformers converts Llama models: every way to make each piece, the best piece first."""
    ids = {piece: i for i, (piece, _) in enumerate(pieces)}
    merges = []
    for piece, score in sorted(pieces, key=lambda p: -p[1]):
        ways = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in ids and piece[i:] in ids]
        merges += sorted(ways, key=lambda way: (ids[way[0]], ids[way[1]]))
    return models.BPE(ids, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)


def converted_bpe(model, metaspace):
    tokenizer = Tokenizer(merges_model(pieces_of(model)))
    if metaspace:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", "first", split=False)
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def converted_unigram(model):
    tokenizer = Tokenizer(models.Unigram(pieces_of(model), 0))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace(Regex(r"\A +| +\z"), ""), normalizers.Replace(Regex(" {2,}"), "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", "always")
    tokenizer.decoder = decoders.Metaspace("▁", "always")
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    return tokenizer


def wordpiece(lowercase):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(TEXT * 3, trainers.WordPieceTrainer(vocab_size=260, special_tokens=special, show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tokenizer


def hostile_texts():
    """Strings of characters from every class that an expression asks for, in an order that no language has."""
    alphabet = list("aZsſ\u212a'''''123½٣१中一龥かカ한\ud7fbé\u0301\u0903  \t\r\n\n\u00a0\u3000\u180e\u2028\u0085\x1c\x00.,!?-_$+<`~|^「、。！‘§°😀\u200d")
    alphabet += ["'s", "'ll", "'RE", " a", "  "]
    generator = random.Random(1)
    return ["".join(generator.choice(alphabet) for _ in range(generator.randrange(1, 14))) for _ in range(150)]


def words(families):
    """The length in bytes of each word. Every letter of a byte-level word stands for one byte."""
    texts = CASES + hostile_texts()
    cutters = {f: pre_tokenizer(f) for f in families}
    cut = {f: [[len(word) for word, _ in cutters[f].pre_tokenize_str(text)] for text in texts] for f in families}
    return json.dumps({"texts": texts, "words": cut}, ensure_ascii=True, separators=(",", ":"))


def real_model(path):
    processor = sentencepiece.SentencePieceProcessor(model_file=path)
    texts = [text for text in CASES + hostile_texts() if "\0" not in text]  # this package cuts texts there
    ids = {text: processor.encode(text) for text in texts}
    return json.dumps({"texts": list(ids), "ids": list(ids.values())}, ensure_ascii=True, separators=(",", ":"))


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    bpe = sentencepiece_model("bpe", vocab_size=420, byte_fallback=True, character_coverage=0.99,
                              normalization_rule_name="identity", remove_extra_whitespaces=False)
    unigram = sentencepiece_model("unigram", vocab_size=112, normalization_rule_name="identity")
    files = {f"byte_bpe_{f}": byte_bpe(f) for f in FAMILIES}
    files |= {"bpe_prepend": converted_bpe(bpe, False), "bpe_metaspace": converted_bpe(bpe, True),
              "unigram": converted_unigram(unigram), "wordpiece_uncased": wordpiece(True), "wordpiece_cased": wordpiece(False)}
    expected = {}
    for name, tokenizer in files.items():
        (out / f"{name}.tokenizer.json").write_text(tokenizer.to_str(pretty=False), encoding="utf-8")
        expected[name + ".tokenizer.json"] = [tokenizer.encode(text).ids for text in CASES]
    for name, model in {"bpe": bpe, "unigram": unigram}.items():
        (out / f"{name}.model").write_bytes(model)
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        first, last = ([1], []) if name == "bpe" else ([], [2])
        expected[name + ".model"] = [first + processor.encode(text) + last for text in CASES]
    (out / "words.json").write_text(words([f for f in FAMILIES if f not in ("mpt", "refact")]), encoding="utf-8")
    if len(sys.argv) > 2:
        (out / "llama2.json").write_text(real_model(sys.argv[2]), encoding="utf-8")
    (out / "expected.json").write_text(json.dumps({"texts": CASES, "ids": expected}, ensure_ascii=True), encoding="utf-8")


if __name__ == "__main__":
    main()
