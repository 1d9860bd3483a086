"""The drop-in and the pure pieces against LiteLLM's and RedisVL's own code, on what is made up at random.

SOSIE_SEED and SOSIE_CASES (a factor, 1) look further. What docs/litellm.md calls different is left out or stated here.
"""

import ast
import asyncio
import functools
import hashlib
import json
import operator
import os
import random
import struct
import sys
import warnings

import pytest

pytest.importorskip("sosie")
litellm = pytest.importorskip("litellm")
pytest.importorskip("redisvl")
from litellm.caching.redis_semantic_cache import RedisSemanticCache as Upstream

from sosie import compat
from sosie.litellm import RedisSemanticCache

SEED, FACTOR = os.environ.get("SOSIE_SEED", "1"), float(os.environ.get("SOSIE_CASES", "1"))


def cases(name, count):
    """One generator of random numbers for each case."""
    for number in range(int(count * FACTOR)):
        yield random.Random(f"{SEED} {name} {number}")


def answer(function, *arguments):
    """What a call gives; which exception it raises does not matter."""
    try:
        return "gives", function(*arguments)
    except Exception:
        return "raises", None


# Prompts --------------------------------------------------------------------------------------------------------------

BLANKS = [
    chr(code)
    for code in (
        *range(9, 14),
        *range(28, 33),
        0x85,
        0xA0,
        0x1680,
        *range(0x2000, 0x200B),
        0x2028,
        0x2029,
        0x202F,
        0x205F,
        0x3000,
    )
]
NO_BLANKS = ["\u200b", "\u2060", "\ufeff", "\u180e", "\0"]
NUMBERS = [
    0,
    1,
    -1,
    1.5,
    -0.0,
    1e16,
    1e15,
    1e-5,
    1e-4,
    1e300,
    5e-324,
    1 / 3,
    2**63,
    -(2**63) - 1,
    10**40,
    True,
    False,
] + [float(word) for word in ("nan", "inf", "-inf")]


def some_text(rng):
    return rng.choice(
        [
            lambda: "",
            lambda: "".join(rng.choices(BLANKS + NO_BLANKS, k=2)),
            lambda: rng.choice(BLANKS + NO_BLANKS) + "a" + rng.choice(BLANKS) + "b" + rng.choice(BLANKS + NO_BLANKS),
            lambda: rng.choice(["\ud800", "x\udfff", "\U0010ffff", "é", "日本", "😀", "\x7f", '"', "\\", "/"]),
            lambda: rng.choice(["hi", "b c", "tool_result", "1"]),
            lambda: rng.choice(["hello", "text"]),
        ]
    )()


def some_json(rng, depth=0):
    kind = rng.randrange(9 if depth < 3 else 5)
    if kind < 2:
        return some_text(rng)
    if kind < 5:
        return rng.choice([None, [], {}, "", "x", *NUMBERS])
    if kind < 7:
        return [some_json(rng, depth + 1) for _ in range(rng.randrange(3))]
    names = ["content", "text", "output", "input_text", "output_text", "type", some_text(rng)]
    return {rng.choice(names): some_json(rng, depth + 1) for _ in range(rng.randrange(4))}


def made_of(rng, **fields):
    """Some of the fields, in any order, each now and then replaced by anything."""
    kept = [
        (name, some_json(rng) if rng.random() < 0.12 else make()) for name, make in fields.items() if rng.random() < 0.6
    ]
    rng.shuffle(kept)
    return dict(kept)


def some_content(rng, depth=0):
    if depth > 3 or rng.random() < 0.4:
        return some_text(rng)
    return [
        made_of(
            rng,
            type=lambda: rng.choice(["text", "tool_result", "image_url", "input_text", None, 0]),
            text=lambda: some_text(rng),
            content=lambda: some_content(rng, depth + 1),
            image_url=lambda: {"url": "u"},
        )
        for _ in range(rng.randrange(4))
    ]


def some_message(rng):
    return made_of(
        rng,
        role=lambda: rng.choice(["user", "system", "assistant", "tool"]),
        content=lambda: some_content(rng),
        search_results=lambda: [
            made_of(
                rng,
                source=lambda: some_text(rng),
                title=lambda: some_text(rng),
                content=lambda: [{"type": "text", "text": some_text(rng)}, some_json(rng)],
                citations=lambda: some_json(rng),
            )
            for _ in range(rng.randrange(3))
        ],
        tool_calls=lambda: some_json(rng),
    )


def some_item(rng, depth=0):
    if depth > 3 or rng.random() < 0.2:
        return some_text(rng)
    if rng.random() < 0.2:
        return [some_item(rng, depth + 1) for _ in range(rng.randrange(4))]
    return made_of(
        rng,
        type=lambda: some_text(rng),
        content=lambda: some_item(rng, depth + 1),
        output=lambda: some_item(rng, depth + 1),
        **{name: lambda: some_text(rng) for name in ("text", "input_text", "output_text")},
    )


def some_request(rng):
    return made_of(
        rng,
        messages=lambda: [some_message(rng) for _ in range(rng.randrange(4))],
        input=lambda: some_item(rng),
        prompt=lambda: some_text(rng),
    )


def test_prompts():
    raised = 0
    for rng in cases("prompt", 6_000):
        request = some_request(rng)
        expected = answer(lambda: Upstream._get_prompt_from_kwargs(**request))
        assert answer(compat.prompt_from_kwargs, request) == expected, request
        raised += expected[0] == "raises"
    assert raised > 50 * FACTOR


# Values ---------------------------------------------------------------------------------------------------------------

PIECES = [
    "a", "é", "日", "😀", "\\n", "\\\\", "\\'", '\\"', "\\x41", "\\xZZ", "\\u00e9", "\\ud83d", "\\ude00", "\\U0001F600",
    "\\U00110000", "\\101", "\\400", "\\0", "\\8", "\\d", "\\\n", "\\\r\n", "\\N{DIGIT ONE}",
    "\\N{latin small letter a}", "\\N{no}", "\\N", "{", "}", "'", '"', "\n", "\r", "\t", "\f", "\v", "\0", "#", ",", "\ud800",
    "\x7f", "\x85", "\u2028", "\ufeff", "\xa0", " ",
]  # fmt: skip
ATOMS = """
    0 1 -1 --1 ~1 00 0_0 01 0b1 0B1_0 0b2 0o17 0o8 0xFf 0X_f 0x 1__0 1_ 1. .5 1._5 1e5 1E+5 1e 1e400 -1e400 1e-400
    1_0e1_0 1j 1.5J 0j -0j -0.0 -0 1+2j -1-0j 1j+1 1+-2j -(1) (1)+(2j) 1+2j+3j -0.0-0j nan NaN Infinity -Infinity -inf
    0777 08 09.5 1L 1.. 1... 1.real 12345678901234567890 1e16 5e-324 １ True False None true null ... __debug__ 𝐓rue ﬁ
    -True 1<2<3 x (x:=1) lambda:1 *a [*[1]] {**{}} {} [] () set() set set(()) dict() 'a'.b 'a'[0] 'a'%1 f'' f'{1}' yield
    1;2 `1` 1, 1,2 (1,) [1,] [,] (,) {1,} {1:2,} {:} {1:} {1:2,3} {1,2:3} {[]:1} {{}:1} {[]} {(1,[]):2} {...:1}
    {True:1,1:2,1.0:3} {0:1,-0.0:2,0j:3} {1e999:1,-1e999:2} {'a':1,'a':2} {b'a':1,'a':2} {None:1} {set()} -{[]} {[]}+''
""".split()
SPACES = ["", "", " ", "  ", "\t", "\n", "\r\n", "\r", "\f", "\v", "\xa0", "#c\n", "\\\n", "\\ \n", "\ufeff", "\0"]


def some_string(rng):
    body = "".join(rng.choices(PIECES, k=rng.randrange(6)))
    quote = rng.choice(["'", "'", '"', '"', "'''", '"""'])
    if rng.random() < 0.6 and len(quote) == 1:
        body = body.replace(quote, "").replace("\n", "").replace("\r", "")
    return rng.choice(["", "", "", "", "b", "r", "u", "rb", "bR", "B", "f", "ub", "é"]) + quote + body + quote


def some_literal(rng, depth=0):
    def space():
        return rng.choice(SPACES) if rng.random() < 0.2 else ""

    kind = rng.randrange(18 if depth < 5 else 8)
    if kind < 3:
        return space() + rng.choice(ATOMS) + space()
    if kind < 6:
        return space() + some_string(rng) + space()
    if kind < 8:
        return space().join(some_string(rng) for _ in range(rng.randint(1, 3)))
    items = [some_literal(rng, depth + 1) for _ in range(rng.randrange(4))]
    tail = rng.choice(["", "", ",", ",,"])
    if kind < 15:
        left, right = rng.choice(["[]", "()", "{}"])
        return space() + left + space() + ("," + space()).join(items) + tail + space() + right + space()
    pairs = [rng.choice([some_string(rng), rng.choice(ATOMS)]) + space() + ":" + item for item in items]
    return space() + "{" + ",".join(pairs) + tail + "}" + space()


def damaged(rng, text):
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(text))
        piece = rng.choice(PIECES + SPACES + [*"()[]{}:,+-je_.01bfru*=", "'''", "None", "set()"])
        text = text[:at] + rng.choice(["", piece]) + text[at + rng.randrange(3) :]
    return text


def read_upstream(text):
    """_get_cache_logic, whose exceptions the callers swallow."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return None


def spelled(value):
    """Types, order of a dict, signs of zeros and all."""
    if isinstance(value, complex):
        return f"complex({value.real!r},{value.imag!r})"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}({','.join(map(spelled, value))})"
    if isinstance(value, set):
        return f"set({','.join(sorted(map(spelled, value)))})"
    if isinstance(value, dict):
        return "dict(" + ",".join(f"{spelled(key)}:{spelled(item)}" for key, item in value.items()) + ")"
    return f"{type(value).__name__}:{value!r}"


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="the reader is CPython 3.11's: another one's grammar differs"
)
def test_values():
    pool = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for rng in cases("value", 12_000):
            if rng.random() < 0.4 and pool:
                text = damaged(rng, rng.choice(pool))
            elif rng.random() < 0.4:
                value = {
                    "timestamp": rng.random() * 1e9,
                    "response": json.dumps(some_json(rng), ensure_ascii=rng.random() < 0.5),
                }
                text = rng.choice([str, json.dumps, lambda value: value["response"]])(value)
            else:
                text = some_literal(rng)
            pool = (pool + [text])[-500:]
            expected, got = answer(read_upstream, text), answer(compat.read_value, text)
            if expected[0] == "raises" and got == ("gives", None):
                continue  # {[]: f}: unhashable, and no literal anyway. A miss is a miss.
            assert (got[0], spelled(got[1])) == (expected[0], spelled(expected[1])), text


# Ids, keys, queries ---------------------------------------------------------------------------------------------------

MARKS = list("ab,.<>{}[]\\\"':;!@#$%^&*()-+=~/ ?|`_\t\n\0é日😀") + ["\u200b", "\u2028", "\xa0", "\ufeff"]


def marked(rng, longest=6):
    return "".join(rng.choices(MARKS, k=rng.randrange(longest)))


def test_ids_keys_and_queries():
    from redisvl.index.storage import HashStorage
    from redisvl.query import VectorRangeQuery
    from redisvl.query.filter import Tag
    from redisvl.redis.utils import hashify

    def query(filters):
        return VectorRangeQuery(
            vector=[0.0],
            vector_field_name="prompt_vector",
            distance_threshold=0.2,
            num_results=1,
            return_score=True,
            filter_expression=functools.reduce(operator.and_, [Tag(name) == value for name, value in filters.items()]),
        ).query_string()

    collections = [
        None,
        0,
        1,
        2.5,
        True,
        False,
        b"x",
        [],
        (),
        set(),
        ["a"],
        ["a", "b,c|d"],
        {"a"},
        ("a", 1, None, ""),
        [""],
    ]
    others = [None, 0, 1, 1.5, True, 10**30, ("a",), ["a"], "\ud800"]
    for rng in cases("key", 1_500):
        prompt = rng.choice([marked(rng, 9), marked(rng, 9), "\ud800"])
        filters = {
            rng.choice(["litellm_cache_key", "a", "b", marked(rng, 3)]): rng.choice([marked(rng), rng.choice(others)])
            for _ in range(rng.randrange(4))
        }
        assert answer(compat.entry_id, prompt, filters) == answer(hashify, prompt, filters), (prompt, filters)
        index, id = marked(rng) + rng.choice(["", ":", "::", " "]), marked(rng, 10)
        assert compat.redis_key(index, id) == HashStorage._key(id, index, ":"), (index, id)
        names = rng.sample(["litellm_cache_key", "a", "b c"], rng.choice([1, 1, 2, 3]))
        tags = {name: rng.choice([marked(rng), marked(rng), *collections]) for name in names}
        assert answer(compat.search_query, tags) == answer(query, tags), tags


# The class ------------------------------------------------------------------------------------------------------------

WORDS = "how do i reset my password please now what is the capital of france today".split()
KEYS = ["9f86d081", "aa11", "k"]
ODD_KEYS = [
    "K", "k ", "a,b", "a b", "a|b", "a`b", "", "*", 1, None, ("a",), 1.5, "é", "ns:k", "{x}", "\ud800", b"k", "a\\b", "a\tb",
    "a" * 300, True,
]  # fmt: skip
VALUES = [
    {"timestamp": 1.5, "response": '{"id":"x","c":"it\'s \\"é\\""}'}, {"timestamp": 2.0, "response": {"id": "m"}},
    {"a": (1, 2)}, {"b": {3: None}}, {"x": b"\xff"}, {"lone": "\ud83d"}, "\ud83d", "hello", '{"a":1}', "123", "", "None", "[1",
    "'a'", "null", None, True, 5, 1.5, float("nan"), [1, 2], object,
]  # fmt: skip
TTLS = [60, "30", 0, 0.5, -1, None, "abc", float("nan"), float("inf"), 100, 10**9, [], "", -0.5, "1.5"]


def vector_of(text):
    """Texts that share words are near each other; what is asked for by name is not a vector."""
    vector = [0.0] * 8
    for word in text.lower().split():
        for place, byte in enumerate(hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()[:8]):
            vector[place] += (byte - 127.5) / 127.5
    odd = {
        "ZERO": [0.0] * 8,
        "NAN": [float("nan")] * 8,
        "BIG": [1e39] * 8,
        "INTEGERS": [1, 0, 2, 0, 3, 0, 0, 1],
        "NONE": None,
        "NOTHING": [],
    }
    for name, given in odd.items():
        if name in text:
            return given
    return vector if any(vector) else [1.0] + [0.0] * 7


def some_prompt(rng):
    if rng.random() < 0.1:
        return rng.choice(
            ["", " ", "\n", "\ud800", "a\0b", "é😀", "FAIL", "ZERO", "NAN", "BIG", "INTEGERS", "NONE", "NOTHING"]
        )
    return " ".join(rng.choices(WORDS[: rng.choice([4, 6, 15])], k=rng.randint(1, 4)))


def some_call(rng):
    """(method, positional arguments, keyword arguments)."""
    user = {"role": "user", "content": some_prompt(rng)}
    request = rng.choice(
        [{"messages": [user]}] * 7
        + [
            {"messages": [{"role": "system", "content": "be nice "}, user]},
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": some_prompt(rng)},
                            {"type": "image_url", "image_url": {"url": "u"}},
                        ],
                    }
                ]
            },
            {"messages": [{"role": "user", "content": None}]},
            {"input": some_prompt(rng)},
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": some_prompt(rng)}]}]},
            rng.choice(
                [{}, {"messages": []}, {"messages": "text"}, {"messages": [None]}, {"input": [1, 2]}, {"prompt": "x"}]
            ),
        ]
    )
    metadata = rng.choice(
        [{}] * 3
        + [{"metadata": {}}] * 3
        + [{"metadata": {"user": "u"}}, {"metadata": None}, {"metadata": []}, {"metadata": "s"}]
    )
    ttl = {"ttl": rng.choice(TTLS)} if rng.random() < 0.4 else {}
    kwargs = {**request, **metadata, **ttl}
    key = rng.choice(KEYS if rng.random() < 0.6 else ODD_KEYS)
    method = rng.choice(
        ["set_cache", "get_cache", "async_set_cache", "async_get_cache", "async_get_cache", "async_set_cache_pipeline"]
    )
    if method == "async_set_cache_pipeline":
        storable = [value for value in VALUES if value != "\ud83d"]
        return method, ([(f"p{number}", rng.choice(storable)) for number in range(rng.randrange(4))],), kwargs
    return method, (key,) if "get" in method else (key, rng.choice(VALUES)), kwargs


def outcome(loop, cache, method, arguments, kwargs):
    """What is returned or raised, and the metadata afterwards."""
    kwargs = {
        name: dict(value) if name == "metadata" and isinstance(value, dict) else value for name, value in kwargs.items()
    }
    try:
        made = getattr(cache, method)(*arguments, **kwargs)
        ended = repr(loop.run_until_complete(made) if asyncio.iscoroutine(made) else made)
    except Exception as raised:
        ended = type(raised).__name__
    return ended, repr(kwargs.get("metadata"))


def entries(client, index):
    """Fields but the stamps, and the seconds left, by what follows the index's name."""
    found = {}
    for key in client.scan_iter(f"{index}:*", count=1000):
        fields = client.hgetall(key)
        assert all(float(fields.pop(stamp)) > 1e9 for stamp in (b"inserted_at", b"updated_at"))
        found[key.decode().removeprefix(index)] = fields, client.ttl(key)
    return found


@pytest.mark.parametrize("threshold", [0.8, 0.5, 1, -0.5, 1.5])
def test_calls_as_upstream(threshold, redis_server, index_name, monkeypatch):
    def embedding(model, input, **settings):
        if "FAIL" in input:
            raise RuntimeError("no vector")
        return {"data": [{"embedding": vector_of(input)}]}

    async def aembedding(**arguments):
        return embedding(**arguments)

    monkeypatch.setattr(litellm, "embedding", embedding)
    monkeypatch.setattr(litellm, "aembedding", aembedding)
    client, loop = redis_server.client(), asyncio.new_event_loop()
    names = f"theirs_{index_name}", f"ours_{index_name}"
    settings = dict(redis_url=redis_server.url, similarity_threshold=threshold)
    theirs = Upstream(index_name=names[0], **settings)
    ours = RedisSemanticCache(index_name=names[1], compat="upstream", **settings)
    try:
        for rng in cases(f"call {threshold}", 60):
            call = some_call(rng)
            assert outcome(loop, ours, *call) == outcome(loop, theirs, *call), call
            if "set" not in call[0]:
                continue
            expected, got = (entries(client, name) for name in names)
            assert {key: fields for key, (fields, _) in got.items()} == {
                key: fields for key, (fields, _) in expected.items()
            }, call
            assert all(abs(got[key][1] - ttl) <= 2 for key, (_, ttl) in expected.items()), call
    finally:
        ours.close()
        loop.close()
