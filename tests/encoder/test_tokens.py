"""Ids equal to Hugging Face's, and nothing lost without being told."""

import json
import random

import corpus
import probe
import pytest
from tokenizers import Tokenizer


@pytest.fixture(scope="module")
def reference():
    tokenizer = Tokenizer.from_file(str(probe.model_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def compare(reference, texts):
    wanted = reference.encode_batch([text.decode("utf-8", "replace") for text in texts])
    wrong = [(text[:80], got.ids[:40], want.ids[:40]) for text, got, want in zip(texts, probe.tokenize(texts), wanted) if got.ids != want.ids]
    assert not wrong, f"{len(wrong)} of {len(texts)} texts differ, e.g. {wrong[:5]}"


def test_questions(reference, sosie_data):
    texts = corpus.questions(sosie_data, most=60_000)
    assert len(texts) >= 15_000
    compare(reference, texts)


def test_hostile_texts(reference):
    texts = list(corpus.hostile())
    assert len(texts) >= 20_000
    compare(reference, texts)


def test_every_code_point(reference):
    texts = list(corpus.code_points())
    for first in range(0, len(texts), 100_000):
        compare(reference, texts[first : first + 100_000])


VARIANTS = {
    "cased": dict(lowercase=False, strip_accents=False),
    "cased without accents": dict(lowercase=False, strip_accents=True),
    "uncased with accents": dict(lowercase=True, strip_accents=False),
    "Chinese unsplit": dict(handle_chinese_chars=False),
    "uncleaned": dict(clean_text=False),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_other_normalizers(variant, tmp_path, monkeypatch):
    folder = probe.model_folder()
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["normalizer"] |= VARIANTS[variant]
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    other = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    other.no_padding()
    other.no_truncation()
    monkeypatch.setenv("SOSIE_MODEL_DIR", str(tmp_path))
    compare(other, list(corpus.hostile())[::3])


def test_vocabulary_without_tokenizer_json(reference, tmp_path, monkeypatch):
    for name in ("config.json", "vocab.txt", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((probe.model_folder() / name).read_bytes())
    monkeypatch.setenv("SOSIE_MODEL_DIR", str(tmp_path))
    compare(reference, list(corpus.hostile())[::3])


def test_cli_agrees(reference, sosie):
    lines = ["How do I reset my password?", "Grüße, 你好 👩‍🚀", "[SEP] [CLS]", "e\u0301"]
    done = sosie("embed", "--json", stdin="\n".join(lines).encode() + b"\n")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["ids"] for row in rows] == [reference.encode(line).ids for line in lines]
    assert all(row["tokens"] == len(row["ids"]) and not row["truncated"] for row in rows)


def test_window(reference):
    rng = random.Random(3)
    texts = [t for t in corpus.hostile() if len(t) > 20]
    rng.shuffle(texts)
    texts = texts[:4000]
    for limit in (2, 3, 8, 16):
        for text, got in zip(texts, probe.tokenize(texts, limit)):
            whole = reference.encode(text.decode("utf-8", "replace")).ids
            assert got.ids == whole[: limit - 1][: max(1, min(len(whole) - 1, limit - 1))] + [102]
            assert got.truncated == (len(whole) > limit)
            if got.truncated:
                assert got.unseen


def test_what_ids_forget_is_in_unseen():
    """Two texts with the same ids either differ harmlessly or differ in `unseen`."""
    pairs = [
        ("buy 🐶", "buy 🐱"), ("a ≠ b", "a = b"), ("कु क", "क कु"), ("か", "が"), ("[UNK] 🐶", "🐶 [UNK]"), ("x \ue000 y", "x y"),
        ("pay \u202eme", "pay me"), ("hi \U000e0041", "hi"), ("don\u0336t", "dont"), ("كَتَبَ", "كُتِبَ"), ("a" * 101, "b" * 101),
        ("กี่", "กิ่"), ("word " * 400 + "yes", "word " * 400 + "no"), ("\u0338= a", "= a"),
        ("the\u200brapist", "therapist"), ("the\u200brapist", "thera\u200bpist"), ("yes\x07", "yes"), ("👍\ufe01", "👍"), ("1\ufe0f", "1"),
    ]  # fmt: skip
    flat = probe.tokenize([text.encode() for pair in pairs for text in pair], 256)
    for pair, left, right in zip(pairs, flat[::2], flat[1::2]):
        assert left.ids == right.ids, pair
        assert left.unseen != right.unseen, pair
    broken = probe.tokenize([b"a \xff b", b"a b"])
    assert broken[0].ids == broken[1].ids and broken[0].unseen != broken[1].unseen


def test_ordinary_text_has_nothing_unseen(sosie_data):
    plain = ["Cafe, naive, Zurich", "CAPITALS", "I ♥\ufe0f it", "tabs\tand\nlines", "can\u2019t", "Ελληνικα", "\ufeffbyte order mark", "soft\u00adhyphen", "¿Que?"]
    assert [t.unseen for t in probe.tokenize([text.encode() for text in plain])] == [b""] * len(plain)
    ascii_only = [t for t in corpus.questions(sosie_data, most=5000) if t.isascii() and max(map(len, t.split()), default=0) <= 100]
    noted = [(t, got.unseen) for t, got in zip(ascii_only, probe.tokenize(ascii_only)) if got.unseen]
    # Only the case and the indentation of what looks like code, and that in few questions.
    assert all(unseen[:1] in b"ci" for _, unseen in noted), noted[:5]
    assert len(noted) < len(ascii_only) / 20
