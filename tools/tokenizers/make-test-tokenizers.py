"""Writes the small tokenizers of the tests and what the reference libraries make of some strings:

    python tools/tokenizers/make-test-tokenizers.py

into test/data/assets/: sentencepiece.model and sentencepiece-cases.jsonl (sentencepiece 0.2.0), qwen2/ with vocab.json,
merges.txt, tokenizer_config.json, and qwen2-cases.jsonl (tokenizers 0.23.3). Seed 1. A line of cases is {text, ids} or
{ids, decoded}.

The SentencePiece model has what makes InternLM2's awkward: byte fallback, a NUL piece, frozen pieces (one with the space
mark), spare pieces at the end, and scores that many pieces share. Its pieces come from the trainer; the file is written
here, as the trainer makes neither NUL nor equal scores.
"""
import importlib
import io
import json
import random
import struct
from pathlib import Path

import sentencepiece
from texts import CHINESE, CONTROLS, EMOJI, MARKUP, SCRIPTS, SPACES, character

ASSETS = Path(__file__).resolve().parents[2] / "test" / "data" / "assets"
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
ENGLISH = (
    "The quick brown fox jumps over the lazy dog. What do the people in this video say about the music, and why? "
    "Some of them like it; others don't. Answer with the letter of the option: A, B, C or D. The answer is A. "
    "123 456 7890 views, 42 comments, 3.5 stars. while (index < count) { total += values[index++]; return total; }"
)
FROZEN = ["\u2581\u2581\u2581\u2581", "——", "—————", "……", "Ａ", "Ｂ", "[UNUSED_TOKEN_0]"]
SPARE = [f"[UNUSED_TOKEN_{i}]" for i in range(141, 147)]
TIED = 40


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number, value):
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def make_model():
    corpus = [ENGLISH, CHINESE, *SCRIPTS, "aaaa abab baba aaab " * 3, "    return   x;"] * 3
    buffer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus), model_writer=buffer, model_type="bpe", vocab_size=900, character_coverage=1.0,
        byte_fallback=True, add_dummy_prefix=False, remove_extra_whitespaces=False, normalization_rule_name="identity",
        allow_whitespace_only_pieces=True, minloglevel=2, num_threads=1, hard_vocab_limit=False,
    )  # fmt: skip
    trained = sentencepiece.SentencePieceProcessor(model_proto=buffer.getvalue())
    normal = [trained.id_to_piece(i) for i in range(259, trained.get_piece_size())]
    normal = [piece for piece in normal if piece not in FROZEN]
    merged = [piece for piece in normal if len(piece) > 1]
    single = [piece for piece in normal if len(piece) == 1]
    pieces = [("<unk>", 0.0, UNKNOWN), ("<s>", 0.0, CONTROL), ("</s>", 0.0, CONTROL)]
    pieces += [(f"<0x{byte:02X}>", 0.0, BYTE) for byte in range(256)]
    pieces += [(piece, -float(rank // TIED), NORMAL) for rank, piece in enumerate(merged)]
    pieces += [(piece, -1000.0 - rank, NORMAL) for rank, piece in enumerate([*single, "\x00"])]
    pieces += [(piece, 0.0, USER_DEFINED) for piece in [*FROZEN, *SPARE]]
    proto = b"".join(
        field(1, field(1, text.encode()) + field(2, score) + (b"" if kind == NORMAL else field(3, kind)))
        for text, score, kind in pieces
    )
    ids = field(40, 0) + field(41, 1) + field(42, 2) + field(43, -1)
    proto += field(2, field(3, 2) + field(4, len(pieces)) + field(35, 1) + ids)
    proto += field(3, field(1, b"identity") + field(3, 0) + field(4, 0) + field(5, 1))
    return proto


def strings(rng, pieces, count):
    bricks = [*SCRIPTS, *EMOJI, *SPACES, *CONTROLS, *MARKUP, ENGLISH[:60], CHINESE[:20], "\x00"]
    chosen = [*MARKUP, *EMOJI, *CONTROLS, *SPACES, "The answer is A.", CHINESE[:60], "\x00", "a\x00b", "\x00\x00 \x00"]
    while len(chosen) < count:
        kind = rng.randrange(4)
        if kind == 0:
            text = "".join(rng.choice(bricks) for _ in range(rng.randrange(1, 4)))
        elif kind == 1:
            text = "".join(rng.choice("ab \u2581") for _ in range(rng.randrange(2, 24)))
        elif kind == 2:
            text = "".join(rng.choice(pieces) for _ in range(rng.randrange(2, 9))).replace("\u2581", " ")
        else:
            text = "".join(character(rng) for _ in range(rng.randrange(1, 6)))
        chosen.append(text)
    return chosen


def by_rank(text, pieces):
    """BPE by a table of merges in which equals have an order of their own, as convert_slow_tokenizer.py sorts them."""
    vocab = {piece: rank for rank, piece in enumerate(pieces)}
    found = [(p[:i], p[i:], s) for p, s in pieces.items() for i in range(1, len(p)) if p[:i] in vocab and p[i:] in vocab]
    found.sort(key=lambda merge: (merge[2], len(merge[0]), len(merge[1])), reverse=True)
    ranks = {(left, right): rank for rank, (left, right, _) in enumerate(found)}
    symbols = list(text)
    while True:
        pairs = [(ranks[pair], at) for at, pair in enumerate(zip(symbols, symbols[1:])) if pair in ranks]
        if not pairs:
            return symbols
        _, at = min(pairs)
        symbols[at : at + 2] = ["".join(symbols[at : at + 2])]


def telling_ties(rng, model, count):
    """Strings that a table of ranks alone would encode otherwise."""
    ids = [i for i in range(259, model.get_piece_size()) if model.get_score(i) < 0]
    pieces = {model.id_to_piece(i): model.get_score(i) for i in ids}
    latin = [piece for piece in pieces if piece.isascii() and piece.isalpha()]
    found = []
    while len(found) < count:
        text = "".join(rng.choice(latin) for _ in range(rng.randrange(2, 6)))
        if by_rank(text, pieces) != model.encode(text, out_type=str):
            found.append(text)
    return found


def dump(path, encoded, decoded):
    cases = [{"text": text, "ids": ids} for text, ids in encoded] + [{"ids": i, "decoded": d} for i, d in decoded]
    lines = [json.dumps(case, ensure_ascii=True, separators=(",", ":")) for case in cases]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def sentencepiece_assets():
    proto = make_model()
    (ASSETS / "sentencepiece.model").write_bytes(proto)
    model = sentencepiece.SentencePieceProcessor(model_proto=proto)
    rng = random.Random(1)
    spoken = range(3, model.get_piece_size())
    pieces = [model.id_to_piece(i) for i in spoken if not model.is_byte(i)]
    encoded = [[text, model.encode(text)] for text in [*strings(rng, pieces, 340), *telling_ties(rng, model, 40)]]
    decoded = []
    for _ in range(150):
        ids = [rng.choice(spoken) if rng.random() < 0.3 else 3 + rng.randrange(256) for _ in range(rng.randrange(1, 9))]
        decoded.append([ids, model.decode(ids)])
    whole = [[ids, model.decode(ids)] for _, ids in encoded[::6]]
    dump(ASSETS / "sentencepiece-cases.jsonl", encoded, decoded + whole)


def qwen2_assets():
    byte_level = importlib.import_module("check-byte-level")
    corpus = [ENGLISH, CHINESE, *SCRIPTS, "aaaa abab baba aaab " * 3, "    return   x;"] * 3
    tokenizer = byte_level.build(560, corpus)
    byte_level.write(tokenizer, ASSETS)
    (ASSETS / "json" / "tokenizer.json").unlink()
    (ASSETS / "json").rmdir()
    target = ASSETS / "qwen2"
    target.mkdir(exist_ok=True)
    for path in (ASSETS / "vocab").iterdir():
        path.replace(target / path.name)
    (ASSETS / "vocab").rmdir()
    rng = random.Random(1)
    words = ENGLISH.split(" ")
    cases = list(byte_level.cases(tokenizer, strings(rng, words, 200), 1))
    encoded = [[case["text"], case["ids"]] for case in cases if "text" in case]
    decoded = [[case["ids"], case["decoded"]] for case in cases if "decoded" in case]
    dump(ASSETS / "qwen2-cases.jsonl", encoded, decoded[::2])


if __name__ == "__main__":
    ASSETS.mkdir(parents=True, exist_ok=True)
    sentencepiece_assets()
    qwen2_assets()
