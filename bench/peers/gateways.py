#!/usr/bin/env python3
"""`sosie serve` beside other gateways with a cache: the same requests, the same upstream that answers at once, in turns.

  build/bench-venv/bin/python bench/peers/gateways.py [--build build/release] [--litellm build/bench-venv/bin/litellm] [--ferrogw PATH] [--redis HOME]

LiteLLM's proxy: one worker, its redis-semantic cache on a Redis of HOME (bin/redis-server, lib/redisearch.so), vectors from a second `sosie serve`, whose encoder
is the same as ours; the CPU time of all three is counted. ferrogw: the Ferro Labs AI Gateway, compiled Go from the wheel of that name, with its response cache, which finds the very same request alone. A
peer that is not there is left out, and said so.
"""

import argparse
import contextlib
import itertools
import json
import os
import pathlib
import secrets
import socket
import sys
import tempfile
import time
import urllib.request

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]), str(pathlib.Path(__file__).resolve().parents[2] / "tests")]
from redis_process import Redis  # noqa: E402
from servers import ROOT, Server, add_options, binary, load, median, serve, unlike_questions  # noqa: E402

MODEL = "gpt-4o-mini"  # A name that every gateway knows.
QUESTION = "How do I reset my password?"
WORDINGS = ["How can I reset my password?", "How could I reset my password?", "How do I reset the password?", "How do you reset my password?", "How to reset my password?"]
LITELLM = """
model_list:
  - model_name: {model}
    litellm_params: {{model: openai/{model}, api_base: "{upstream}/v1", api_key: sk-none}}
  - model_name: embedder
    litellm_params: {{model: openai/all-MiniLM-L6-v2, api_base: "{encoder}/v1", api_key: sk-none}}
litellm_settings:
  cache: true
  cache_params:
    type: redis-semantic
    redis_url: {redis}
    similarity_threshold: 0.85
    redis_semantic_cache_index_name: bench
    redis_semantic_cache_embedding_model: embedder
"""
PLUGIN = "  - {{name: response-cache, type: transform, stage: {stage}, enabled: true, config: {{max_age: 86400, max_entries: 100000}}}}\n"
FERROGW = "strategy: {mode: single}\ntargets: [{virtual_key: openai}]\nplugins:\n" + "".join(PLUGIN.format(stage=s) for s in ("before_request", "after_request"))


class Gateway:
    """What is asked, and every process that works for it."""

    def __init__(self, server, key, helpers=()):
        self.server, self.helpers = server, helpers
        self.headers = (f"Authorization: Bearer {key}",)
        self.port = server.port

    def cpu_seconds(self):
        return sum(one.cpu_seconds() for one in (self.server, *self.helpers))

    def load(self, arguments, *options, **more):
        own = self.server.cpu_seconds()
        seen = load(arguments, self, *options, headers=self.headers, **more)
        seen["own_cpu_us"] = (self.server.cpu_seconds() - own) / max(1, seen["answered"]) * 1e6
        return seen


class RedisProcess:
    def __init__(self, redis):
        self.process = redis.process

    cpu_seconds = Server.cpu_seconds


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_up(server, path, log):
    until = time.monotonic() + 180
    while True:
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(server.url + path, timeout=5):
                return
        assert server.process.poll() is None and time.monotonic() < until, pathlib.Path(log).read_text()[-3000:]
        time.sleep(0.2)


def start_litellm(arguments, running, stub, folder):
    if not arguments.litellm.exists() or not (arguments.redis / "bin/redis-server").exists():
        return print(f"LiteLLM is left out: {arguments.litellm} or the Redis in {arguments.redis} is not there")
    redis = Redis(arguments.redis, [], search=True)
    redis.start()
    running.callback(redis.remove)
    encoder = running.enter_context(serve(arguments, stub, folder + "/encoder"))
    pathlib.Path(folder, "config.yaml").write_text(LITELLM.format(model=MODEL, upstream=stub.url, encoder=encoder.url, redis=redis.url))
    port, key, log = free_port(), "sk-" + secrets.token_hex(16), folder + "/litellm.log"
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": key, "LITELLM_LOG": "ERROR"}
    command = [arguments.litellm, "--config", "config.yaml", "--host", "127.0.0.1", "--port", port]
    server = running.enter_context(Server(*command, url=f"http://127.0.0.1:{port}", env=env, cwd=folder, log=open(log, "w")))
    wait_until_up(server, "/health/liveliness", log)
    return Gateway(server, key, (RedisProcess(redis), encoder))


def start_ferrogw(arguments, running, stub, folder):
    if not arguments.ferrogw.exists():
        return print(f"ferrogw is left out: {arguments.ferrogw} is not there")
    pathlib.Path(folder, "ferrogw.yaml").write_text(FERROGW)
    port, log = free_port(), folder + "/ferrogw.log"
    env = {"PORT": str(port), "GATEWAY_CONFIG": "ferrogw.yaml", "OPENAI_BASE_URL": stub.url + "/v1", "OPENAI_API_KEY": "sk-none", "MASTER_KEY": "fgw_" + secrets.token_hex(16)}
    env |= {"ALLOW_UNAUTHENTICATED_PROXY": "true", "FERRO_MODEL_CATALOG_TIMEOUT": "0", "LOG_LEVEL": "error", "RATE_LIMIT_RPS": "1000000", "RATE_LIMIT_BURST": "1000000"}
    server = running.enter_context(Server(arguments.ferrogw, "serve", url=f"http://127.0.0.1:{port}", env=env, cwd=folder, log=open(log, "w")))
    wait_until_up(server, "/v1/models", log)
    return Gateway(server, "none")


def body(question):
    return {"model": MODEL, "temperature": 0, "messages": [{"role": "user", "content": question}]}


def calls(stub):
    with urllib.request.urlopen(stub.url + "/calls") as answer:
        return int(answer.read())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--litellm", type=pathlib.Path, default=pathlib.Path(sys.executable).with_name("litellm"))
    parser.add_argument("--ferrogw", type=pathlib.Path, default=pathlib.Path(sys.executable).with_name("ferrogw"))
    parser.add_argument("--redis", type=pathlib.Path, default=pathlib.Path(os.environ.get("SOSIE_REDIS_HOME", pathlib.Path.home() / ".cache/sosie/redis-7.4")))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--connections", default="1,16")
    arguments = parser.parse_args()
    arguments.litellm, arguments.ferrogw = arguments.litellm.absolute(), arguments.ferrogw.absolute()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        stub = running.enter_context(Server(binary(arguments, "stub_upstream")))
        gateways = {
            "sosie": Gateway(running.enter_context(serve(arguments, stub, folder + "/data")), "bench-key"),
            "LiteLLM": start_litellm(arguments, running, stub, folder),
            "ferrogw": start_ferrogw(arguments, running, stub, folder),
        }
        gateways = {name: gateway for name, gateway in gateways.items() if gateway}
        rows = measure(arguments, stub, gateways)
        for name, gateway in gateways.items():
            resident, _ = gateway.server.memory_mb()
            print(f"{name}: {resident:.0f} MB resident")
            rows.append({"gateway": name, "rss_mb": round(resident, 1)})
    print(json.dumps({"bench": "gateways", "rows": rows}))


def measure(arguments, stub, gateways):
    for gateway in gateways.values():  # The entry, and what is made at the first request.
        for _ in range(3):
            gateway.load(arguments, "--requests", 1, "--connections", 1, body=body(QUESTION))
            time.sleep(0.5)
    rows, seed = [], 0
    kinds = {"exact hit": [body(QUESTION)], "hit, other words": [body(words) for words in WORDINGS], "miss": None}
    for what, connections in itertools.product(kinds, map(int, arguments.connections.split(","))):
        rounds = {}
        for _ in range(arguments.rounds):
            for name, gateway in gateways.items():
                if name == "ferrogw" and what == "hit, other words":
                    continue
                seed += 1
                bodies = kinds[what] or [body(question) for question in unlike_questions(20_000, seed)]
                before = calls(stub)
                seen = gateway.load(arguments, "--seconds", arguments.seconds, "--connections", connections, bodies=bodies)
                seen["upstream"] = (calls(stub) - before) / seen["answered"]
                rounds.setdefault(name, []).append(seen)
        for name, seen in rounds.items():
            row = {"what": what, "connections": connections, "gateway": name}
            row |= {key: round(median(seen, key), 4) for key in ("rate", "p50_us", "p99_us", "own_cpu_us", "cpu_us", "upstream")}
            rows.append(row)
            print(
                "{what:16} {connections:2}  {gateway:8} {rate:9,.0f}/s  p50 {p50_us:8.0f} us  p99 {p99_us:8.0f} us  CPU {own_cpu_us:7.0f} us, all processes {cpu_us:7.0f}; "
                "upstream calls a request {upstream:.3f}".format(**row), flush=True
            )  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
