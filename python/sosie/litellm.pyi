import os
from collections.abc import Sequence
from typing import Any, Literal, Optional, Union

from litellm import Cache
from litellm.caching.base_cache import BaseCache
from litellm.integrations.custom_logger import CustomLogger

_Path = Union[str, "os.PathLike[str]"]

class RedisSemanticCache(BaseCache):
    DEFAULT_REDIS_INDEX_NAME: str
    CACHE_KEY_FIELD_NAME: str
    similarity_threshold: float
    distance_threshold: float
    embedding_model: str
    embedding_max_input_tokens: Optional[int]
    embedding_timeout: float
    def __init__(
        self,
        host: Optional[str] = None,
        port: Union[str, int, None] = None,
        password: Optional[str] = None,
        redis_url: Optional[str] = None,
        similarity_threshold: Optional[float] = None,
        embedding_model: str = "text-embedding-ada-002",
        index_name: Optional[str] = None,
        embedding_max_input_tokens: Optional[int] = None,
        embedding_timeout: Optional[float] = None,
        *,
        username: Optional[str] = None,
        db: Optional[int] = None,
        ssl: Optional[bool] = None,
        ssl_ca_certs: Optional[_Path] = None,
        ssl_certfile: Optional[_Path] = None,
        ssl_keyfile: Optional[_Path] = None,
        ssl_cert_reqs: Union[str, int, None] = None,
        socket_connect_timeout: Optional[float] = None,
        socket_timeout: Optional[float] = None,
        max_connections: Optional[int] = None,
        url: Optional[str] = None,
        ttl: Optional[float] = None,
        index_type: Literal["flat", "hnsw"] = "flat",
        compat: Literal["sosie", "upstream"] = "sosie",
        **kwargs: Any,
    ) -> None: ...
    def set_cache(self, key: str, value: Any, **kwargs: Any) -> None: ...
    def get_cache(self, key: str, **kwargs: Any) -> Any: ...
    async def async_set_cache(self, key: str, value: Any, **kwargs: Any) -> None: ...
    async def async_get_cache(self, key: str, **kwargs: Any) -> Any: ...
    async def async_set_cache_pipeline(self, cache_list: Sequence[tuple[str, Any]], **kwargs: Any) -> None: ...
    async def ping(self) -> bool: ...
    async def test_connection(self) -> dict[str, str]: ...
    async def disconnect(self) -> None: ...
    def close(self) -> None: ...
    def stats(self) -> dict[str, int]: ...

def install() -> None: ...
def uninstall() -> None: ...
def enable(*, embedding_model: Optional[str] = None, index_name: Optional[str] = None, **settings: Any) -> Cache: ...

proxy: CustomLogger
