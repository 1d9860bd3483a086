"""The encoder beside onnxruntime: the same weights, one thread, batch 1, in turns, medians.

  pip install -r bench/peers/requirements.txt
  python bench/peers/encoder.py [--sosie build/release/bin/sosie] [--precision int8] [--tokens 8,16,32,128]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/encoder"))
import onnx_graph  # noqa: E402

KINDS = {"int8": "fused_int8", "f32": "fused_f32"}


def default_model():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("SOSIE_MODEL_DIR") or f"{cache}/sosie/models/all-MiniLM-L6-v2"


def ours(binary, model, precision, tokens):
    command = [binary, "bench", "embed", "--json", "--model", model, "--precision", precision, "--tokens", str(tokens), "--batch", "1", "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])["median_ms"]


def theirs(session, tokens, seconds):
    ids = numpy.random.default_rng(tokens).integers(1000, 20000, (1, tokens))
    feed = {"input_ids": ids, "attention_mask": numpy.ones_like(ids)}
    for _ in range(5):
        session.run(None, feed)
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 20:
        start = time.perf_counter()
        session.run(None, feed)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sosie", default=str(ROOT / "build/release/bin/sosie"))
    parser.add_argument("--model", default=default_model())
    parser.add_argument("--precision", choices=sorted(KINDS), default="int8")
    parser.add_argument("--tokens", default="8,16,32,128")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        session = onnx_graph.session(arguments.model, KINDS[arguments.precision], scratch)
        rows = []
        for tokens in map(int, arguments.tokens.split(",")):
            pairs = [(ours(arguments.sosie, arguments.model, arguments.precision, tokens), theirs(session, tokens, 1)) for _ in range(arguments.rounds)]
            mine, peer = (statistics.median(column) for column in zip(*pairs))
            rows.append({"tokens": tokens, "sosie_ms": round(mine, 3), "onnxruntime_ms": round(peer, 3), "times_as_fast": round(peer / mine, 2)})
            print("{tokens:4} tokens: sosie {sosie_ms:.3f} ms, onnxruntime {onnxruntime_ms:.3f} ms: {times_as_fast:.2f} times as fast".format(**rows[-1]), flush=True)
    print(json.dumps({"bench": "encoder", "precision": arguments.precision, "threads": 1, "batch": 1, "rows": rows}))


if __name__ == "__main__":
    main()
