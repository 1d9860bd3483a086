"""compat="upstream" sends what LiteLLM 1.109.1 over RedisVL 0.28.0 sends (tests/contract/wire_transcripts.json), to a real Redis.

Compared is every command but the looking at an index (FT.INFO: upstream asks two or three times, this class once) and the
connection's own; the times of an entry are left out.
"""

import json
import pathlib
import re
import socket
import types

import pytest

pytest.importorskip("sosie")
litellm = pytest.importorskip("litellm")
from sosie.litellm import RedisSemanticCache

CONTRACT = pathlib.Path(__file__).parents[1] / "contract/wire_transcripts.json"
TRANSCRIPTS = json.loads(CONTRACT.read_text())["litellm_1_109_1_with_redisvl_0_28_0"]
INDEX = "litellm_semantic_cache_index"

NEAR = [0.9, 0.4358898943540674, 0.0]
VECTORS = {"hello": [1.0, 0.0, 0.0], "hi there": NEAR, "": [0.3, 0.3, 0.3], "bye": [0.0, 1.0, 0.0]}
IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/a.png"}}]}]


def user(text):
    return [{"role": "user", "content": text}]


class Monitor:
    """The commands that a server receives, as it shows them."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(b"MONITOR\r\n")
        self.socket.settimeout(5)
        self.lines = self.socket.makefile("rb")
        assert self.lines.readline() == b"+OK\r\n"

    def until(self, mark):
        """All commands before `ECHO mark`."""
        commands = []
        while True:
            words = [self.word(raw) for raw in re.findall(rb'"((?:[^"\\]|\\.)*)"', self.lines.readline().rstrip())]
            if words == ["ECHO", mark]:
                return commands
            commands.append(words)

    @staticmethod
    def word(raw):
        bytes_ = re.sub(rb"\\(x[0-9a-f]{2}|.)", lambda m: Monitor.escape(m[1]), raw, flags=re.S)
        try:
            return bytes_.decode()
        except UnicodeDecodeError:
            return "hex:" + bytes_.hex()

    @staticmethod
    def escape(code):
        if len(code) == 3:
            return bytes.fromhex(code[1:].decode())
        return {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}.get(code, code)


@pytest.fixture
def wire(start_redis, monkeypatch):
    """wire(cache, call) -> (what the call returns, the commands it sent); a fresh server."""
    server = start_redis()
    monitor, client = Monitor(server.port), server.client()
    vectors = dict(VECTORS)

    def embedding(model, input, **_):
        return {"data": [{"embedding": vectors[input]}]}

    monkeypatch.setattr(litellm, "embedding", embedding)
    marks = iter(range(1000))

    def run(call):
        result = call()
        mark = f"mark {next(marks)}"
        client.echo(mark)
        return result, [c for c in monitor.until(mark) if c[0] not in ("CLIENT", "HELLO", "AUTH", "SELECT", "FT.INFO")]

    def make(**settings):
        return RedisSemanticCache(redis_url=server.url, **{"similarity_threshold": 0.8, "compat": "upstream", **settings})

    return types.SimpleNamespace(run=run, make=make, vectors=vectors, client=client)


def expected(name):
    return [plain(c) for c in TRANSCRIPTS[name]["cmds"] if c[0] != "FT.INFO"]


def plain(command):
    """Without the times of an entry; bytes of a vector always in hex."""
    words = list(command)
    for name in ("inserted_at", "updated_at"):
        if command[0] == "HSET" and name in words:
            words[words.index(name) + 1] = "(time)"
    for i, word in enumerate(words):
        if i and words[i - 1] in ("prompt_vector", "vector") and command[0] != "FT.CREATE" and not word.startswith(("hex:", "VECTOR")):
            words[i] = "hex:" + word.encode().hex()
    return words


def test_a_first_set_and_what_follows(wire):
    cache = wire.make()
    value = {"timestamp": 1.5, "response": '{"a":1}'}
    steps = {
        "set first": lambda: cache.set_cache("K1", value, messages=user("hello"), ttl=60),
        "set no ttl": lambda: cache.set_cache("K2", {"x": "it's"}, messages=user("hello")),
        "get exact": lambda: cache.get_cache("K1", messages=user("hello")),
        "get near": lambda: cache.get_cache("K1", messages=user("hi there")),
        "get no prompt": lambda: cache.get_cache("K1", messages=[]),
        "set ttl 0": lambda: cache.set_cache("KT", 1, messages=user("hello"), ttl=0),
        "set ttl 0.5": lambda: cache.set_cache("KT", 1, messages=user("hello"), ttl=0.5),
        "set ttl 1.9": lambda: cache.set_cache("KT", 1, messages=user("hello"), ttl=1.9),
        "set ttl -1": lambda: cache.set_cache("KT", 1, messages=user("hello"), ttl=-1),
        "set ttl '30'": lambda: cache.set_cache("KT", 1, messages=user("hello"), ttl="30"),
        "set ttl 'abc'": lambda: cache.set_cache("KT", 1, messages=user("hello"), ttl="abc"),
        "set ttl nan": lambda: cache.set_cache("KT", 1, messages=user("hello"), ttl=float("nan")),
        "set ttl inf": lambda: cache.set_cache("KT", 1, messages=user("hello"), ttl=float("inf")),
        "set ttl True": lambda: cache.set_cache("KT", 1, messages=user("hello"), ttl=True),
        "set ttl None": lambda: cache.set_cache("KT", 1, messages=user("hello"), ttl=None),
        "set key with comma": lambda: cache.set_cache("a,b", 1, messages=user("hello")),
        "get key with comma": lambda: cache.get_cache("a,b", messages=user("hello")),
        "set empty key": lambda: cache.set_cache("", 1, messages=user("hello")),
        "get empty key": lambda: cache.get_cache("", messages=user("hello")),
        "set None key": lambda: cache.set_cache(None, 1, messages=user("hello")),
        "get None key": lambda: cache.get_cache(None, messages=user("hello")),
        "set image only": lambda: cache.set_cache("KI", {"img": "A"}, messages=IMAGE),
        "get other image only": lambda: cache.get_cache("KI", messages=IMAGE),
    }
    results = {}
    for name, step in steps.items():
        results[name], commands = wire.run(step)
        assert [plain(c) for c in commands] == expected(name), name
    assert results["get exact"] == results["get near"] == value
    assert results["get key with comma"] is results["get no prompt"] is None
    assert results["get None key"] == 1 and results["get other image only"] == {"img": "A"}


@pytest.mark.parametrize("threshold", [0, 1, 0.8, 1.0000001, 1.5, -0.5, -1, -1.1, float("nan"), True])
def test_thresholds(wire, threshold):
    name = f"first-use thr {threshold}"
    index = TRANSCRIPTS[name]["cmds"][0][1] if TRANSCRIPTS[name]["cmds"] else "unused"
    cache = wire.make(similarity_threshold=threshold, index_name=index)
    search = next((c for c in TRANSCRIPTS[name]["cmds"] if c[0] == "FT.SEARCH"), None)
    if search:  # the prompt's vector, as it was then
        import array

        bytes_ = bytes.fromhex(search[search.index("vector") + 1][4:]) if search[search.index("vector") + 1].startswith("hex:") else None
        if bytes_:
            wire.vectors["hello"] = list(array.array("f", bytes_))
    key = re.search(r"\{(\w+)\}\)$", search[2])[1] if search else "k"
    metadata = {}
    result, commands = wire.run(lambda: cache.get_cache(key, messages=user("hello"), metadata=metadata))
    assert result is None and metadata == {"semantic-similarity": 0.0}
    assert [plain(c) for c in commands] == expected(name)


def test_an_old_index_without_the_tag(wire):
    wire.client.execute_command(
        *f"FT.CREATE {INDEX} ON HASH PREFIX 1 {INDEX} SCORE 1.0 SCHEMA prompt TEXT WEIGHT 1 response TEXT WEIGHT 1 inserted_at NUMERIC "
        "updated_at NUMERIC prompt_vector VECTOR FLAT 6 TYPE FLOAT32 DIM 3 DISTANCE_METRIC COSINE".split()
    )
    cache = wire.make()

    def both():
        cache.set_cache("K1", {"v": 1}, messages=user("hello"))
        return cache.get_cache("K1", messages=user("hello"))

    wire.run(lambda: None)
    result, commands = wire.run(both)
    assert result == {"v": 1}
    assert [plain(c) for c in commands] == expected("old index without tag")


def test_by_default_the_same_entry_is_written_with_a_json_value_and_at_once(wire):
    cache = wire.make(compat="sosie")
    value = {"timestamp": 1.5, "response": '{"a":1}'}
    _, commands = wire.run(lambda: cache.set_cache("K1", value, messages=user("hello"), ttl=60))
    ours, theirs = {c[0]: plain(c) for c in commands}, {c[0]: c for c in expected("set first")}
    assert [w for w in ours["FT.CREATE"] if w not in ("NOOFFSETS", "NOHL", "NOFIELDS", "NOFREQS")] == theirs["FT.CREATE"]
    at = ours["HSET"].index("response") + 1
    assert json.loads(ours["HSET"][at]) == value
    assert ours["HSET"][:at] + ours["HSET"][at + 1 :] == theirs["HSET"][:at] + theirs["HSET"][at + 1 :]
    assert ours["EXPIRE"] == theirs["EXPIRE"]
    assert [c[0] for c in commands[-4:]] == ["MULTI", "HSET", "EXPIRE", "EXEC"]
    assert cache.get_cache("K1", messages=user("hello")) == value
