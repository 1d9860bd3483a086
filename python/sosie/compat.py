"""The pure pieces of what sosie shares with LiteLLM's RedisSemanticCache (1.109.1) over RedisVL (0.28.0).

Each gives, byte for byte, what LiteLLM and RedisVL give.
"""

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
    return _core.read_value(stored)


def entry_id(prompt: str, filters: Optional[Mapping[str, Any]] = None) -> str:
    """RedisVL's entry id: SHA-256 of the prompt and the filters, sorted by name.

    Raises UnicodeEncodeError for lone surrogates, TypeError for names that cannot be sorted.
    """
    return _core.entry_id(prompt, {str(name): str(value) for name, value in sorted((filters or {}).items(), key=_name)})


def redis_key(index: str, entry_id: str) -> str:
    """The entry's key: the index's name, a colon, the id. Colons at the end of the name are not doubled (RedisVL >= 0.9.1)."""
    return _core.redis_key(index, entry_id)


def search_query(filters: Optional[Mapping[str, Any]] = None) -> str:
    """The query text of RedisVL's `check`, with TAG filters. An empty value, or None, does not filter."""
    return _core.search_query(
        {str(name): "" if value is None else str(value) for name, value in (filters or {}).items()}
    )


def _name(item):
    return item[0]
