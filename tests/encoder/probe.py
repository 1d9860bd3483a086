"""Drives encoder_probe, the test binary that takes any bytes."""

import os
import pathlib
import struct
import subprocess
from collections import namedtuple

import numpy
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

Tokens = namedtuple("Tokens", "ids truncated unseen")


def binary():
    """$SOSIE_ENCODER_PROBE, else the release build's."""
    return pathlib.Path(os.environ.get("SOSIE_ENCODER_PROBE", ROOT / "build/release/bin/encoder_probe"))


def model_folder():
    """Where script/bootstrap puts the default model."""
    if "SOSIE_MODEL_DIR" in os.environ:
        return pathlib.Path(os.environ["SOSIE_MODEL_DIR"])
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(cache) / "sosie/models/all-MiniLM-L6-v2"


def _run(arguments, texts, isa=None):
    sent = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    env = os.environ | ({"SOSIE_FORCE_ISA": isa} if isa else {})
    done = subprocess.run([binary(), *map(str, arguments)], input=sent, capture_output=True, timeout=900, env=env)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def tokenize(texts, limit=None):
    """Tokens of every text; `limit` None: the whole text."""
    out = _run(["tokens", model_folder(), limit or 1 << 30], texts)
    at, answers = 0, []
    while at < len(out):
        count, cut, unseen = struct.unpack_from("<IBI", out, at)
        at += 9
        ids = list(struct.unpack_from(f"<{count}i", out, at))
        at += 4 * count
        answers.append(Tokens(ids, bool(cut), out[at : at + unseen]))
        at += unseen
    assert len(answers) == len(texts)
    return answers


def needs(precision):
    """Skips the test where this CPU has no instructions for the precision: nothing else may be wrong."""
    asked = struct.pack("<I", 1) + b"a"
    done = subprocess.run([binary(), "embed", model_folder(), precision, "1", "1"], input=asked, capture_output=True, timeout=60)
    if done.returncode != 0:
        told = done.stderr.decode().strip()
        assert told.startswith("unsupported: ") and "needs a CPU with" in told, told
        pytest.skip(told)


def isas():
    """The instruction sets that this CPU runs, the best first."""
    return subprocess.run([binary(), "isas"], capture_output=True, timeout=60, check=True).stdout.decode().split()


def embed(texts, precision, threads=1, batch=32, isa=None):
    """Vectors of every text, a row each; `isa`: the instruction set, else the best."""
    out = _run(["embed", model_folder(), precision, threads, batch], texts, isa)
    return numpy.frombuffer(out, numpy.float32).reshape(len(texts), -1)
