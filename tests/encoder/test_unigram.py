"""Ids of SentencePiece's Unigram models equal to Hugging Face's, and nothing lost without being told."""

import io
import json
import random

import corpus
import multilingual
import numpy
import probe
import pytest
import reference
import sentencepiece
from safetensors.numpy import save_file
from sentencepiece import sentencepiece_model_pb2
from test_tokens import compare
from tokenizers import Tokenizer

COLLAPSE = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
SPECIAL = ["<s>", "</s>", "<mask>", "<pad>", "<unk>", "<s", "<mask", "＜mask＞", " ", "  ", "\n", "\u3000", "▁", "<0x41>", "<0xE4>", "a", "b ", "字", "é", "²", "²\u0301", "q\u0301"]


def special_texts(count):
    rng = random.Random(4)
    return ["".join(rng.choice(SPECIAL) for _ in range(rng.randint(1, 12))).encode() for _ in range(count)]


def use(folder, tokenizer, monkeypatch):
    """The tokenizer as the one of the model under test, and as Hugging Face reads it."""
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(dict(model_type="bert", hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
                                                        max_position_embeddings=512, vocab_size=300_000)))  # fmt: skip
    monkeypatch.setenv("SOSIE_MODEL_DIR", str(folder))
    reference = Tokenizer.from_file(str(folder / "tokenizer.json"))
    reference.no_padding()
    reference.no_truncation()
    return reference


@pytest.fixture(scope="module")
def trained():
    """A small vocabulary that SentencePiece has found in texts of many scripts: [piece, score], and its table of replacements."""
    rng = random.Random(8)
    words = [w for w in (probe.model_folder() / "vocab.txt").read_text(encoding="utf-8").split("\n") if w.isalpha()]
    texts = [" ".join(rng.choice(words) for _ in range(12)) for _ in range(3000)]
    for first in (0x3B1, 0x410, 0x561, 0x5D0, 0x627, 0x905, 0x985, 0xE01, 0x10D0, 0x3041, 0x4E00, 0xAC00):  # Greek to Hangul.
        letters = [chr(p) for p in range(first, first + 40) if chr(p).isalpha()]
        words = ["".join(rng.choice(letters) for _ in range(rng.randint(1, 5))) for _ in range(300)]
        texts += [rng.choice(["", " "]).join(rng.choice(words) for _ in range(10)) for _ in range(400)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=model, vocab_size=6000, hard_vocab_limit=False, minloglevel=2,
        normalization_rule_name="nmt_nfkc", bos_id=0, pad_id=1, eos_id=2, unk_id=3)  # fmt: skip
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    pieces = [[p.piece, p.score] for p in proto.pieces]
    assert [piece for piece, _ in pieces[:4]] == ["<s>", "<pad>", "</s>", "<unk>"] and len(pieces) > 3000
    return pieces, proto.normalizer_spec.precompiled_charsmap


STRIP = {"type": "Strip", "strip_left": False, "strip_right": True}
METASPACE = {"type": "Metaspace", "replacement": "▁"}
VARIANTS = {
    "e5": dict(normalizers=[COLLAPSE], pre_tokenizer=METASPACE | dict(add_prefix_space=True)),
    "paraphrase-multilingual": dict(pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, METASPACE | dict(add_prefix_space=True)]}),
    "as transformers converts now": dict(normalizers=[STRIP, COLLAPSE | dict(content="▁")], pre_tokenizer=METASPACE | dict(prepend_scheme="always", split=True)),
    "both ends stripped": dict(normalizers=[STRIP | dict(strip_left=True)]),
    "no prefix": dict(normalizers=[COLLAPSE], pre_tokenizer=METASPACE | dict(add_prefix_space=False, prepend_scheme="never")),
    "unsplit": dict(pre_tokenizer=METASPACE | dict(prepend_scheme="always", split=False)),
    "bytes": dict(byte_fallback=True),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_trained_vocabulary(variant, trained, tmp_path, monkeypatch):
    pieces, charsmap = trained
    if variant == "bytes":
        pieces = pieces + [[f"<0x{byte:02X}>", -30.0] for byte in range(256)]
    tokenizer = multilingual.tokenizer_json(pieces, charsmap, **VARIANTS[variant])
    reference = use(tmp_path, tokenizer, monkeypatch)
    texts = list(corpus.hostile())[:: 1 if variant in ("e5", "paraphrase-multilingual") else 3] + special_texts(3000)
    compare(reference, texts)


def test_every_code_point(trained, tmp_path, monkeypatch):
    reference = use(tmp_path, multilingual.tokenizer_json(*trained, [COLLAPSE]), monkeypatch)
    texts = list(corpus.code_points())
    for first in range(0, len(texts), 100_000):
        compare(reference, texts[first : first + 100_000])


def test_added_tokens_of_every_kind(trained, tmp_path, monkeypatch):
    tokenizer = multilingual.tokenizer_json(*trained, [COLLAPSE])
    last = tokenizer["added_tokens"][-1]
    tokenizer["added_tokens"][-1] = last | dict(normalized=True)
    tokenizer["added_tokens"] += [last | dict(id=last["id"] + 1, content="<s", lstrip=False, rstrip=True), last | dict(id=[p for p, _ in trained[0]].index("b"), content="b", lstrip=True, rstrip=True, normalized=True)]
    compare(use(tmp_path, tokenizer, monkeypatch), special_texts(10_000))


def test_scores_as_hugging_face_reads_them(trained, tmp_path, monkeypatch):
    """Equally likely ways to cut a run of one letter: the last bit of a score decides."""
    rng = random.Random(9)
    pieces = [*trained[0][:4], *(["z" * n, -n * 3.7 - rng.random() * 1e-15] for n in range(1, 9)), ["▁", -2.1234567890123457], ["▁z", -rng.uniform(5, 6)]]
    compare(use(tmp_path, multilingual.tokenizer_json(pieces, trained[1]), monkeypatch), [b"z" * n for n in range(1, 400)])


def graphemes_charsmap():
    """Replaces whatever begins with any byte, so that the tokens count graphemes: see generate_graphemes.py."""
    units = numpy.zeros(1024, numpy.uint32)
    units[0] = 256 << 10
    for byte in range(1, 256):
        units[256 ^ byte] = byte | 1 << 8 | 512 << 10
        units[512 ^ 256 ^ byte] = 1 << 31
    return numpy.uint32(units.nbytes).tobytes() + units.tobytes() + b"x\0"


def test_graphemes(trained, tmp_path, monkeypatch):
    rng = random.Random(10)
    pieces = [*trained[0][:4], ["▁", -1.0], ["x", -2.0]]
    reference = use(tmp_path, multilingual.tokenizer_json(pieces, graphemes_charsmap()), monkeypatch)
    assert len(reference.encode("e\u0301a").ids) == 2 + 3
    points = [chr(p) for p in range(1, 0x3300) if not 0x3100 <= p < 0x3200] + [chr(p) for p in range(0x10000, 0x12000)]
    odd = [*"a\r\n\x01\u0301\u0308\u200d\u200c\u0600\u0e33\u0903©®‼\u094d\u0915\u0937\u093c\u09cd\u0995\u1100\u1161\u11a8\uac00\uac01\ud7b0\ud7cb\ufe0f☀", "🇩", "🚀", "🏽"]
    texts = ["".join(rng.choice(odd if rng.random() < 0.6 else points) for _ in range(rng.randint(2, 8))).encode() for _ in range(30_000)]
    compare(reference, texts)


def test_unseen(trained, tmp_path, monkeypatch):
    """Two texts with the same ids either differ harmlessly or differ in `unseen`."""
    use(tmp_path, multilingual.tokenizer_json(*trained, [COLLAPSE]), monkeypatch)
    told = [
        ("x²", "x2"), ("① step", "1 step"), ("buy 🐶🐶", "buy 🐶🦊"), ("the\u200brapist", "the rapist"), ("yes\x07", "yes"), ("½", "1\u20442"), ("𝐱", "x"), ("a▁b", "a b"),
        ("pay \u200eme", "pay  me"), ("2² 2", "22 ²"), ("word " * 400 + "yes", "word " * 400 + "no"), ("def f():\n  x", "def f():\nx"), ("ｅ\u0301", "e"),
    ]  # fmt: skip
    flat = probe.tokenize([text.encode() for pair in told for text in pair], 256)
    for pair, left, right in zip(told, flat[::2], flat[1::2]):
        assert left.ids == right.ids and left.unseen != right.unseen, pair
    broken = probe.tokenize([b"a \xff b", b"a \xfe b"])
    assert broken[0].ids == broken[1].ids and broken[0].unseen != broken[1].unseen
    alike = [("ＡＢＣ？", "ABC?"), ("e\u0301t\u00e9", "\u00e9t\u00e9"), ("and…", "and..."), ("a\u00a0b\tc", "a b c"), ("soft\u00adhyphen", "soft\u00adhyphen"), ("ｱｲ", "アイ"), ("\ufb01n", "fin")]
    flat = probe.tokenize([text.encode() for pair in alike for text in pair])
    for pair, left, right in zip(alike, flat[::2], flat[1::2]):
        assert left.ids == right.ids and left.unseen == right.unseen, pair


def test_window(trained, tmp_path, monkeypatch):
    reference = use(tmp_path, multilingual.tokenizer_json(*trained, [COLLAPSE]), monkeypatch)
    texts = random.Random(3).sample([t for t in corpus.hostile() if len(t) > 20], 3000)
    for limit in (2, 3, 8, 16):
        for text, got in zip(texts, probe.tokenize(texts, limit)):
            whole = reference.encode(text.decode("utf-8", "replace")).ids
            assert got.ids == whole[: limit - 1][: max(1, min(len(whole) - 1, limit - 1))] + [2]
            assert got.truncated == (len(whole) > limit)
            if got.truncated:
                assert got.unseen


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
def test_vectors(kind, trained, tmp_path, monkeypatch):
    """Tokenizer, positions and pooling of a multilingual model together, against NumPy."""
    use(tmp_path, multilingual.tokenizer_json(*trained, [COLLAPSE]), monkeypatch)
    hidden, rng = 32, numpy.random.default_rng(7)
    config = dict(model_type=kind, hidden_size=hidden, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, max_position_embeddings=66, vocab_size=8000,
                  type_vocab_size=1, layer_norm_eps=1e-5, hidden_act="gelu", pad_token_id=1)  # fmt: skip
    p, e = "encoder.layer.0.", "embeddings."
    shapes = {e + "word_embeddings.weight": (8000, hidden), e + "position_embeddings.weight": (66, hidden), e + "token_type_embeddings.weight": (1, hidden)}
    for name, out, inner in [*((f"attention.self.{n}", hidden, hidden) for n in ("query", "key", "value")), ("attention.output.dense", hidden, hidden),
                             ("intermediate.dense", 64, hidden), ("output.dense", hidden, 64)]:  # fmt: skip
        shapes |= {p + name + ".weight": (out, inner), p + name + ".bias": (out,)}
    for name in (e + "LayerNorm", p + "attention.output.LayerNorm", p + "output.LayerNorm"):
        shapes |= {name + ".weight": (hidden,), name + ".bias": (hidden,)}
    weights = {name: rng.normal(0, 0.3, shape).astype(numpy.float32) for name, shape in shapes.items()}
    save_file({("roberta." if kind == "xlm-roberta" else "bert.") + name: array for name, array in weights.items()}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config))
    texts = [text.encode() for text in ("", "Schalte das Licht ein", "你好，世界", "नमस्ते दुनिया", "word " * 90)]
    window = 64 if kind == "xlm-roberta" else 66
    ids = [tokens.ids for tokens in probe.tokenize(texts, window)]
    assert len(ids[-1]) == window
    bert = reference.Bert(weights, config)
    assert numpy.abs(probe.embed(texts, "f32") - numpy.array([bert(row) for row in ids])).max() < 1e-5


@pytest.fixture(scope="module")
def real():
    """XLM-R's vocabulary with its scores."""
    pieces = multilingual.Bundle().pieces
    assert len(pieces) == 250_002
    return multilingual.tokenizer_json(pieces, multilingual.charsmap(), [COLLAPSE])


def test_real_vocabulary(real, tmp_path, monkeypatch):
    compare(use(tmp_path, real, monkeypatch), list(corpus.hostile()) + special_texts(3000))


def test_questions_with_the_real_vocabulary(real, sosie_data, tmp_path, monkeypatch):
    reference = use(tmp_path, real, monkeypatch)
    texts = corpus.questions(sosie_data, most=40_000)
    assert len(texts) >= 15_000
    compare(reference, texts)
    # Nearly no question has anything that the tokenizer forgets.
    unseen = sum(bool(tokens.unseen) for tokens in probe.tokenize(texts))
    assert unseen < len(texts) / 100
