#!/usr/bin/env python3
"""Makes the golden numbers of tests/golden/tasks, to which src/eval/tasks/*_test.cc compare:

  choice.json   log-likelihoods of the choices of choice.jsonl under models/books-3m, by transformers in float32
  rouge.json    ROUGE-1, -2 and -L of random and hostile texts, by rouge-score
  spans.json    spans of random BIO tags, and precision, recall and F1, by seqeval

  pip install torch transformers rouge-score seqeval
  python make_task_fixtures.py
"""

import json
import pathlib
import random
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[3]
FOLDER = ROOT / "tests/golden/tasks"


def write(name, value):
    (FOLDER / name).write_text(json.dumps(value, ensure_ascii=True, indent=0, separators=(",", ":")) + "\n")


def make_choice():
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    task = tomllib.loads((FOLDER / "choice.toml").read_text())
    items = [json.loads(line) for line in (FOLDER / "choice.jsonl").read_text().splitlines()]
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "models/books-3m")
    model = AutoModelForCausalLM.from_pretrained(ROOT / "models/books-3m", dtype=torch.float32).eval()

    def ids_of(text):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        return [model.config.bos_token_id] + ids

    shots = "".join(f"{e['begin']} {e['ends'][e['right']]}\n" for e in task["shots"]["examples"])
    out = []
    for item in items:
        prompt = shots + item["begin"]
        given, scores = ids_of(prompt), []
        for end in item["ends"]:
            whole = ids_of(prompt + " " + end)
            first = next((i for i, (a, b) in enumerate(zip(given, whole)) if a != b), len(given))
            with torch.no_grad():
                logits = model(torch.tensor([whole])).logits[0].double()
            log_p = torch.log_softmax(logits, -1)
            scores.append(sum(log_p[i - 1, whole[i]].item() for i in range(first, len(whole))))
        out.append({"n_prompt": len(given), "log_likelihoods": scores})
    write("choice.json", out)


def make_rouge():
    from rouge_score import rouge_scorer

    names = ["rouge1", "rouge2", "rougeL"]
    scorer = rouge_scorer.RougeScorer(names, use_stemmer=False)
    chance = random.Random(1)
    words = "the a cat cats sat on mat in of model models quantised 4-bit 3.5 don't U.S. naïve Straße İstanbul \u212aelvin ＡＢＣ x_y e=mc2 “quoted” \u00a0 \u2028 ½ 日本 A1b2 UPPER".split(" ")
    cases = [("", ""), ("", "a"), ("a", ""), ("...", "a b"), ("a", "a"), ("a b", "b a"), ("A\tB\nC", "a b c"), ("İ", "i"), ("\u212a", "k"), ("a a a a", "a a")]
    for _ in range(300):
        text = lambda: chance.choice([" ", "  ", "\n", "-"]).join(chance.choices(words, k=chance.randint(0, 30)))
        cases.append((text(), text()))
    for _ in range(100):
        wild = lambda: "".join(chr(chance.choice([chance.randint(0, 127), chance.randint(128, 0x24FF)])) for _ in range(chance.randint(0, 60)))
        cases.append((wild(), wild()))
    out = []
    for target, prediction in cases:
        scores = scorer.score(target, prediction)
        out.append({"target": target, "prediction": prediction, "scores": {n: list(scores[n]) for n in names}})
    multi = []
    for _ in range(30):
        targets = [chance.choice(cases)[0] for _ in range(chance.randint(1, 4))]
        prediction = chance.choice(targets) + " " + chance.choice(cases)[1]
        scores = scorer.score_multi(targets, prediction)
        multi.append({"targets": targets, "prediction": prediction, "scores": {n: list(scores[n]) for n in names}})
    write("rouge.json", {"pairs": out, "multi": multi})


def make_spans():
    from seqeval.metrics import f1_score, precision_score, recall_score
    from seqeval.metrics.sequence_labeling import get_entities

    chance = random.Random(2)
    tags = ["O", "O", "O", "B-person", "I-person", "B-location", "I-location", "B-creative-work", "I-creative-work"]
    cases = []
    for _ in range(200):
        gold = chance.choices(tags, k=chance.randint(1, 25))
        found = [t if chance.random() < 0.7 else chance.choice(tags) for t in gold]
        cases.append({"gold": gold, "found": found, "gold_spans": [[l, s, e + 1] for l, s, e in get_entities(gold)]})
    gold, found = [c["gold"] for c in cases], [c["found"] for c in cases]
    write("spans.json", {"cases": cases, "precision": precision_score(gold, found), "recall": recall_score(gold, found), "f1": f1_score(gold, found)})


if __name__ == "__main__":
    make_choice()
    make_rouge()
    make_spans()
