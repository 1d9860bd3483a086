"""A LiteLLM request as JSON, for the library to read."""

import hashlib
import json
from collections.abc import Mapping


def _plain(thing):
    """What JSON has no form for: pydantic models, other mappings, sets, bytes. Only what tells two requests apart matters."""
    for method in ("model_dump", "dict"):
        dump = getattr(thing, method, None)
        if callable(dump) and not isinstance(thing, type):
            return dump()
    if isinstance(thing, Mapping):
        return dict(thing)
    if isinstance(thing, (set, frozenset)):
        return sorted(thing, key=repr)
    if isinstance(thing, (bytes, bytearray, memoryview)):
        return {"$sha256": hashlib.sha256(thing).hexdigest()}
    attributes = getattr(thing, "__dict__", None)
    if attributes:
        return {name: value for name, value in attributes.items() if not name.startswith("_")}
    return {"$repr": repr(thing)}


_encode = json.JSONEncoder(ensure_ascii=True, skipkeys=True, separators=(",", ":"), default=_plain).encode


def request_json(kwargs):
    """`messages` and `input` of the keyword arguments, as a JSON object. Lone surrogates stay as escapes."""
    return _encode({name: kwargs[name] for name in ("messages", "input") if name in kwargs})


_LARGE = 256 * 1024  # characters
_MANY = 10_000  # pieces


def is_large(kwargs):
    """Whether reading the request takes more than a moment."""
    characters, pieces, rest = 0, 0, [kwargs.get("messages"), kwargs.get("input")]
    while rest:
        piece = rest.pop()
        pieces += 1
        if isinstance(piece, (str, bytes)):
            characters += len(piece)
        elif isinstance(piece, Mapping):
            rest.extend(piece.values())
        elif isinstance(piece, (list, tuple)):
            rest.extend(piece)
        if characters > _LARGE or pieces > _MANY or len(rest) > _MANY:
            return True
    return False
