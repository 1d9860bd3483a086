"""The pure pieces of what sosie shares with LiteLLM's RedisSemanticCache (1.109.1) over RedisVL (0.28.0).

Each gives, byte for byte, what LiteLLM and RedisVL give.
"""

import functools
import json
from typing import Any, Mapping, Optional, Union

from sosie import _core
from sosie._errors import PromptError, UnreadableValueError
from sosie._request import request_json

__all__ = [
    "PromptError",
    "UnreadableValueError",
    "entry_id",
    "prompt_from_kwargs",
    "read_value",
    "redis_key",
    "search_query",
]


def prompt_from_kwargs(kwargs: Mapping[str, Any]) -> Optional[str]:
    """The prompt of a request: all text of `messages`, else of `input`. None: there is none; "" is one.

    Raises PromptError (a ValueError and an AttributeError) where upstream raises: messages that are not messages.
    """
    return _core.prompt_from_json(request_json(kwargs))


def read_value(stored: Union[str, bytes]) -> Any:
    """A stored `response` as LiteLLM reads it back: JSON, else a Python literal. None: a miss.

    Raises UnreadableValueError (a ValueError, TypeError and RecursionError) where upstream raises one of these.
    """
    try:
        return _core.read_value(stored.encode() if isinstance(stored, str) else stored)
    except UnicodeEncodeError:  # Lone surrogates, which JSON may hold and a Python literal may not.
        try:
            return json.loads(stored)
        except json.JSONDecodeError:
            return None


def entry_id(prompt: str, filters: Optional[Mapping[str, Any]] = None) -> str:
    """RedisVL's entry id: SHA-256 of the prompt and the filters, sorted by name.

    Raises UnicodeEncodeError for lone surrogates, TypeError for names that cannot be sorted.
    """
    return _core.entry_id(prompt, {str(name): str(value) for name, value in sorted((filters or {}).items(), key=_name)})


def redis_key(index: str, entry_id: str) -> str:
    """The entry's key: the index's name, a colon, the id. Colons at the end of the name are not doubled (RedisVL >= 0.9.1)."""
    return _core.redis_key(index, entry_id)


def search_query(filters: Optional[Mapping[str, Any]] = None) -> str:
    """The query text of RedisVL's `check`, with TAG filters in their order: `Tag(name) == value`, joined by `&`.

    A list, set or tuple is for any of its values. What is empty or false does not filter. Anything else is a TypeError.
    """
    clauses = [clause for name, value in (filters or {}).items() for clause in _tag_clause(name, value)]
    query = _core.search_query({})
    if not clauses:
        return query
    both = functools.reduce("({} {})".format, clauses)
    return f"{query} ({both})"


def _tag_clause(name, value):
    if isinstance(value, (list, set, tuple)):
        values = [str(one) for one in value if one]
    elif value and not isinstance(value, str):
        raise TypeError("a TAG's value must be a str, or a list, set or tuple")
    else:
        values = [value] if value else []
    return [f"@{name}:{{{'|'.join(map(_core.escape_tag, values))}}}"] if values else []


def _name(item):
    return item[0]
