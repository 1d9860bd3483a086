"""ONNX graphs of a BERT sentence encoder with mean pooling, built from its safetensors, for onnxruntime to run.

kinds: "f32": standard operators. "fused_f32": onnxruntime's own fused operators. "fused_int8": those, dynamically quantised per
channel: the fastest form that onnxruntime offers on a CPU. Inputs input_ids and attention_mask, int64 [batch, tokens]; output
sentence_embedding, float32 [batch, hidden], unit length.
"""

import json
import math
import pathlib

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file


class _Graph:
    def __init__(self):
        self.nodes, self.constants = [], {}

    def constant(self, name, array):
        self.constants.setdefault(name, numpy_helper.from_array(numpy.ascontiguousarray(array), name))
        return name

    def op(self, kind, inputs, out=None, domain="", **attributes):
        name = out or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=f"{kind}_{len(self.nodes)}", domain=domain, **attributes))
        return name


def build(weights, config, fused):
    """The model of `weights` (names without prefix) and config.json."""
    g, heads, hidden = _Graph(), config["num_attention_heads"], config["hidden_size"]
    epsilon = config.get("layer_norm_eps", 1e-12)

    def number(name, value, kind=numpy.float32):
        return g.constant(name, numpy.array(value, kind))

    def linear(x, name):
        product = g.op("MatMul", [x, g.constant(name + ".w", weights[name + ".weight"].T)])
        return product, g.constant(name + ".b", weights[name + ".bias"])

    def biased(x, name):
        return g.op("Add", list(linear(x, name)))

    def norm(x, name, skip=None):
        scale, shift = g.constant(name + ".g", weights[name + ".weight"]), g.constant(name + ".b", weights[name + ".bias"])
        if skip is not None and fused:
            return g.op("SkipLayerNormalization", [x, skip, scale, shift], domain="com.microsoft", epsilon=epsilon)
        if skip is not None:
            x = g.op("Add", [x, skip])
        return g.op("LayerNormalization", [x, scale, shift], axis=-1, epsilon=epsilon)

    def attention(x, p):
        a = p + "attention.self."
        if fused:
            w = numpy.concatenate([weights[a + n + ".weight"].T for n in ("query", "key", "value")], 1)
            b = numpy.concatenate([weights[a + n + ".bias"] for n in ("query", "key", "value")])
            return g.op("Attention", [x, g.constant(a + "w", w), g.constant(a + "b", b), mask], domain="com.microsoft", num_heads=heads)
        split, joined = number("split", [0, 0, heads, hidden // heads], numpy.int64), number("joined", [0, 0, hidden], numpy.int64)
        q, k, v = (
            g.op("Transpose", [g.op("Reshape", [biased(x, a + n), split])], perm=perm)
            for n, perm in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3]))
        )
        scores = g.op("Mul", [g.op("MatMul", [q, k]), number("scale", 1 / math.sqrt(hidden // heads))])
        context = g.op("MatMul", [g.op("Softmax", [g.op("Add", [scores, mask])], axis=-1), v])
        return g.op("Reshape", [g.op("Transpose", [context], perm=[0, 2, 1, 3]), joined])

    def gelu(x, name):
        if fused:
            return g.op("BiasGelu", list(linear(x, name)), domain="com.microsoft")
        y = biased(x, name)
        erf = g.op("Erf", [g.op("Div", [y, number("sqrt2", math.sqrt(2))])])
        return g.op("Mul", [g.op("Mul", [y, g.op("Add", [erf, number("one", 1)])]), number("half", 0.5)])

    e = "embeddings."
    positions = weights[e + "position_embeddings.weight"] + weights[e + "token_type_embeddings.weight"][0]
    zero, one, two = (number(f"i{i}", [i], numpy.int64) for i in range(3))
    tokens = g.op("Slice", [g.op("Shape", ["input_ids"]), one, two])
    x = g.op("Add", [g.op("Gather", [g.constant("words", weights[e + "word_embeddings.weight"]), "input_ids"]), g.op("Slice", [g.constant("positions", positions), zero, tokens, zero])])  # fmt: skip
    x = norm(x, e + "LayerNorm")
    present = g.op("Cast", ["attention_mask"], to=TensorProto.FLOAT)
    if fused:
        mask = g.op("Cast", ["attention_mask"], to=TensorProto.INT32)
    else:
        absent = g.op("Sub", [number("one", 1), g.op("Unsqueeze", [present, number("axes", [1, 2], numpy.int64)])])
        mask = g.op("Mul", [absent, number("never", -10000)])
    for layer in range(config["num_hidden_layers"]):
        p = f"encoder.layer.{layer}."
        x = norm(biased(attention(x, p), p + "attention.output.dense"), p + "attention.output.LayerNorm", x)
        x = norm(biased(gelu(x, p + "intermediate.dense"), p + "output.dense"), p + "output.LayerNorm", x)
    shown = g.op("Mul", [x, g.op("Unsqueeze", [present, two])])
    pooled = g.op("Div", [g.op("ReduceSum", [shown, one], keepdims=0), g.op("ReduceSum", [present, one], keepdims=1)])
    g.op("Div", [pooled, g.op("ReduceL2", [pooled], axes=[1], keepdims=1)], out="sentence_embedding")

    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", hidden])]
    graph = helper.make_graph(g.nodes, "bert", inputs, outputs, list(g.constants.values()))
    opsets = [helper.make_opsetid("", 17)] + ([helper.make_opsetid("com.microsoft", 1)] if fused else [])
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = 9
    return model


def session(model_folder, kind, scratch, threads=1):
    """An onnxruntime session; the graph is written to `scratch` the first time."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = pathlib.Path(scratch) / f"{kind}.onnx"
    if not path.exists():
        folder = pathlib.Path(model_folder)
        weights = {name.removeprefix("bert."): array for name, array in load_file(folder / "model.safetensors").items()}
        config = json.loads((folder / "config.json").read_text())
        model = build(weights, config, fused=kind.startswith("fused"))
        if kind == "fused_int8":
            source = path.with_name("fused_f32.onnx")
            onnx.save(model, source)
            options = {"DefaultTensorType": TensorProto.FLOAT}
            quantize_dynamic(source, path, weight_type=QuantType.QInt8, per_channel=True, reduce_range=False, extra_options=options)
        else:
            onnx.save(model, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
