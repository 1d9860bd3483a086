"""Vectors against a reference in float64 NumPy and onnxruntime's f32."""

import hashlib
import json
import random

import corpus
import golden
import numpy
import onnx_graph
import probe
import pytest
import reference
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer


@pytest.fixture(scope="module")
def texts():
    """2,000 texts, short and long, plain and odd."""
    rng = random.Random(5)
    words = [w for w in (probe.model_folder() / "vocab.txt").read_text(encoding="utf-8").split("\n") if w.isalpha()]
    odd = [t for t in corpus.hostile() if len(t) < 2000]
    plain = [" ".join(rng.choice(words) for _ in range(int(2 ** rng.uniform(0, 8)))).encode() for _ in range(800)]
    return plain + rng.sample(odd, 400)


@pytest.fixture(scope="module")
def all_texts(texts, sosie_data):
    questions = sorted(corpus.questions(sosie_data), key=len)
    rng = random.Random(6)
    return texts + rng.sample(questions, 500) + questions[:150] + questions[-150:]


@pytest.fixture(scope="module")
def wanted(all_texts, tmp_path_factory):
    """onnxruntime's f32 vectors of the same weights."""
    tokenizer = Tokenizer.from_file(str(probe.model_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    session = onnx_graph.session(probe.model_folder(), "f32", tmp_path_factory.mktemp("onnx"))
    rows = []
    for encoding in tokenizer.encode_batch([text.decode("utf-8", "replace") for text in all_texts]):
        ids = numpy.array([encoding.ids], numpy.int64)
        rows.append(session.run(None, {"input_ids": ids, "attention_mask": numpy.ones_like(ids)})[0][0])
    return numpy.array(rows)


@pytest.mark.parametrize("precision, median, worst", [("f32", 0.999999, 0.999999), ("bf16", 0.9999, 0.9995), ("int8", 0.995, 0.97)])
def test_near_onnxruntime(all_texts, wanted, precision, median, worst):
    probe.needs(precision)
    assert len(all_texts) == 2000
    got = probe.embed(all_texts, precision)
    assert numpy.abs(numpy.linalg.norm(got, axis=1) - 1).max() < 1e-5
    if precision == "f32":
        assert numpy.abs(got - wanted).max() < 1e-5
    cosines = (got * wanted).sum(1) / numpy.linalg.norm(wanted, axis=1)
    print(f"{precision}: cosine median {numpy.median(cosines):.6f}, worst {cosines.min():.6f}, largest difference {numpy.abs(got - wanted).max():.2e}")
    assert numpy.median(cosines) >= median and cosines.min() >= worst


@pytest.mark.parametrize("precision, within", [("f32", 1e-6), ("bf16", 1e-6), ("int8", 0)])
def test_pure_function_of_the_text(texts, precision, within):
    probe.needs(precision)
    some = texts[::4]
    alone = probe.embed(some, precision, threads=1, batch=1)
    for threads, batch in ((1, 64), (2, 7), (4, 33)):
        assert numpy.abs(probe.embed(some, precision, threads, batch) - alone).max() <= within
    backwards = probe.embed(some[::-1], precision, 2, 50)[::-1]
    assert numpy.abs(backwards - alone).max() <= within


@pytest.mark.parametrize("isa", ["avx512vnni", "avx512", "avxvnni", "avx2", "neoni8mm", "neondot", "neon", "scalar"])
def test_int8_vectors_have_the_same_bits_everywhere(isa):
    if isa not in probe.isas():
        pytest.skip(f"this CPU has no {isa}")
    vectors = probe.embed([text.encode() for text in golden.TEXTS], "int8", isa=isa)
    assert hashlib.sha256(vectors.tobytes()).hexdigest() == golden.DIGEST


def test_int8_in_every_instruction_set_on_many_texts(texts):
    some = [text for text in texts if len(text) < 400][:300]
    best, *others = probe.isas()
    wanted = probe.embed(some, "int8", isa=best)
    for isa in others:
        if isa != "scalar":  # Which takes minutes; the golden texts cover it, and the kernels' own tests.
            assert (probe.embed(some, "int8", threads=2, batch=50, isa=isa) == wanted).all(), isa


def test_packed_weights_give_the_same_vectors(texts, tmp_path, monkeypatch):
    """What is kept beside the weights is used, and as good as none where it is damaged or of other weights."""
    wanted = probe.embed(texts[:20], "int8")
    for file in probe.model_folder().iterdir():  # Links: the weights have been there for long.
        if file.name != "model.safetensors.sosie-int8":
            (tmp_path / file.name).symlink_to(file)
    monkeypatch.setenv("SOSIE_MODEL_DIR", str(tmp_path))
    packed = tmp_path / "model.safetensors.sosie-int8"
    assert (probe.embed(texts[:20], "int8") == wanted).all()
    whole, made = packed.read_bytes(), packed.stat()
    assert (probe.embed(texts[:20], "int8") == wanted).all()
    assert packed.stat() == made, "it was used, and not written again"
    for damaged in (whole[:100], whole[: len(whole) // 2], whole[:9000] + bytes([whole[9000] ^ 1]) + whole[9001:]):
        packed.write_bytes(damaged)
        assert (probe.embed(texts[:20], "int8") == wanted).all()
        assert packed.read_bytes() == whole
    packed.unlink()
    probe.embed(texts[:1], "f32")
    assert not packed.exists()


def test_known_sentences():
    pairs = {("A man is eating food.", "A man is eating a piece of bread."): 0.7553, ("A man is eating food.", "A cheetah is running behind its prey."): 0.1419}
    for (a, b), cosine in pairs.items():
        x, y = probe.embed([a.encode(), b.encode()], "f32")
        assert abs(float(x @ y) - cosine) < 2e-3


@pytest.mark.parametrize("precision", ["f32", "int8"])
def test_cli_agrees(sosie, precision):
    probe.needs(precision)
    lines = ["How do I reset my password?", "Grüße, 你好", "x" * 300]
    done = sosie("embed", "--json", "--precision", precision, stdin="\n".join(lines).encode() + b"\n")
    rows = [json.loads(line)["embedding"] for line in done.stdout.splitlines()]
    assert numpy.abs(numpy.array(rows) - probe.embed([line.encode() for line in lines], precision)).max() < 1e-6


MODELS = {
    "plain": {},
    "odd sizes, CLS": dict(hidden_size=36, num_attention_heads=3, intermediate_size=50, pooling="cls"),
    "one head, prefix, gelu_new": dict(hidden_size=24, num_attention_heads=1, hidden_act="gelu_new", prefix="bert."),
    "half weights, relu": dict(hidden_act="relu", dtype=numpy.float16),
    "XLM-R": dict(model_type="xlm-roberta", prefix="roberta.", type_vocab_size=1, max_position_embeddings=42, layer_norm_eps=1e-5),
    "XLM-R, another padding, no prefix": dict(model_type="xlm-roberta", pad_token_id=0, type_vocab_size=1, max_position_embeddings=41),
    "wide heads": dict(hidden_size=160, num_attention_heads=2, intermediate_size=320, num_hidden_layers=1),
}


@pytest.mark.parametrize("name", MODELS)
def test_other_bert_models(name, tmp_path, monkeypatch):
    config = dict(model_type="bert", hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128, max_position_embeddings=40, vocab_size=30,
                  type_vocab_size=2, layer_norm_eps=1e-12, hidden_act="gelu", pooling="mean", prefix="", dtype=numpy.float32) | MODELS[name]  # fmt: skip
    pooling, prefix, dtype = (config.pop(key) for key in ("pooling", "prefix", "dtype"))
    rng = numpy.random.default_rng(7)
    hidden, up = config["hidden_size"], config["intermediate_size"]
    shapes = {"embeddings.word_embeddings.weight": (30, hidden), "embeddings.position_embeddings.weight": (config["max_position_embeddings"], hidden),
              "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], hidden)}  # fmt: skip
    norms, linears = ["embeddings.LayerNorm"], {}
    for layer in range(config["num_hidden_layers"]):
        p = f"encoder.layer.{layer}."
        norms += [p + "attention.output.LayerNorm", p + "output.LayerNorm"]
        linears |= {p + f"attention.self.{n}": (hidden, hidden) for n in ("query", "key", "value")}
        linears |= {p + "attention.output.dense": (hidden, hidden), p + "intermediate.dense": (up, hidden), p + "output.dense": (hidden, up)}
    for linear, shape in linears.items():
        shapes |= {linear + ".weight": shape, linear + ".bias": shape[:1]}
    weights = {key: rng.normal(0, 0.3, shape) for key, shape in shapes.items()}
    for norm in norms:
        weights |= {norm + ".weight": rng.normal(1, 0.1, hidden), norm + ".bias": rng.normal(0, 0.1, hidden)}
    weights = {key: array.astype(dtype) for key, array in weights.items()}
    save_file({prefix + key: array for key, array in weights.items()}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz"]) + "\n")
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling/config.json").write_text(json.dumps({f"pooling_mode_{'cls_token' if pooling == 'cls' else 'mean_tokens'}": True}))
    monkeypatch.setenv("SOSIE_MODEL_DIR", str(tmp_path))
    bert = reference.Bert(weights, config, pooling)
    texts = ["", "a", "b c d", " ".join("the quick brown fox jumps over it".replace(" ", "")), "a " * 50]
    ids = [tokens.ids for tokens in probe.tokenize([text.encode() for text in texts], 40)]
    wanted = numpy.array([bert(row) for row in ids])
    assert numpy.abs(probe.embed([text.encode() for text in texts], "f32") - wanted).max() < 1e-5


def test_default_model_against_numpy():
    """The reference itself, and onnxruntime's place in the chain."""
    folder = probe.model_folder()
    bert = reference.Bert(load_file(folder / "model.safetensors"), json.loads((folder / "config.json").read_text()))
    texts = [b"How do I reset my password?", b"", "Grüße, 你好 👩‍🚀".encode(), b"word " * 90]
    wanted = numpy.array([bert(tokens.ids) for tokens in probe.tokenize(texts, 256)])
    assert numpy.abs(probe.embed(texts, "f32") - wanted).max() < 1e-5
