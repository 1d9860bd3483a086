"""sosie: a semantic cache for LLM answers.

    import sosie

    with sosie.SemanticCache("./data") as cache:
        found = cache.lookup("How do I reset my password?")
        if found:
            print(found.response)
        else:
            cache.store("How do I reset my password?", answer, embedding=found.embedding)

`sosie.litellm` drops into LiteLLM; `sosie.compat` has the pure pieces of what it shares with LiteLLM.
"""

from sosie._errors import (
    CancelledError,
    DataCorruptionError,
    DeadlineExceededError,
    Error,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnavailableError,
    UnsupportedError,
)
from sosie._core import (
    CacheStats,
    Embedding,
    Encoder,
    Entry,
    Hit,
    LocalEncoder,
    Lookup,
    RemoteEncoder,
    SemanticCache,
    __version__,
)

__all__ = [
    "CacheStats",
    "CancelledError",
    "DataCorruptionError",
    "DeadlineExceededError",
    "Embedding",
    "Encoder",
    "Entry",
    "Error",
    "Hit",
    "InternalError",
    "InvalidArgumentError",
    "LocalEncoder",
    "Lookup",
    "NotFoundError",
    "PermissionDeniedError",
    "RemoteEncoder",
    "ResourceExhaustedError",
    "SemanticCache",
    "UnavailableError",
    "UnsupportedError",
    "__version__",
]
