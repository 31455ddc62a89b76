"""Trains a byte-level BPE in Qwen2's exact configuration and writes it in both forms, with what `tokenizers` makes of
many strings, for check-ids.mjs to compare with:

    python tools/tokenizers/check-byte-level.py /tmp/qwen --vocab 4000
    npm run setup
    node tools/tokenizers/check-ids.mjs /tmp/qwen/json /tmp/qwen/cases.jsonl
    node tools/tokenizers/check-ids.mjs /tmp/qwen/vocab /tmp/qwen/cases.jsonl

--folder reads the tokenizer.json of a checkpoint instead of training one. Written with tokenizers 0.23.3.
"""
import argparse
import json
import random
import unicodedata
from pathlib import Path

import tokenizers
from texts import texts
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import BPE

# transformers, tokenization_qwen2.py
PATTERN = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>"]
# Qwen2.5 has such tokens that are not special.
PLAIN = ["<tool_call>", "</tool_call>"]


def build(vocab_size, corpus):
    tokenizer = Tokenizer(BPE(continuing_subword_prefix="", end_of_word_suffix=""))
    tokenizer.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated", invert=False)
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False))
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in SPECIAL])
    tokenizer.add_tokens([AddedToken(name, normalized=False, special=False) for name in PLAIN])
    return tokenizer


def write(tokenizer, out):
    data = json.loads(tokenizer.to_str())
    for name in ("json", "vocab"):
        (out / name).mkdir(parents=True, exist_ok=True)
    dump = lambda path, value: path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    dump(out / "json" / "tokenizer.json", data)
    dump(out / "vocab" / "vocab.json", data["model"]["vocab"])
    merges = "".join(f"{left} {right}\n" for left, right in data["model"]["merges"])
    (out / "vocab" / "merges.txt").write_text("#version: 0.2\n" + merges, encoding="utf-8")
    decoder = {str(token["id"]): {k: v for k, v in token.items() if k != "id"} for token in data["added_tokens"]}
    dump(out / "vocab" / "tokenizer_config.json", {"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": decoder})


def assigned(text):
    """Newer characters are letters to one Unicode version and nothing to another."""
    return all(unicodedata.category(c) != "Cn" for c in text)


def cases(tokenizer, strings, seed):
    special = [token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special]
    hidden = {tokenizer.token_to_id(name) for name in special}
    for text in strings:
        if not assigned(text) or any(name in text for name in special):
            continue
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        yield {"text": text, "ids": ids}
        yield {"ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)}
    rng = random.Random(seed)
    spoken = [i for i in range(tokenizer.get_vocab_size()) if i not in hidden]
    for _ in range(len(strings) // 2):
        ids = [rng.choice(spoken) for _ in range(rng.randrange(1, 12))]
        yield {"ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--vocab", type=int, default=4000)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.folder:
        tokenizer = Tokenizer.from_file(str(args.folder / "tokenizer.json"))
    else:
        tokenizer = build(args.vocab, texts(4000, args.seed + 1))
        write(tokenizer, args.out)
    strings = texts(args.count, args.seed, extra=[])
    with open(args.out / "cases.jsonl", "w") as file:
        for count, case in enumerate(cases(tokenizer, strings, args.seed), 1):
            file.write(json.dumps(case) + "\n")
    print(f"tokenizers {tokenizers.__version__}, {tokenizer.get_vocab_size()} ids, {count} cases")
