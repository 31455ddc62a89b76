"""What sentencepiece makes of many strings, for check-ids.mjs to compare with:

    python tools/tokenizers/check-sentencepiece.py path/to/tokenizer.model > /tmp/cases.jsonl
    npm run setup && node tools/tokenizers/check-ids.mjs path/to /tmp/cases.jsonl

Give the second command a folder with tokenizer.model alone: files beside it rename pieces, and then ids differ for texts
that spell these. Needs sentencepiece 0.2.0 (0.2.1 refuses InternLM2's file for its NUL piece). Lines: {text, ids} and
{ids, decoded}.
"""
import argparse
import json
import random
import sys

import sentencepiece
from texts import texts

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model")
parser.add_argument("--count", type=int, default=20000)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--extra", nargs="*", default=[], help="more text files, cut into lines and paragraphs")
args = parser.parse_args()

model = sentencepiece.SentencePieceProcessor(model_file=args.model)
size = model.get_piece_size()
spoken = [i for i in range(size) if not (model.is_control(i) or model.is_unknown(i))]
pieces = [model.id_to_piece(i) for i in spoken if not model.is_byte(i)]
cases = texts(args.count, args.seed, pieces, args.extra)
# NUL is a piece of InternLM2's model.
cases += ["\x00", "a\x00b", "\x00\x00 \x00\n", "你\x00好"]
for text in cases:
    ids = model.encode(text)
    print(json.dumps({"text": text, "ids": ids}))
    print(json.dumps({"ids": ids, "decoded": model.decode([i for i in ids if not model.is_unknown(i)])}))
rng = random.Random(args.seed)
for _ in range(args.count // 2):
    # Bytes in any order: broken characters.
    ids = [rng.choice(spoken) if rng.random() < 0.3 else model.piece_to_id(f"<0x{rng.randrange(256):02X}>") for _ in range(rng.randrange(1, 12))]
    print(json.dumps({"ids": ids, "decoded": model.decode(ids)}))
print(f"sentencepiece {sentencepiece.__version__}, {size} pieces, {len(cases)} strings", file=sys.stderr)
