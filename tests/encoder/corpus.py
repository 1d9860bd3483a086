"""Texts on which the tokenizer must agree with Hugging Face's: bytes, not all of them UTF-8."""

import json
import random
import unicodedata

SPECIAL = ["[SEP]", "[CLS]", "[MASK]", "[PAD]", "[UNK]", "[sep]", "[SEP", "[[SEP]]", "[unused0]", "##ing", "[SE\u0301P]"]


def questions(folder, most=None):
    """The texts of every labelled file."""
    seen = {}
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            row = json.loads(line)
            for field in ("a", "b", "q"):
                if isinstance(row.get(field), str):
                    seen[row[field]] = None
    texts = sorted(seen)
    if most is not None and len(texts) > most:
        texts = random.Random(1).sample(texts, most)
    return [text.encode("utf-8", "surrogatepass") for text in texts]


def code_points():
    """Every code point alone, inside a word, and behind a letter that it may combine with."""
    for point in range(0x110000):
        if 0xD800 <= point < 0xE000:
            continue
        char = chr(point)
        yield f"{char} a{char}b e{char}\u0301x".encode()


def _mixed(rng, alphabet, count, longest):
    for _ in range(count):
        yield "".join(rng.choice(alphabet) for _ in range(rng.randint(1, longest)))


def _range(*bounds):
    return [chr(p) for low, high in bounds for p in range(low, high + 1)]


def hostile():
    """Scripts, joiners, marks, controls, planes, long words, white space, special tokens, broken UTF-8."""
    rng = random.Random(2)
    latin = _range((0x41, 0x5A), (0x61, 0x7A)) + [" "] * 12
    marks = _range((0x300, 0x36F), (0x591, 0x5C7), (0x64B, 0x65F), (0x93A, 0x94D), (0x302A, 0x302F), (0x3099, 0x309A), (0x1DC0, 0x1DFF))
    alphabets = [
        _range((0x4E00, 0x9FFF), (0x3400, 0x4DFF), (0xF900, 0xFAFF)) + [" ", "。", "，", "a"],
        _range((0x3040, 0x30FF), (0xFF00, 0xFFEF), (0x31F0, 0x31FF)) + [" "],
        _range((0xE00, 0xE7F)) + [" "],
        _range((0xAC00, 0xD7A3), (0x1100, 0x11FF), (0x3130, 0x318F)) + [" "],
        _range((0x600, 0x6FF), (0x750, 0x77F), (0xFB50, 0xFDFF), (0xFE70, 0xFEFF)) + [" ", "\u200c", "\u200d"],
        _range((0x900, 0x97F), (0x980, 0x9FF), (0xA00, 0xAFF), (0xB80, 0xBFF)) + [" ", "\u200c", "\u200d"],
        _range((0x400, 0x52F), (0x370, 0x3FF), (0x1F00, 0x1FFF)) + [" "] * 9,
        _range((0x1F300, 0x1FAFF), (0x2600, 0x27BF), (0x1F1E6, 0x1F1FF), (0x1F3FB, 0x1F3FF), (0xE0020, 0xE007F)) + ["\u200d", "\ufe0f", "\ufe0e", " ", "a"] * 20,
        latin + marks,
        latin + _range((0, 0x1F), (0x7F, 0xA0)),
        latin + _range((0x2000, 0x206F), (0x3000, 0x303F)) + ["\u1680", "\u180e", "\u0085", "\u00a0"],
        latin + _range((0xE000, 0xE0FF), (0xFFF0, 0xFFFF), (0xFDD0, 0xFDEF), (0xF0000, 0xF0040), (0x1FFFE, 0x1FFFF)),
        _range((0x10000, 0x10FFF), (0x11000, 0x11FFF), (0x16000, 0x16FFF), (0x1D000, 0x1D7FF), (0x1E000, 0x1EFFF)) + [" "] * 99,
        latin + SPECIAL * 4,
        _range((0x21, 0x7E)) + [" "] * 10,
        _range((0xA0, 0x24F), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F), (0xA720, 0xA7FF)) + [" "] * 20,
    ]
    for alphabet in alphabets:
        for text in _mixed(rng, alphabet, 500, 60):
            yield text.encode()
            yield unicodedata.normalize("NFD", text).encode()
            yield unicodedata.normalize("NFC", text).encode()
    everything = [chr(p) for p in range(0x20, 0x110000) if not 0xD800 <= p < 0xE000]
    for text in _mixed(rng, everything, 1000, 40):
        yield text.encode()
    for _ in range(2000):
        yield rng.randbytes(rng.randint(1, 60))
    for _ in range(1000):
        broken = bytearray("Grüße, 你好 👩‍🚀 नमस्ते! ".encode() * 2)
        for _ in range(rng.randint(1, 6)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        yield bytes(broken[rng.randrange(4) : len(broken) - rng.randrange(4)])
    for size in (99, 100, 101, 10_000):
        for char in ("a", "é", "e\u0301", "你", "👩", "-", "\u0301", "ก", "İ"):
            yield (char * size).encode()
            yield ("x " + char * size + " y").encode()
    flags = ["🇩🇪", "👨‍👩‍👧‍👦", "👍🏽", "❤️", "❤", "1️⃣", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "\x00", "", " ", "\t\n\r\x0b\x0c"]
    for text in [*SPECIAL, *flags, "a\x00b", "a\ud7ffb", "\ufeffa", "ＡＢＣ", "ﬁ", "ß", "İstanbul", "ΣΑΣ", "ǅ", "a≠b", "㌀", "Å", "\u1e9b\u0323"]:
        yield text.encode()
        yield f"what {text} is".encode()
