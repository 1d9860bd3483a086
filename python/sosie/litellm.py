"""LiteLLM's RedisSemanticCache, in C++, over the same Redis index.

    import sosie.litellm
    sosie.litellm.enable(
        redis_url="redis://127.0.0.1:6379", similarity_threshold=0.9, embedding_model="local/all-MiniLM-L6-v2"
    )

or, where a program makes its own `litellm.Cache(type="redis-semantic", …)`, `sosie.litellm.install()` before or after it; or in a
proxy's config.yaml, before `cache: true`:

    litellm_settings:
      callbacks: ["sosie.litellm.proxy"]

Entries are shared with LiteLLM's own class in both directions. docs/litellm.md lists what is done better, and how.
"""

import array
import asyncio
import atexit
import collections
import functools
import json
import logging
import math
import os
import ssl as _ssl
import sys
import threading
import time
import weakref

import litellm
from litellm.caching.base_cache import BaseCache

from sosie import _core, compat
from sosie._errors import Error, InvalidArgumentError, UnavailableError
from sosie._pause import Pause
from sosie._request import is_large, request_json

__all__ = ["RedisSemanticCache", "enable", "install", "uninstall"]

_logger = logging.getLogger("sosie.litellm")

_DEFAULT_EMBEDDING_TIMEOUT = 5.0
_LOCAL = "local/"
_DEFAULT_LOCAL = "local/all-MiniLM-L6-v2"
_NO_CACHE = {"no-store": True, "no-cache": True}
# A text that an endpoint refuses says nothing about the endpoint.
_REFUSED = (400, 404, 413, 422)
_WARN_EVERY = 60.0  # seconds


def _embedding_timeout(given):
    if given is not None:
        return float(given)
    known = getattr(litellm.constants, "SEMANTIC_CACHE_EMBEDDING_TIMEOUT_SECONDS", None)
    if known is None:
        try:
            known = float(os.environ.get("SEMANTIC_CACHE_EMBEDDING_TIMEOUT_SECONDS", ""))
        except ValueError:
            known = _DEFAULT_EMBEDDING_TIMEOUT
    return float(known) if math.isfinite(known) and known > 0 else _DEFAULT_EMBEDDING_TIMEOUT


def _text(setting):
    return None if setting is None else str(setting)


def _whole(setting, name, least=1):
    """A setting that may come as text from a configuration. Its value, which may stand where a secret belongs, is never shown."""
    try:
        number = int(setting)
    except (TypeError, ValueError, OverflowError):
        number = least - 1
    if number < least:
        raise InvalidArgumentError(f"{name} must be a whole number, {least} or more")
    return number


def _truth(setting):
    return setting.strip().lower() in ("1", "true", "yes", "on") if isinstance(setting, str) else bool(setting)


class _RecentVectors:
    """The vectors of the last questions: one embedding for looking a question up, storing its answer and asking again."""

    LIMIT = 512

    def __init__(self):
        self._lock = threading.Lock()
        self._vectors = collections.OrderedDict()

    def put(self, id, vector):
        with self._lock:
            self._vectors[id] = vector
            if len(self._vectors) > self.LIMIT:
                self._vectors.popitem(last=False)

    def get(self, id):
        with self._lock:
            vector = self._vectors.get(id)
            if vector is not None:
                self._vectors.move_to_end(id)
            return vector


class RedisSemanticCache(BaseCache):
    """LiteLLM's Redis-backed semantic cache for LLM responses, with upstream's arguments, methods and bytes in Redis.

    Args:
        host, port, password: of the server; each falls back to REDIS_HOST, REDIS_PORT, REDIS_PASSWORD, and all are needed then.
        redis_url: instead of the three: redis://[[user]:password@]host[:port][/db], rediss://… (TLS), unix://…
        similarity_threshold: 0 to 1, needed. 1: the same text only.
        embedding_model: a model that `litellm.embedding` or the proxy's Router knows, or "local/all-MiniLM-L6-v2" or
            "local/<folder>" to embed in this process.
        index_name: default "litellm_semantic_cache_index".
        embedding_max_input_tokens: longer prompts are cut for the embedding; default: the Router deployment's limit.
        embedding_timeout: seconds; default $SEMANTIC_CACHE_EMBEDDING_TIMEOUT_SECONDS, else 5.

    What upstream accepts and drops (names as in redis-py):
        username, db: ACL user, database.
        ssl, ssl_ca_certs, ssl_certfile, ssl_keyfile, ssl_cert_reqs ("none": do not verify): TLS.
        socket_connect_timeout, socket_timeout: seconds, 1 each. max_connections: for callers that block, 16.
        url: another name of redis_url. ttl: seconds an entry lives where the call does not say.

    Sosie's own:
        index_type: "flat", LiteLLM's index, or "hnsw", a second index over the same entries for 100,000 and more.
        compat: "sosie", or "upstream" for LiteLLM's observable behaviour, defects included.

    Thread-safe, and safe to use from several event loops. No failure of Redis or of the embedding model leaves get and set:
    a get is then a miss. `stats()` counts them.
    """

    DEFAULT_REDIS_INDEX_NAME = "litellm_semantic_cache_index"
    CACHE_KEY_FIELD_NAME = "litellm_cache_key"

    def __init__(
        self,
        host=None,
        port=None,
        password=None,
        redis_url=None,
        similarity_threshold=None,
        embedding_model="text-embedding-ada-002",
        index_name=None,
        embedding_max_input_tokens=None,
        embedding_timeout=None,
        *,
        username=None,
        db=None,
        ssl=None,
        ssl_ca_certs=None,
        ssl_certfile=None,
        ssl_keyfile=None,
        ssl_cert_reqs=None,
        socket_connect_timeout=None,
        socket_timeout=None,
        max_connections=None,
        url=None,
        ttl=None,
        index_type="flat",
        compat="sosie",
        **kwargs,
    ):
        if similarity_threshold is None:
            raise InvalidArgumentError("similarity_threshold must be provided, passed None")
        if compat not in ("sosie", "upstream"):
            raise InvalidArgumentError('compat must be "sosie" or "upstream"')
        if index_type not in ("flat", "hnsw"):
            raise InvalidArgumentError('index_type must be "flat" or "hnsw"')
        self._upstream = compat == "upstream"
        if isinstance(similarity_threshold, str) and not self._upstream:  # os.environ/… in a config.yaml
            try:
                similarity_threshold = float(similarity_threshold)
            except ValueError:
                raise InvalidArgumentError("similarity_threshold must be a number from 0 to 1") from None
        self.similarity_threshold = similarity_threshold
        self.distance_threshold = 1 - similarity_threshold
        self.embedding_model = embedding_model
        self.embedding_timeout = _embedding_timeout(embedding_timeout)
        self._index_name = self.DEFAULT_REDIS_INDEX_NAME if index_name is None else index_name
        self._ttl = ttl
        self._is_local = str(embedding_model).startswith(_LOCAL)
        max_tokens = None if embedding_max_input_tokens is None else _whole(embedding_max_input_tokens, "embedding_max_input_tokens")
        self.embedding_max_input_tokens = max_tokens
        if kwargs:
            _logger.debug("settings without effect: %s", ", ".join(sorted(kwargs)))
        self._core = _core.RedisCore(
            host=_text(host),
            port=_text(port),
            password=_text(password),
            redis_url=_text(url if redis_url is None else redis_url),
            similarity_threshold=float(similarity_threshold),
            embedding_model=str(embedding_model),
            index_name=_text(self._index_name),
            embedding_max_input_tokens=max_tokens,
            embedding_timeout=self.embedding_timeout,
            username=_text(username),
            db=-1 if db is None else _whole(db, "db", 0),
            ssl=_truth(ssl),
            ssl_verify=ssl_cert_reqs not in ("none", "CERT_NONE", _ssl.CERT_NONE, False),
            ca_file=_text(ssl_ca_certs),
            certificate=_text(ssl_certfile),
            key=_text(ssl_keyfile),
            connect_timeout=None if socket_connect_timeout is None else float(socket_connect_timeout),
            command_timeout=None if socket_timeout is None else float(socket_timeout),
            pool_size=16 if max_connections is None else _whole(max_connections, "max_connections"),
            hnsw=index_type == "hnsw",
            upstream=self._upstream,
        )
        self._begin()
        _caches.add(self)

    # What upstream's callers use --------------------------------------------------------------------------------------

    def set_cache(self, key, value, **kwargs):
        """Stores `value` under the prompt of `messages` or `input`, for `ttl` seconds. Returns None, whatever happens."""
        try:
            writes = self._writes([(key, value)], kwargs)
            if not writes:
                return
            vector = self._known_vector(writes)
            if vector is None:
                if self._unreachable:
                    self._exact(writes[0][0])  # no embedding is paid for that cannot be stored
                vector = self._embed(writes[0][0], kwargs)
            with self._search():
                self._core.store(self._with_vector(writes, vector))
        except Exception as failure:
            self._failed("set_cache", failure)

    def get_cache(self, key, **kwargs):
        """The stored value of the same prompt, else of the nearest one; None: a miss.

        `metadata`, where given, gets "semantic-similarity": the hit's, 0.0 for a miss.
        """
        similarity, value = 0.0, None
        try:
            answer = self._find(key, kwargs)
            similarity, value = self._opened(answer)
        except Exception as failure:
            similarity = 0.0
            self._failed("get_cache", failure)
        self._tell(kwargs, similarity)
        return value

    async def async_set_cache(self, key, value, **kwargs):
        """As `set_cache`; the event loop is never blocked."""
        await self._async_store("async_set_cache", [(key, value)], kwargs)

    async def async_get_cache(self, key, **kwargs):
        """As `get_cache`; the event loop is never blocked."""
        similarity, value = 0.0, None
        try:
            answer = await self._async_find(key, kwargs)
            similarity, value = self._opened(answer)
        except Exception as failure:
            similarity = 0.0
            self._failed("async_get_cache", failure)
        self._tell(kwargs, similarity)
        return value

    async def async_set_cache_pipeline(self, cache_list, **kwargs):
        """Stores all (key, value) pairs under one prompt: one embedding, one round trip."""
        await self._async_store("async_set_cache_pipeline", cache_list, kwargs)

    # What upstream's backend lacks ------------------------------------------------------------------------------------

    async def ping(self):
        """True, or the error why Redis cannot be asked."""
        if self._upstream:
            raise NotImplementedError
        question = self._core.question("ping", request_json({"input": "ping"}))
        await self._call(self._core.find_exact, question)
        return True

    async def test_connection(self):
        """{"status": "success" | "failed", "message": …}."""
        try:
            await self.ping()
        except Error as failure:
            return {"status": "failed", "message": "Redis cannot be used", "error": str(failure)}
        return {"status": "success", "message": "Redis answers"}

    async def disconnect(self):
        """Ends the connections once the calls under way have ended. The cache cannot be used afterwards."""
        await asyncio.to_thread(self.close)

    def close(self):
        """As `disconnect`, blocking."""
        self._core.close()

    def stats(self):
        """Counts since the cache was made: exact_hits, semantic_hits, misses, stored, embeddings, faults."""
        counts = self._core.stats()
        names = ("exact_hits", "semantic_hits", "misses", "stored", "embeddings", "faults")
        return {name: getattr(counts, name) for name in names}

    async def _index_info(self):
        """For LiteLLM's readiness page."""
        return {"index_name": self._index_name, **self.stats()}

    # Upstream's names for single steps --------------------------------------------------------------------------------

    @classmethod
    def _get_prompt_from_kwargs(cls, **kwargs):
        return compat.prompt_from_kwargs(kwargs)

    def _get_ttl(self, **kwargs):
        ttl = kwargs["ttl"] if "ttl" in kwargs else self._ttl
        return None if ttl is None else int(ttl)

    def _get_cache_logic(self, cached_response):
        return None if cached_response is None else compat.read_value(cached_response)

    def _get_embedding(self, prompt, metadata=None):
        router = self._router()
        embed = litellm.embedding if router is None else router.embedding
        response = embed(**self._embedding_arguments(prompt, metadata, router))
        return response["data"][0]["embedding"]

    async def _get_async_embedding(self, prompt, metadata=None):
        router = self._router()
        embed = litellm.aembedding if router is None else router.aembedding
        if self._max_tokens(router) is None:
            arguments = self._embedding_arguments(prompt, metadata, router)
        else:  # counting tokens takes its time
            arguments = await asyncio.to_thread(self._embedding_arguments, prompt, metadata, router)
        response = await asyncio.wait_for(embed(**arguments), self.embedding_timeout)
        return response["data"][0]["embedding"]

    # Embedding --------------------------------------------------------------------------------------------------------

    def _router(self):
        """The proxy's Router, where it has a deployment of this very name."""
        proxy = sys.modules.get("litellm.proxy.proxy_server")  # not imported here: only a proxy has one
        router = getattr(proxy, "llm_router", None)
        if router is None:
            return None
        names = [model.get("model_name") for model in getattr(proxy, "llm_model_list", None) or ()]
        return router if self.embedding_model in names else None

    def _max_tokens(self, router):
        if self.embedding_max_input_tokens is not None or router is None:
            return self.embedding_max_input_tokens
        limits = getattr(router, "get_configured_token_limits", None)
        return None if limits is None else limits(self.embedding_model)[0]

    def _embedding_arguments(self, prompt, metadata, router):
        limit = self._max_tokens(router)
        if limit is not None:
            tokens = litellm.encode(model=self.embedding_model, text=prompt)
            if len(tokens) > limit:
                prompt = litellm.decode(model=self.embedding_model, tokens=tokens[:limit])
        arguments = dict(
            model=self.embedding_model,
            input=prompt,
            cache=dict(_NO_CACHE),
            timeout=self.embedding_timeout,
            num_retries=0,
        )
        if router is not None:
            arguments["metadata"] = {**(metadata or {}), "semantic-cache-embedding": True}
        return arguments

    def _embed(self, question, kwargs):
        """The prompt's vector; None where the core embeds by itself."""
        if self._is_local:
            return None
        self._before_embedding()
        try:
            vector = self._get_embedding(question.prompt, metadata=kwargs.get("metadata"))
        except Exception as failure:
            raise self._embedding_failed(failure) from failure
        return self._embedded(vector)

    async def _async_embed(self, question, kwargs):
        if self._is_local:
            return None
        self._before_embedding()
        try:
            vector = await self._get_async_embedding(question.prompt, metadata=kwargs.get("metadata"))
        except Exception as failure:
            raise self._embedding_failed(failure) from failure
        return self._embedded(vector)

    def _before_embedding(self):
        self._core.set_max_input_tokens(self._max_tokens(self._router()) or 0)
        if self._upstream:
            return
        if not self._embedding_pause.allows():
            raise UnavailableError("the embedding model failed a moment ago and is left alone for now")
        if not self._search_pause.allows():  # no embedding is paid for that cannot be used
            raise UnavailableError("the index could not be used a moment ago and is left alone for now")

    def _embedded(self, vector):
        self._embedding_pause.succeeded()
        self._core.count_embedding()
        return array.array("f", vector)

    def _embedding_failed(self, failure):
        """The failure in our words, which may be logged: those of others may hold prompts and secrets."""
        if getattr(failure, "status_code", None) not in _REFUSED:
            self._embedding_pause.failed()
        return UnavailableError(
            f"the embedding model {self.embedding_model} cannot be asked ({type(failure).__name__}): give this process what its provider "
            f'needs, such as OPENAI_API_KEY, or embed here without a provider, by embedding_model="{_DEFAULT_LOCAL}"; '
            "all that share an index must use the same model"
        )

    # Finding and storing ----------------------------------------------------------------------------------------------

    def _begin(self):
        """What a process has for itself: locks above all, which somebody may have held when it was forked."""
        self._recent = _RecentVectors()
        self._embedding_pause = Pause(trial=self.embedding_timeout)
        self._search_pause = Pause(trial=self.embedding_timeout)
        self._unreachable = False  # Redis, when last asked for an exact entry
        self._warned = -_WARN_EVERY

    def _question(self, key, kwargs):
        return self._core.question(str(key), request_json(kwargs))

    async def _async_question(self, key, kwargs):
        if is_large(kwargs):  # an image of megabytes takes its time to read
            return await asyncio.to_thread(self._question, key, kwargs)
        return self._question(key, kwargs)

    def _find(self, key, kwargs):
        question = self._question(key, kwargs)
        if question is None:
            return None
        vector = self._recent.get(question.id)
        if vector is not None or self._is_local:
            return self._core.find(question, vector)
        answer = None if self._upstream else self._exact(question)
        if answer is not None or question.same_text_only:
            return answer
        vector = self._embed(question, kwargs)
        self._remember(question, vector)
        with self._search():
            answer = self._core.find_near(question, vector)
        return answer

    async def _async_find(self, key, kwargs):
        question = await self._async_question(key, kwargs)
        if question is None:
            return None
        vector = self._recent.get(question.id)
        if vector is not None or self._is_local:
            return await self._call(self._core.find, question, vector)
        answer = None if self._upstream else await self._async_exact(question)
        if answer is not None or question.same_text_only:
            return answer
        vector = await self._async_embed(question, kwargs)
        self._remember(question, vector)
        with self._search():
            answer = await self._call(self._core.find_near, question, vector)
        return answer

    def _exact(self, question):
        try:
            answer = self._core.find_exact(question)
        except Error:
            self._unreachable = True
            raise
        self._unreachable = False
        return answer

    async def _async_exact(self, question):
        try:
            answer = await self._call(self._core.find_exact, question)
        except Error:
            self._unreachable = True
            raise
        self._unreachable = False
        return answer

    async def _async_store(self, name, items, kwargs):
        try:
            if is_large(kwargs):
                writes = await asyncio.to_thread(self._writes, items, kwargs)
            else:
                writes = self._writes(items, kwargs)
            if not writes:
                return
            vector = self._known_vector(writes)
            if vector is None:
                if self._unreachable:
                    await self._async_exact(writes[0][0])
                vector = await self._async_embed(writes[0][0], kwargs)
            with self._search():
                await self._call(self._core.store, self._with_vector(writes, vector))
        except Exception as failure:
            self._failed(name, failure)

    def _writes(self, items, kwargs):
        """(question, text, ttl) of each item that can be stored."""
        ttl = self._get_ttl(**kwargs)
        writes = []
        for key, value, *_ in items:
            try:
                question = self._question(key, kwargs)
            except UnicodeEncodeError:  # a key of lone surrogates: no text that Redis could hold
                question = None
            text = None if question is None else str(value) if self._upstream else _stored_text(value)
            if text is not None:
                writes.append((question, text, ttl))
        return writes

    @staticmethod
    def _with_vector(writes, vector):
        return [(question, vector, text, ttl) for question, text, ttl in writes]

    def _remember(self, question, vector):
        if not self._upstream:
            self._recent.put(question.id, vector)

    def _known_vector(self, writes):
        return next(filter(None, (self._recent.get(question.id) for question, _, _ in writes)), None)

    def _opened(self, answer):
        """(similarity, value) of what was found."""
        if answer is None:
            self._core.count(None)
            return 0.0, None
        value = self._get_cache_logic(answer.stored)
        if value is None and not self._upstream:
            self._core.count(None)
            return 0.0, None
        self._core.count(answer)
        return answer.similarity, value

    def _tell(self, kwargs, similarity):
        if self._upstream:
            kwargs.setdefault("metadata", {})["semantic-similarity"] = similarity
            return
        metadata = kwargs.get("metadata")
        if isinstance(metadata, collections.abc.MutableMapping):
            metadata["semantic-similarity"] = similarity

    def _search(self):
        return _Watched(self._search_pause)

    async def _call(self, method, *arguments):
        """Runs a method of the core and waits without blocking the event loop."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        method(*arguments, functools.partial(loop.call_soon_threadsafe, _settle, future))
        return await future

    def _failed(self, name, failure):
        """Counts a failure and logs what it is: neither prompts nor secrets, which other libraries' messages may hold."""
        self._core.count_fault()
        what = str(failure) if isinstance(failure, Error) else "see its own log"
        now = time.monotonic()
        level = logging.DEBUG
        if now - self._warned >= _WARN_EVERY:
            self._warned, level = now, logging.WARNING
        _logger.log(level, "%s went on without the cache: %s: %s", name, type(failure).__name__, what)


class _Watched:
    """Reports how a use of the index ended."""

    def __init__(self, pause):
        self._pause = pause

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self._pause.succeeded()
        elif issubclass(kind, Error):
            self._pause.failed()


def _settle(future, outcome):
    if future.done():  # the caller was cancelled
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _stored_text(value):
    """JSON where it reads back as the same value, which every LiteLLM reads at once; else str(value), as upstream stores.

    None: nothing that would ever be read back, or a vector, which is no answer to a text that is only similar.
    """
    text = _json_text(value)
    if text is None:
        text = str(value)
        if not _reads_back(text):
            return None
    return None if _core.is_embedding(text) else text


def _json_text(value):
    if isinstance(value, str) and _reads_back(value):
        return value
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return None
    if _is_plain_envelope(value) or isinstance(value, str):
        return text
    back = json.loads(text)
    return text if back == value or repr(back) == repr(value) else None  # NaN is not equal to itself


def _is_plain_envelope(value):
    return type(value) is dict and value.keys() == {"timestamp", "response"} and isinstance(value["response"], str)


def _reads_back(text):
    try:
        return compat.read_value(text) is not None
    except Exception:
        return False


# Forking and ending ---------------------------------------------------------------------------------------------------

_caches = weakref.WeakSet()


def _after_fork():
    for cache in list(_caches):
        cache._begin()


def _at_exit():
    """Calls under way end while Python can still hear of it."""
    for cache in list(_caches):
        cache.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)


# Into LiteLLM ---------------------------------------------------------------------------------------------------------


def _upstream_class():
    from litellm.caching.redis_semantic_cache import RedisSemanticCache as upstream

    return upstream


def install():
    """Makes every `litellm.Cache(type="redis-semantic", …)`, made before or after, use sosie.

    A cache made before keeps its settings; those that upstream dropped are lost. To be called as often as one likes.
    """
    upstream = _upstream_class()
    for module in (sys.modules["litellm.caching.caching"], sys.modules["litellm.caching"]):
        module.RedisSemanticCache = RedisSemanticCache
    present = getattr(litellm, "cache", None)
    if present is not None and type(present.cache) is upstream:
        old = present.cache
        present.cache = RedisSemanticCache(
            redis_url=old._redis_url,
            similarity_threshold=old.similarity_threshold,
            embedding_model=old.embedding_model,
            index_name=old._index_name,
            embedding_max_input_tokens=getattr(old, "embedding_max_input_tokens", None),
            embedding_timeout=getattr(old, "embedding_timeout", None),
        )


def uninstall():
    """Makes later caches use LiteLLM's own class again."""
    for module in (sys.modules["litellm.caching.caching"], sys.modules["litellm.caching"]):
        module.RedisSemanticCache = _upstream_class()


def enable(*, embedding_model=None, index_name=None, **settings):
    """Sets `litellm.cache` to a semantic cache by sosie and returns it.

    `settings`: of RedisSemanticCache and of `litellm.Cache` (ttl, namespace, mode, supported_call_types, max_messages, …).
    Calls of `embedding` are not cached unless `supported_call_types` says so: a similar text's vector is not this text's.
    """
    from litellm.caching.caching import Cache

    install()
    if embedding_model is not None:
        settings["redis_semantic_cache_embedding_model"] = embedding_model
    if index_name is not None:
        settings["redis_semantic_cache_index_name"] = index_name
    cache = Cache(type="redis-semantic", **settings)
    if "supported_call_types" not in settings:
        cache.supported_call_types = [
            kind for kind in cache.supported_call_types if kind not in ("embedding", "aembedding")
        ]
    litellm.cache = cache
    return cache


def __getattr__(name):
    if name != "proxy":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Named in a proxy's config.yaml: what the proxy looks for there is a logger; that it was looked for is what matters.
    from litellm.integrations.custom_logger import CustomLogger

    install()
    globals()["proxy"] = CustomLogger()
    return globals()["proxy"]
