#!/usr/bin/env python3
"""Makes tests/golden/FAMILY/CASE for families of encoders: random-weight models of a few layers as Hugging Face folders with
tokenizers of about 200 tokens, and what transformers computes for them in float32: golden.json (texts, their ids, labels'
logits), hidden.f32 (little-endian, [ids of all texts][width]). Cases with a pooling are folders of sentence-transformers, and
golden.json has the embeddings that it computes. Weights are rounded to bfloat16 and stored so. Needs PyPI torch,
transformers, tokenizers, safetensors and sentence-transformers. Run from the repository's root, with names of families or
FAMILY/CASE for some only."""
import json
import pathlib
import shutil
import sys

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = pathlib.Path("tests/golden")
CORPUS = ["The river ran slowly past the old mill, and nobody knew why it never froze.", "Anna met Peter in Paris on Monday.",
          "In 2026 there were 365 days, 12 months and 52 weeks.", "Don't stop! We'll see, they've gone.",
          "Il n'est pas là; où est-il allé ?", "I loved this film, and my friends hated it."]
TEXTS = ["Anna met Peter in Paris.", "the river", "I loved this film, and my friends hated it. " * 3, "Où est-il allé ? 365 days!", ""]
COMMON = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=96,
              attn_implementation="eager")
DISTIL = dict(dim=32, hidden_dim=64, n_layers=2, n_heads=2, max_position_embeddings=96, attn_implementation="eager")
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
MOODS = ["bad", "so-so", "good"]


def labels(names):
    return dict(id2label=dict(enumerate(names)), label2id={name: i for i, name in enumerate(names)})


# family: {case: (class, settings, modules of sentence-transformers)}
FAMILIES = {
    "bert": {
        "embedding": ("BertModel", COMMON, dict(pooling="mean", normalize=True, max_tokens=24)),
        "cls": ("BertModel", COMMON | dict(type_vocab_size=1, num_attention_heads=1), dict(pooling="cls")),
        "text": ("BertForSequenceClassification", COMMON | labels(MOODS), None),
        "token": ("BertForTokenClassification", COMMON | labels(TAGS), None),
    },
    "distilbert": {
        "embedding": ("DistilBertModel", DISTIL, dict(pooling="mean")),
        "text": ("DistilBertForSequenceClassification", DISTIL | labels(MOODS) | dict(problem_type="multi_label_classification"), None),
        "token": ("DistilBertForTokenClassification", DISTIL | labels(TAGS), None),
    },
    "roberta": {
        "embedding": ("RobertaModel", COMMON, dict(pooling="mean", normalize=True)),
        "text": ("RobertaForSequenceClassification", COMMON | labels(MOODS), None),
        "token": ("RobertaForTokenClassification", COMMON | labels(TAGS), None),
        "xlmr": ("XLMRobertaModel", COMMON, dict(pooling="cls", normalize=True)),
    },
    "modernbert": {
        "embedding": ("ModernBertModel", COMMON | dict(num_hidden_layers=4, local_attention=8), dict(pooling="cls")),
        "text": ("ModernBertForSequenceClassification", COMMON | labels(MOODS) | dict(classifier_pooling="mean"), None),
        "token": ("ModernBertForTokenClassification", COMMON | labels(TAGS) | dict(
            num_hidden_layers=3, local_attention=6, attention_bias=True, mlp_bias=True, norm_bias=True, classifier_bias=True), None),
    },
    "qwen3": {"embedding": ("Qwen3ForCausalLM", COMMON | dict(num_key_value_heads=1, head_dim=16, tie_word_embeddings=True),
                            dict(pooling="lasttoken", normalize=True))},
}


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=160, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer, dict(cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]")


def byte_bpe(special, processor):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=300, special_tokens=special,
                                                              initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.post_processor = processor
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


ROBERTA_SPECIAL = dict(bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>", pad_token="<pad>", unk_token="<unk>",
                       mask_token="<mask>")


def roberta():
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    return byte_bpe(special, processor), ROBERTA_SPECIAL


def xlmr():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace(" ", " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(CORPUS, trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token="<unk>"))
    tokenizer.normalizer = None
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>",
                                                             special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer, ROBERTA_SPECIAL


def modernbert():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]",
                                              special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return byte_bpe(special, processor), dict(cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]")


def qwen3():
    processor = processors.TemplateProcessing(single="$A <|endoftext|>", pair="$A $B <|endoftext|>",
                                              special_tokens=[("<|endoftext|>", 0)])
    return byte_bpe(["<|endoftext|>"], processor), dict(eos_token="<|endoftext|>", pad_token="<|endoftext|>")


def tokenizer_of(class_name):
    for prefix, make_it in (("Bert", wordpiece), ("Distil", wordpiece), ("Roberta", roberta), ("XLMR", xlmr), ("Qwen3", qwen3)):
        if class_name.startswith(prefix):
            return make_it()
    return modernbert()


def randomize(model, generator):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name.lower():
                center = 0.0 if name.endswith("bias") else 1.0
                parameter.uniform_(center - 0.5, center + 0.5, generator=generator)
            else:
                parameter.normal_(0, 0.3 if name.endswith("bias") else 0.2, generator=generator)
            parameter.copy_(parameter.bfloat16().float())


def make_embeddings(folder, modules):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    transformer = Transformer(str(folder))
    transformer.max_seq_length = modules.get("max_tokens", 90)
    parts = [transformer, Pooling(32, pooling_mode=modules["pooling"])] + ([Normalize()] if modules.get("normalize") else [])
    sentence_model = SentenceTransformer(modules=parts, device="cpu")
    embeddings = sentence_model.encode(TEXTS, batch_size=1)
    with_modules = folder.with_name("modules")
    sentence_model.save(str(with_modules))
    for name in ("modules.json", "sentence_bert_config.json", "1_Pooling"):
        if (with_modules / name).exists():
            shutil.move(with_modules / name, folder / name)
    shutil.rmtree(with_modules)
    if "max_tokens" in modules:  # as most published models say it
        (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": modules["max_tokens"], "do_lower_case": False}))
    return embeddings.tolist()


def place_in_bytes(text, begin, end):
    begin += len(text[begin:end]) - len(text[begin:end].lstrip())
    return [len(text[:begin].encode()), len(text[:end].encode())]


def make(family, case, class_name, settings, modules, seed):
    generator = torch.Generator().manual_seed(seed)
    tokenizer, special = tokenizer_of(class_name)
    model_class = getattr(transformers, class_name)
    numbers = {key.replace("_token", "_token_id"): tokenizer.token_to_id(token) for key, token in special.items() if key[:3] != "unk"}
    numbers.pop("mask_token_id", None)
    if class_name.startswith("Modern"):  # whose configuration has others by default
        numbers |= dict(bos_token_id=2, eos_token_id=3)
    config = model_class.config_class(**(settings | dict(vocab_size=tokenizer.get_vocab_size()) | numbers))
    model = model_class(config).float().eval()
    randomize(model, generator)
    folder = OUT / family / case
    shutil.rmtree(folder, ignore_errors=True)
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    model.save_pretrained(folder)
    golden = {"texts": TEXTS}
    if modules:
        golden["embeddings"] = make_embeddings(folder, modules)
    rows, golden["ids"], golden["logits"], golden["places"] = [], [], [], []
    for text in TEXTS:
        encoding = tokenizer.encode(text)
        ids = encoding.ids[:90]
        golden["places"].append([place_in_bytes(text, *place) for place in encoding.offsets[:90]])
        with torch.no_grad():
            out = model(torch.tensor([ids]))
            # The hidden states of heads are those before ModernBERT's last norm.
            trunk = getattr(model, model.base_model_prefix, model)
            rows.append(trunk(torch.tensor([ids])).last_hidden_state[0])
        golden["ids"].append(ids)
        golden["logits"].append(out.logits[0].tolist() if modules is None else [])
    model.bfloat16().save_pretrained(folder)
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    hidden = torch.cat(rows)
    (folder / "hidden.f32").write_bytes(hidden.contiguous().numpy().astype("<f4").tobytes())
    print(f"{family}/{case}: {sum(p.numel() for p in model.parameters())} parameters, hidden std {hidden.std():.2f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for family_name, cases in FAMILIES.items():
        for case_seed, (case_name, (model_name, case_settings, st_modules)) in enumerate(cases.items()):
            wanted = sys.argv[1:]
            if not wanted or family_name in wanted or f"{family_name}/{case_name}" in wanted:
                make(family_name, case_name, model_name, case_settings, st_modules, case_seed)
