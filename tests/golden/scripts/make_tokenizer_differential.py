#!/usr/bin/env python3
"""Writes tests/golden/tokenizers: for each family of text models its tokenizer.json, pipeline as published and vocabulary
trained here, and what the PyPI package `tokenizers` makes of 10,000 random and hostile texts with it.

    make_tokenizer_differential.py OUT_DIR [FAMILY …]
    make_tokenizer_differential.py OUT_DIR --show FAMILY NUMBER      a text and the ids that the package gives

TinyLlama has the pipeline of llama2, CodeQwen and Qwen 2.5 and 3 that of qwen2.

FAMILY.json is the tokenizer. FAMILY.bin holds what differential_test.cc compares: a digest of the ids of all texts (8 bytes,
little-endian), then one byte of hash for each text, by which a text that went wrong is named. texts.json holds what texts are
made of; the test makes them anew by the same arithmetic. Needs the packages `tokenizers` and `sentencepiece`.
"""
import io, json, pathlib, random, struct, sys

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from make_vocab_fixtures import CASED, HAN, TEXT, merges_model, pieces_of

N_TEXTS = 10000
MASK = (1 << 64) - 1

PIECES = [" ", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n", "\u00a0", "\u2003", "\u3000", "\u180e", "\u200b", "\u2028", "\u0085", "\ufeff", "\x1c",
          "\x00", "\x7f", "\u00ad", "the", " the", "river", " and", "a", "A", "I", "s", " s", "'s", "'S", "'LL", "'ll", "'ſ", "'re", "don't", "ß", "ẞ",
          "İ", "ı", "ſ", "ﬁ", "ﬆ", "Å", "\u212b", "é", "e\u0301", "\u0301", "\u0301\u0300\u0327", "ǆ", "ΐ", "Σ", "ς", "Ωμέγα", "1", "12", "123", "2026", "1234567",
          "٣", "१२", "½", "²", "ⅷ", "①", "３", "中", "中文", "水は", "カナ", "ｶﾞ", "ガ", "か\u3099", "한국", "\u1112\u1161\u11ab", "각", "ไทย", "नि", "क्ष", "ক\u09cdষ", "கு",
          "😀", "👩\u200d👩\u200d👧", "🇩🇪", "✌🏽", "☕\ufe0f", "𝐛", "𐐀", "𠀀", "\u05d0\u05b7", "لا", "\u0640", ".", ",", "!", "?", "...", "!!!", "-", "--", "_", "__", "(", ")", "{}",
          "[", "]", "<", ">", "</", "/>", "==", "!=", "+", "$", "^", "`", "~", "|", "||", "\\", "/", "\"", "'", "«", "»", "“", "’", "「", "。", "、", "！", "§", "°", "€", "∑",
          "▁", "▁▁", "▁the", "Ġ", "Ċ", "##", "##s", "</w>", "<0x0A>", "<0x41>", "<0xFF>", "[UNK]", "[CLS]", "<unk>", "<s>", "</s>", "<s", "def f(x):\n    return x",
          "#include <a.h>", "http://a.b/c?d=e&f", "x_1", "camelCase", "HTTPServer", "aaaa", "\n    ", "\n\t", "        ", "it's", "we'Re", "\u1dfa", "\u20dd", "\U0001d165",
          "\u0378", "\ue000", "\ufffd", "\ufffe", "\U0010ffff", "\U000105c0", "\U00016d67", "\U00011383", "\u1c89", "\ua7cb", "\U00010d40", "\u2ffc", "\u1b7f", "\U0001f8b2",
          "\u0344", "\u0958", "\ufb1d", "\U0002f800", "\u1e9b\u0323", "\u0f73", "\u2126", "\u037e", "\u2000"]
# First and last code points of blocks from which characters are drawn.
BLOCKS = [(0x20, 0x7E), (0, 0x2FF), (0x300, 0x36F), (0x370, 0x5FF), (0x600, 0x8FF), (0x900, 0xDFF), (0xE00, 0x11FF), (0x1200, 0x1CFF), (0x1D00, 0x1FFF),
          (0x2000, 0x206F), (0x2070, 0x24FF), (0x2500, 0x2FFF), (0x3000, 0x33FF), (0x4E00, 0x9FFF), (0xA000, 0xABFF), (0xAC00, 0xD7FF), (0xE000, 0xFFFF),
          (0x10000, 0x11FFF), (0x1D000, 0x1FFFF), (0x20000, 0x323AF), (0, 0xD7FF), (0xE000, 0x10FFFF)]


class Numbers:
    """splitmix64."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return ((z ^ (z >> 31)) >> 16) % limit


def make_text(number, added):
    """Text `number`; `added` are the texts of the tokenizer's added tokens."""
    numbers = Numbers(number)
    words = " ".join(TEXT).split(" ")
    wordy = numbers.below(4) == 0
    text = ""
    for _ in range(numbers.below(24)):
        pick = numbers.below(20)
        if wordy and pick > 3:
            text += words[numbers.below(len(words))] + " "
        elif pick < 14:
            text += PIECES[numbers.below(len(PIECES))]
        elif pick < 17 or not added:
            first, last = BLOCKS[numbers.below(len(BLOCKS))]
            code = first + numbers.below(last - first + 1)
            text += chr(code)
        else:
            text += added[numbers.below(len(added))]
    return text


def added_texts(tokenizer):
    return [token.content for _, token in sorted(tokenizer.get_added_tokens_decoder().items())]


def fold(hash_value, number):
    for byte in struct.pack("<I", number):
        hash_value = ((hash_value ^ byte) * 0x100000001B3) & MASK
    return hash_value


def record(tokenizer):
    added = added_texts(tokenizer)
    digest, hashes = 0xCBF29CE484222325, bytearray()
    for encoding in tokenizer.encode_batch([make_text(number, added) for number in range(N_TEXTS)]):
        one = 0xCBF29CE484222325
        for token in encoding.ids:
            one = fold(one, token)
            digest = fold(digest, token)
        digest = fold(digest, 0xFFFFFFFF)
        hashes.append((one ^ (one >> 32)) & 0xFF)
    return struct.pack("<Q", digest) + bytes(hashes)


def training_texts():
    """Ordinary and hostile, so that merges reach over everything a pipeline must keep apart."""
    generator = random.Random(7)
    hostile = ["".join(generator.choice(PIECES) for _ in range(12)) for _ in range(300)]
    return TEXT * 20 + [text.replace("\0", "") for text in hostile]


# --- byte-level BPE ---------------------------------------------------------------------------------------------------

CL100K = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN = CL100K.replace(r"\p{N}{1,3}", r"\p{N}")
O200K = ("[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")


def byte_level(use_regex=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def sequence(*steps):
    return pre_tokenizers.Sequence(list(steps))


def split(regex, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(regex), behavior, invert)


def special(text, **flags):
    return AddedToken(text, special=True, **({"normalized": False} | flags))


def plain(text, **flags):
    return AddedToken(text, special=False, **flags)


def byte_bpe(pre, specials, others=(), normalizer=None, ignore_merges=False, post=None):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(training_texts(), trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tokenizer.add_special_tokens(list(specials))
    tokenizer.add_tokens(list(others))
    if post is not None:
        tokenizer.post_processor = post(tokenizer)
    return tokenizer


def template(single, *names):
    return lambda tokenizer: processors.TemplateProcessing(single=single, special_tokens=[(n, tokenizer.token_to_id(n)) for n in names])


def runs_of_spaces(longest):
    return [plain(" " * n) for n in range(longest, 1, -1)]


FIM = ["<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>"]
CODE_MARKS = ["<|endoftext|>", *FIM, "<filename>", "<gh_stars>", "<issue_start>", "<jupyter_code>", "<commit_before>", "<reponame>", "<file_sep>"]


def gpt2():
    return byte_bpe(byte_level(True), [special("<|endoftext|>", normalized=True)])


def llama3():
    return byte_bpe(sequence(split(CL100K), byte_level()), [special(t) for t in (
        "<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>")],
        ignore_merges=True, post=lambda t: processors.Sequence([processors.ByteLevel(trim_offsets=False), template("<|begin_of_text|> $A", "<|begin_of_text|>")(t)]))


def qwen2():
    return byte_bpe(sequence(split(QWEN), byte_level()), [special(t) for t in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")],
                    [plain(t, normalized=False) for t in ("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<think>", "</think>")],
                    normalizer=normalizers.NFC(), post=lambda t: processors.ByteLevel(trim_offsets=False))


def phi2():
    return byte_bpe(byte_level(True), [special("<|endoftext|>")], runs_of_spaces(31) + [plain("\t" * n) for n in range(9, 1, -1)])


def phi4():
    marks = [special(t, lstrip=True, rstrip=True) for t in ("<|im_start|>", "<|im_end|>", "<|im_sep|>", "<|endoftext|>", "<|fim_prefix|>", "<|dummy_0|>")]
    return byte_bpe(sequence(split(CL100K, "removed", True), byte_level()), marks)


def phi4_mini():
    marks = [special("<|endoftext|>")] + [special(t, rstrip=True) for t in ("<|assistant|>", "<|user|>", "<|end|>", "<|system|>")]
    return byte_bpe(sequence(split(O200K, "removed", True), byte_level()), marks)


def gptneox():
    return byte_bpe(byte_level(True), [special("<|endoftext|>"), special("<|padding|>")], runs_of_spaces(24), normalizer=normalizers.NFC(),
                    post=lambda t: processors.ByteLevel(trim_offsets=True))


def olmo2():
    return byte_bpe(sequence(split(CL100K), byte_level()), [special(t) for t in ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|fim_prefix|>", "|||PHONE_NUMBER|||")], ignore_merges=False)


def olmo():
    return byte_bpe(byte_level(True), [special("<|endoftext|>"), special("<|padding|>")],
                    [plain(t, normalized=False) for t in ("|||PHONE_NUMBER|||", "|||EMAIL_ADDRESS|||", "|||IP_ADDRESS|||")] + runs_of_spaces(24),
                    normalizer=normalizers.NFC(), post=template("$A"))


def starcoder2():
    return byte_bpe(sequence(pre_tokenizers.Digits(True), byte_level(True)), [special(t) for t in CODE_MARKS])


def deepseek_coder():
    steps = [split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split(HAN), pre_tokenizers.Digits(True), byte_level()]
    marks = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<pad>"]
    others = ["<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", "<|EOT|>", "<|User|>"]
    return byte_bpe(sequence(*steps), [special(t, normalized=True) for t in marks], [plain(t, normalized=True) for t in others], normalizer=normalizers.Sequence([]),
                    post=template("<｜begin▁of▁sentence｜> $A", "<｜begin▁of▁sentence｜>"))


def deepseek_llm():
    steps = [split("[\r\n]"), split(CASED), split("\\s?[!-/:-~！-／：-～‘-‟\u3000-。]+"), split(r"\s+$"), split(HAN), pre_tokenizers.Digits(True), byte_level()]
    marks = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"]
    return byte_bpe(sequence(*steps), [special(t, normalized=True) for t in marks], normalizer=normalizers.Sequence([]),
                    post=template("<｜begin▁of▁sentence｜> $A", "<｜begin▁of▁sentence｜>"))


def smollm():
    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<reponame>", "<file_sep>", "<filename>", "<jupyter_start>"]
    return byte_bpe(sequence(pre_tokenizers.Digits(True), byte_level(True)), [special(t) for t in marks])


def stablelm2():
    return byte_bpe(sequence(split(QWEN, "removed", True), byte_level()), [special(t) for t in (
        "<|endoftext|>", "<|fim_prefix|>", "<|im_start|>", "<|im_end|>", "<|reg0|>")], normalizer=normalizers.NFC())


def granite():
    marks = ["<|end_of_text|>", *FIM, "<|start_of_role|>", "<|end_of_role|>", "<|tool_call|>", "<reponame>"]
    return byte_bpe(sequence(pre_tokenizers.Digits(True), byte_level(True)), [special(t) for t in marks])


def roberta():
    marks = [special(t, normalized=True) for t in ("<s>", "<pad>", "</s>", "<unk>")] + [special("<mask>", lstrip=True)]
    pair = lambda t: processors.RobertaProcessing(("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")), trim_offsets=True, add_prefix_space=False)
    return byte_bpe(byte_level(True), marks, post=pair)


def modernbert():
    marks = [special(t) for t in ("[UNK]", "[CLS]", "[SEP]", "[PAD]")] + [special("[MASK]", lstrip=True)]
    return byte_bpe(byte_level(True), marks, [plain("|||IP_ADDRESS|||", normalized=False)] + runs_of_spaces(24) + [plain("<|padding|>", normalized=False)],
                    normalizer=normalizers.NFC(), post=template("[CLS] $A [SEP]", "[CLS]", "[SEP]"))


# --- SentencePiece, as transformers converts it ------------------------------------------------------------------------


def sentencepiece_model(kind, size, **options):
    model = io.BytesIO()
    texts = [line for text in training_texts() for line in text.split("\n") if line.strip()]
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(texts), model_writer=model, model_type=kind, vocab_size=size, minloglevel=2,
                                             num_threads=1, hard_vocab_limit=False, **options)
    return model.getvalue()


def converted_bpe(normalizer, pre, specials, others=(), post=("<s> $A", "<s>"), **options):
    pieces = pieces_of(sentencepiece_model("bpe", 800, byte_fallback=True, character_coverage=0.98, normalization_rule_name="identity",
                                           remove_extra_whitespaces=False, **options))
    tokenizer = Tokenizer(merges_model(pieces))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre is not None:
        tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens(list(specials))
    tokenizer.add_tokens(list(others))
    tokenizer.post_processor = template(*post)(tokenizer)
    return tokenizer


def prepend():
    return normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])


BASIC = [special(t) for t in ("<unk>", "<s>", "</s>")]


def llama2():
    return converted_bpe(prepend(), None, BASIC)


def codellama():
    return converted_bpe(prepend(), None, BASIC + [special(t) for t in ("▁<PRE>", "▁<MID>", "▁<SUF>", "▁<EOT>")])


def mistral():
    return converted_bpe(None, pre_tokenizers.Metaspace("▁", "first", split=False), BASIC + [special(t) for t in ("[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]")])


def phi3():
    marks = [special("<unk>"), special("<s>"), plain("</s>", rstrip=True, normalized=False), special("<|endoftext|>")]
    marks += [special(t, rstrip=True) for t in ("<|assistant|>", "<|end|>", "<|system|>", "<|user|>")]
    return converted_bpe(prepend(), None, [m for m in marks if m.special], [m for m in marks if not m.special])


def gemma():
    specials = [special(t) for t in ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>")]
    others = [plain(t, normalized=False) for t in ["<unused0>", "<table>", "</table>", "<h1>"] + ["\n" * n for n in range(1, 8)] + ["▁" * n for n in range(2, 9)]]
    return converted_bpe(normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous"), specials, others, post=("<bos> $A", "<bos>"),
                         add_dummy_prefix=False, control_symbols=["<pad>", "<eos>", "<bos>", "<mask>", "<start_of_turn>", "<end_of_turn>"],
                         user_defined_symbols=[token.content for token in others])


# --- WordPiece --------------------------------------------------------------------------------------------------------


def wordpiece(lowercase):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    texts = [text.replace("▁", "") for text in training_texts()]  # by which a Vocab marks the beginnings of words
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=900, special_tokens=marks, show_progress=False))
    tokenizer.post_processor = template("[CLS] $A [SEP]", "[CLS]", "[SEP]")(tokenizer)
    return tokenizer


def bert_uncased():
    return wordpiece(True)


def bert_cased():
    return wordpiece(False)


# --- fill in the middle -------------------------------------------------------------------------------------------------

INFILL_MARKS = {"codellama": ("▁<PRE>", "▁<SUF>", "▁<MID>"), "starcoder2": ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
                "granite": ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"), "qwen2": ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
                "deepseek_coder": ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>")}
INFILL_TEXTS = [("def add(a, b):\n    return ", "\n\nprint(add(1, 22))\n"), ("", "the river"), ("x = ", ""), ("", ""), (" the", " mill"),
                ("# größer als 水\n", "  y\n"), ("a\r\n\tb", "\n")]


def infill_ids(name, tokenizer, prefix, suffix):
    before, behind, middle = INFILL_MARKS[name]
    if name != "codellama":
        return tokenizer.encode(before + prefix + behind + suffix + middle).ids
    # As its authors do: the suffix behind a mark that is taken off again, so that no space is put in front of it.
    plain_ids = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    mark = len(plain_ids("\u263a"))
    of = tokenizer.token_to_id
    return [of("<s>"), of(before), *plain_ids(prefix), of(behind), *plain_ids("\u263a" + suffix)[mark:], of(middle)]


def infill(out):
    cases = {}
    for name in INFILL_MARKS:
        tokenizer = Tokenizer.from_file(str(out / f"{name}.json"))
        cases[name] = [infill_ids(name, tokenizer, *texts) for texts in INFILL_TEXTS]
    return json.dumps({"texts": INFILL_TEXTS, "ids": cases}, separators=(",", ":")) + "\n"


FAMILIES = [gpt2, llama3, qwen2, phi2, phi4, phi4_mini, gptneox, olmo, olmo2, starcoder2, deepseek_coder, deepseek_llm, smollm, stablelm2, granite,
            roberta, modernbert, llama2, codellama, mistral, phi3, gemma, bert_uncased, bert_cased]


def main():
    out = pathlib.Path(sys.argv[1])
    if "--show" in sys.argv:
        name, number = sys.argv[3:5]
        tokenizer = Tokenizer.from_file(str(out / f"{name}.json"))
        text = make_text(int(number), added_texts(tokenizer))
        encoding = tokenizer.encode(text)
        print(ascii(text), encoding.ids, encoding.tokens, sep="\n")
        return
    out.mkdir(parents=True, exist_ok=True)
    (out / "texts.json").write_text(json.dumps({"words": " ".join(TEXT).split(" "), "pieces": PIECES, "blocks": BLOCKS}, separators=(",", ":")) + "\n", encoding="utf-8")
    for make in FAMILIES:
        if len(sys.argv) > 2 and make.__name__ not in sys.argv[2:]:
            continue
        tokenizer = make()
        if make in (bert_uncased, bert_cased):  # as published for sentence embeddings; texts here are shorter
            tokenizer.enable_truncation(512)
            tokenizer.enable_padding()
        text = tokenizer.to_str(pretty=False)
        (out / f"{make.__name__}.json").write_text(text, encoding="utf-8")
        tokenizer.no_padding()
        (out / f"{make.__name__}.bin").write_bytes(record(tokenizer))
        print(make.__name__, tokenizer.get_vocab_size(), len(text))
    (out / "infill.json").write_text(infill(out), encoding="utf-8")


if __name__ == "__main__":
    main()
