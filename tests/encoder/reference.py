"""BERT and XLM-R in NumPy, float64: what the encoder must compute."""

import math

import numpy

_erf = numpy.vectorize(math.erf)


def _norm(x, weights, name, epsilon):
    x = x - x.mean(-1, keepdims=True)
    return x / numpy.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weights[name + ".weight"] + weights[name + ".bias"]


def _activation(name):
    if name == "relu":
        return lambda x: numpy.maximum(x, 0)
    if name == "gelu_new":
        return lambda x: 0.5 * x * (1 + numpy.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return lambda x: 0.5 * x * (1 + _erf(x / math.sqrt(2)))


class Bert:
    """`weights` by name, without prefix; `config` as config.json."""

    def __init__(self, weights, config, pooling="mean"):
        self.weights = {name: array.astype(numpy.float64) for name, array in weights.items()}
        self.config, self.pooling = config, pooling

    def __call__(self, ids):
        w, heads = self.weights, self.config["num_attention_heads"]
        epsilon, act = self.config.get("layer_norm_eps", 1e-12), _activation(self.config.get("hidden_act", "gelu"))
        e = "embeddings."
        first = self.config.get("pad_token_id", 1) + 1 if self.config["model_type"] == "xlm-roberta" else 0
        x = w[e + "word_embeddings.weight"][ids] + w[e + "position_embeddings.weight"][first : first + len(ids)] + w[e + "token_type_embeddings.weight"][0]
        x = _norm(x, w, e + "LayerNorm", epsilon)

        def linear(name, y):
            return y @ w[name + ".weight"].T + w[name + ".bias"]

        for layer in range(self.config["num_hidden_layers"]):
            p = f"encoder.layer.{layer}."
            q, k, v = (linear(p + f"attention.self.{n}", x).reshape(len(ids), heads, -1).transpose(1, 0, 2) for n in ("query", "key", "value"))
            s = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
            s = numpy.exp(s - s.max(-1, keepdims=True))
            context = (s / s.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(ids), -1)
            x = _norm(x + linear(p + "attention.output.dense", context), w, p + "attention.output.LayerNorm", epsilon)
            up = act(linear(p + "intermediate.dense", x))
            x = _norm(x + linear(p + "output.dense", up), w, p + "output.LayerNorm", epsilon)
        pooled = x[0] if self.pooling == "cls" else x.mean(0)
        return pooled / numpy.linalg.norm(pooled)
