"""A real Redis with the search module, and an OpenAI-compatible endpoint with real embeddings."""

import itertools
import json
import os
import pathlib
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else its import waits for a download

REDIS_HOME = pathlib.Path(
    os.environ.get("SOSIE_REDIS_HOME")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "sosie/redis-7.4"
)


class Redis:
    """redis-server on a free port of loopback, without a disk; `kill` and `start` again keep the port."""

    def __init__(self, folder, *arguments):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self._folder, self._arguments, self._process = folder, arguments, None
        self.start()

    def start(self):
        self._process = subprocess.Popen(
            [REDIS_HOME / "bin/redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", self._folder,
             "--loadmodule", REDIS_HOME / "lib/redisearch.so", *self._arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as answering:
                    answering.sendall(b"PING\r\n")
                    if answering.recv(64)[:5] in (b"+PONG", b"-NOAU"):
                        return
            except OSError:
                pass
            time.sleep(0.02)
        raise RuntimeError("redis-server does not answer")

    def kill(self):
        self._process.kill()
        self._process.wait()

    def client(self, **settings):
        import redis

        return redis.Redis(port=self.port, **settings)


@pytest.fixture(scope="session")
def start_redis(tmp_path_factory):
    """start_redis("--requirepass", "…") -> Redis, killed at the end."""
    if not (REDIS_HOME / "bin/redis-server").exists():
        pytest.skip("no Redis to test against: run script/bootstrap --with-tests")
    started = []

    def start(*arguments):
        started.append(Redis(tmp_path_factory.mktemp("redis"), *arguments))
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture(scope="session")
def redis_server(start_redis):
    """One server for all tests that leave it alive; each test takes an index of its own."""
    return start_redis()


_numbers = itertools.count()


@pytest.fixture
def index_name():
    return f"test{next(_numbers)}idx"


@pytest.fixture(scope="session")
def encoder():
    sosie = pytest.importorskip("sosie")
    return sosie.LocalEncoder()


class EmbeddingEndpoint:
    """POST /v1/embeddings with the local encoder's vectors. `requests` are the bodies; `status`, `delay` make it fail."""

    def __init__(self, encoder):
        self.requests, self.status, self.delay = [], 200, 0.0
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.requests.append(body)
                time.sleep(endpoint.delay)
                texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
                answer = {"error": {"message": "no: " + texts[0], "type": "test", "code": None, "param": None}}
                if endpoint.status == 200:
                    vectors = [one.vector for one in encoder.embed(texts)]
                    answer = {
                        "object": "list",
                        "model": body["model"],
                        "data": [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)],
                        "usage": {"prompt_tokens": 1, "total_tokens": 1},
                    }
                data = json.dumps(answer).encode()
                self.send_response(endpoint.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                try:
                    self.wfile.write(data)
                except OSError:
                    pass  # the caller gave up

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def texts(self):
        """Every text that was asked for, in order."""
        return [
            text
            for body in self.requests
            for text in (body["input"] if isinstance(body["input"], list) else [body["input"]])
        ]

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def endpoint(encoder, monkeypatch):
    """What litellm.embedding(model="text-embedding-ada-002") asks."""
    made = EmbeddingEndpoint(encoder)
    for name in ("OPENAI_API_BASE", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, made.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    yield made
    made.close()
