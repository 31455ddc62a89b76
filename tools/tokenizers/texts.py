"""Strings to compare tokenizers on: prose and code of this repository, and seeded mixes of everything awkward."""
import random
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHINESE = (
    "这是一个关于短视频的问题：画面里的人在做什么？他们先把面粉和水混合，然后揉成面团……最后放进烤箱，等了四十分钟。"
    "评论区有人说“太好看了吧”，也有人觉得节奏太慢——不过大家都同意：音乐选得很好！"
    "上海、北京和深圳的用户点赞最多，总数超过12345次。ＡＢＣ全角字母ａｂｃ也要能读。"
)
SCRIPTS = [
    "Ελληνικά και αγγλικά", "Русский текст, с запятой", "日本語のテキストです。", "한국어 문장입니다", "نص عربي قصير",
    "हिन्दी में वाक्य", "ภาษาไทย", "עברית", "Ünïcödé naïve façade", "Việt Nam đẹp", "e\u0301 o\u0308 n\u0303 decomposed",
]
EMOJI = ["🐱", "👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇨🇳", "❤️", "😂😂😂", "🤷‍♀️", "𝕏", "𠮷野家"]
SPACES = [" ", "  ", "   ", " " * 7, " " * 40, "\t", "\n", "\n\n", "\r\n", "\u00a0", "\u3000", "\u2009", "\u0085", "\ufeff"]
CONTROLS = ["\x01", "\x07", "\x1b[31m", "\x7f", "\u200b", "\u200d", "\u202e", "\ufffd", "\u2581", "\u2028"]
MARKUP = [
    "<0x41>", "<0x", "<s", "<|im", "|>", "[UNUSED", "[UNUSED_TOKEN_3]", "[UNUSED_TOKEN_9", "<image>", "<video>", "[VID]",
    "——", "———", "—————", "……", "…………", "...", "--------", "====", "**bold**", "{{x}}", "\\n", "'s", "'LL", "'ſ", "don't",
    "x1y22z333", "3.14159", "1,000,000", "2026-11-22", "0xDEADBEEF", "https://example.org/a?b=c&d=%20", "a_b-c.d@e",
]


def lines(paths):
    """Lines and paragraphs of files, in order of path."""
    for path in sorted(paths):
        text = path.read_text(encoding="utf-8", errors="ignore").replace("\x00", "")
        yield from (line for line in text.split("\n") if line)
        yield from (part for part in text.split("\n\n") if part)


def texts(count, seed, pieces=(), extra=()):
    """`count` strings, the same for the same arguments and files; `pieces` are a vocabulary's, joined at random."""
    rng = random.Random(seed)
    files = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("README.md"), *ROOT.glob("src/**/*.ts"), *ROOT.glob("src/**/*.cuh")]
    prose = list(dict.fromkeys(lines([*files, *map(Path, extra)])))
    rng.shuffle(prose)
    chosen = prose[: count // 3]
    chosen += [CHINESE, *SCRIPTS, *EMOJI, *SPACES, *CONTROLS, *MARKUP]
    chosen += [chr(code) for code in [*range(1, 256), 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF]]
    bricks = [*SCRIPTS, *EMOJI, *SPACES, *CONTROLS, *MARKUP]
    while len(chosen) < count:
        kind = rng.randrange(5)
        if kind == 0:
            at = rng.randrange(len(CHINESE))
            text = CHINESE[at : at + rng.randrange(1, 40)] + rng.choice(prose)[: rng.randrange(30)]
        elif kind == 1:
            text = "".join(rng.choice(bricks) for _ in range(rng.randrange(2, 8)))
        elif kind == 2:
            alphabet = rng.sample("abcdeiorstn .-=*\n\t_#/01239—…▁好的", rng.randrange(1, 4))
            text = "".join(rng.choice(alphabet) for _ in range(rng.randrange(2, 60)))
        elif kind == 3 and pieces:
            text = "".join(rng.choice(pieces) for _ in range(rng.randrange(2, 10))).replace("\u2581", " ")
        else:
            text = "".join(character(rng) for _ in range(rng.randrange(1, 12)))
        chosen.append(text)
    return chosen[:count]


def character(rng):
    """A code point of any plane that is no surrogate."""
    while True:
        code = rng.choice([rng.randrange(1, 0x250), rng.randrange(0x250, 0x10000), rng.randrange(0x10000, 0x110000)])
        if not 0xD800 <= code < 0xE000:
            return chr(code)
