"""sosie.compat against every vector of the contract with LiteLLM and RedisVL."""

import json
import math
import pathlib

import pytest

compat = pytest.importorskip("sosie.compat")

CONTRACT = pathlib.Path(__file__).resolve().parent.parent / "contract"


def vectors(file, group):
    return json.loads((CONTRACT / f"{file}.json").read_text())[group]


def named(rows):
    return [pytest.param(row, id=row.get("id") or row.get("name")) for row in rows]


def plain(value):
    """A Python value in the vectors' own notation."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    if isinstance(value, str):
        codes = [ord(c) for c in value]
        return {"$str_code_points": codes} if any(0xD800 <= code < 0xE000 for code in codes) else value
    if isinstance(value, bytes):
        return {"$bytes_hex": value.hex()}
    if isinstance(value, complex):
        return {"$complex": [value.real, value.imag]}
    if value is ...:
        return {"$ellipsis": True}
    if isinstance(value, tuple):
        return {"$tuple": [plain(item) for item in value]}
    if isinstance(value, set):
        return {"$set": sorted((plain(item) for item in value), key=repr)}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        if all(isinstance(key, str) and plain(key) == key for key in value):
            return {key: plain(item) for key, item in value.items()}
        return {"$dict": [[plain(key), plain(item)] for key, item in value.items()]}
    return value


def same(left, right):
    """Equal, and of equal types all the way down: 1 is not True, nor 1.0."""
    return json.dumps(left) == json.dumps(right)


@pytest.mark.parametrize("row", named(vectors("prompt_vectors", "vectors")))
def test_prompt(row):
    if "raises" in row:
        with pytest.raises(AttributeError) as raised:
            compat.prompt_from_kwargs(row["kwargs"])
        assert isinstance(raised.value, ValueError) and isinstance(raised.value, compat.PromptError)
    else:
        assert compat.prompt_from_kwargs(row["kwargs"]) == row["prompt"]


def test_prompt_of_objects_that_are_no_dicts():
    class Model:
        def __init__(self, **fields):
            self.fields = fields

        def model_dump(self):
            return self.fields

    assert compat.prompt_from_kwargs({"messages": [Model(role="user", content="hi"), {"content": (b"\xff",)}]}) == "hi"
    assert (
        compat.prompt_from_kwargs({"input": [Model(content=[Model(type="input_text", text=" a ")]), ("b",)]}) == "a\nb"
    )
    assert compat.prompt_from_kwargs({"messages": [{"content": "\ud83d"}], "file": object()}) == "\ud83d"


@pytest.mark.parametrize("row", named(vectors("value_vectors", "read")))
def test_value(row):
    if row["outcome"] == "raise":
        with pytest.raises((ValueError, TypeError, RecursionError)):
            compat.read_value(row["stored_text"])
        return
    value = compat.read_value(row["stored_text"])
    if row["outcome"] == "miss":
        assert value is None
    else:
        assert type(value).__name__ == row["py_type"]
        assert same(plain(value), row["json"]) or (isinstance(value, set) and plain(value) == row["json"])


@pytest.mark.parametrize("row", named(vectors("value_vectors", "write")))
def test_value_as_upstream_writes_it(row):
    value = compat.read_value(row["stored_text"])
    back = row["read_back"]
    assert (value is None) if back["outcome"] == "miss" else same(plain(value), back["json"])


def test_values_that_upstream_raises_on():
    for stored, kind in (("[" * 100_000, RecursionError), ("9" * 4301, ValueError), ("{[]: 1}", TypeError)):
        with pytest.raises(kind) as raised:
            compat.read_value(stored)
        assert isinstance(raised.value, compat.UnreadableValueError)


def test_big_integers_bytes_and_surrogates():
    assert compat.read_value("9" * 4300) == int("9" * 4300)
    assert compat.read_value('"\\ud800"') == "\ud800"
    assert compat.read_value(b'{"a": "\xc3\xa9"}') == {"a": "é"}
    assert compat.read_value(b'{"a": "x\xff"}') == compat.read_value(b"{'a': 'x\xff'}") == {"a": "x"}  # as redis-py does
    assert compat.read_value("{1: b'\\xff', 'k': (..., {2}, 1+2j)}") == {1: b"\xff", "k": (..., {2}, 1 + 2j)}


@pytest.mark.parametrize("row", named(vectors("key_vectors", "entry_ids")))
def test_entry_id_and_key(row):
    id = compat.entry_id(row["prompt"], row["filters"])
    assert id == row["entry_id"]
    assert compat.redis_key(row["index_name"], id) == row["redis_key"]


def test_entry_ids_that_upstream_cannot_make():
    with pytest.raises(UnicodeEncodeError):
        compat.entry_id("\ud800", None)
    with pytest.raises(TypeError):
        compat.entry_id("hello", {"a": 1, 2: "b"})


@pytest.mark.parametrize("row", named(vectors("key_vectors", "tag_filters")))
def test_search_query(row):
    assert compat.search_query({"litellm_cache_key": row["value"]}) == row["query"]


def test_search_query_without_filters():
    bare = compat.search_query({"litellm_cache_key": ""})
    assert compat.search_query() == compat.search_query({}) == compat.search_query({"litellm_cache_key": None}) == bare
