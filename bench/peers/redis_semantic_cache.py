#!/usr/bin/env python3
"""sosie's RedisSemanticCache beside LiteLLM's: one Redis, one index, the same vectors, in turns, in one run.

    python bench/peers/redis_semantic_cache.py [--entries 1000,10000,100000] [--rounds 7] [--parts calls,flight,hnsw,python]
                                               [--bench build/release/bin/redis_cache_bench]

Needs bench/peers/requirements.txt and the test Redis (script/bootstrap --with-tests); starts its own on a free port of 127.0.0.1.
All entries have one litellm_cache_key, an answer of about 600 bytes in LiteLLM's form, and a vector of 384 floats. Nothing is
embedded during the calls: both sides get a question's vector at once. LiteLLM's class is measured twice: as installed, where only
`litellm.embedding` is replaced, and with its "step cut out", where its own methods around that call are replaced, too. (They try
to import the proxy server at each call, which takes milliseconds and fails where litellm is installed without its proxy extra.)

Vectors are those of real questions where $SOSIE_DATA names their folder (embedded once by `sosie embed`, kept in the folder for
temporary files), with noisy copies up to the number of entries; else random.

The server's own time is that of INFO latencystats, its median a command, reset before each turn and summed over the commands of
a call. Medians over all rounds are printed; the last line is JSON.
"""

import argparse
import asyncio
import hashlib
import importlib.metadata
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("OPENAI_API_KEY", "none")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # Before NumPy loads its BLAS.

import litellm
import numpy as np
import redis
from litellm.caching.redis_semantic_cache import RedisSemanticCache as Upstream

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIMENSION = 384
THRESHOLD = 0.8
RADIUS = "0.19999999999999996"  # 1 - THRESHOLD, as Python writes it
KEY = hashlib.sha256(b"bench").hexdigest()  # LiteLLM's keys are such
IN_FLIGHT = 64


def median(values):
    return statistics.median(values) if values else float("nan")


# Questions ----------------------------------------------------------------------------------------------------------------------


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("<f4")


def noisy(rng, vectors, size):
    """Cosine to the original: 1 / sqrt(1 + size^2)."""
    return unit(vectors + size * unit(rng.standard_normal(vectors.shape, dtype=np.float32)))


def real_questions(binary):
    """Different questions of real users with their vectors; none without $SOSIE_DATA."""
    folder = os.environ.get("SOSIE_DATA")
    file = pathlib.Path(folder or "", "stream.jsonl")
    if not folder or not file.exists():
        return [], None
    texts = list(dict.fromkeys(" ".join(json.loads(line)["q"].split()) for line in open(file, encoding="utf-8")))
    stem = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    kept = pathlib.Path(tempfile.gettempdir(), f"sosie-bench-{stem}.npy")
    if not kept.exists():
        print(f"embedding {len(texts)} questions, once", file=sys.stderr)
        done = subprocess.run([binary, "embed"], input="\n".join(texts), capture_output=True, text=True, check=True)
        np.save(kept, unit(np.array([line.split() for line in done.stdout.splitlines()], dtype=np.float32)))
    return texts, np.load(kept)


def random_questions(rng, count):
    centres = rng.standard_normal((max(1, count // 100), DIMENSION), dtype=np.float32)
    vectors = unit(centres[rng.integers(0, len(centres), count)] + 0.7 * rng.standard_normal((count, DIMENSION), dtype=np.float32))
    return [f"What is the answer to question {row} of this random collection?" for row in range(count)], vectors


class Questions:
    """Texts and vectors, in a file that the C++ side reads, too."""

    def __init__(self, folder, name, texts, vectors):
        self.name, self.texts, self.vectors = name, texts, vectors
        self.lists = None
        with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as out:
            for text in texts:
                out.write(json.dumps({"messages": self.messages(text)}, ensure_ascii=False) + "\n")
        vectors.astype("<f4").tofile(folder / f"{name}.f32")

    @staticmethod
    def messages(text):
        return [{"role": "user", "content": text}]

    def __len__(self):
        return len(self.texts)

    def calls(self, first, count):
        """(text, messages), made ready outside the clock."""
        return [(self.texts[i % len(self)], self.messages(self.texts[i % len(self)])) for i in range(first, first + count)]


def answer(row):
    """As in redis_cache_bench.cc."""
    words = ""
    while len(words) < 380:
        words += "Open the settings, choose the account, and follow the link that says how it is done. "
    return (
        f'{{"id":"chatcmpl-{row}","created":1795000000,"model":"gpt-4o-mini","object":"chat.completion","choices":[{{"finish_reason":'
        f'"stop","index":0,"message":{{"content":"{words}","role":"assistant"}}}}],"usage":{{"completion_tokens":80,"prompt_tokens":12,'
        f'"total_tokens":92}}}}'
    )


def row_of(value):
    """-1: a miss."""
    found = re.search(r"chatcmpl-(\d+)", value["response"]) if value else None
    return int(found[1]) if found else -1


# The server ---------------------------------------------------------------------------------------------------------------------


class Server:
    def __init__(self):
        cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
        self.home = pathlib.Path(os.environ.get("SOSIE_REDIS_HOME") or cache / "sosie/redis-7.4")
        if not (self.home / "lib/redisearch.so").exists():
            raise SystemExit("no test Redis: run script/bootstrap --with-tests, or let SOSIE_REDIS_HOME name its folder")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = tempfile.TemporaryDirectory(prefix="sosie-bench-redis-")
        self.process = subprocess.Popen(
            [
                self.home / "bin/redis-server",
                "--bind",
                "127.0.0.1",
                "--port",
                str(self.port),
                "--save",
                "",
                "--dir",
                self.folder.name,
            ]
            + ["--loadmodule", self.home / "lib/redisearch.so"],
            stdout=subprocess.DEVNULL,
        )
        self.url = f"redis://127.0.0.1:{self.port}"
        self.client = redis.Redis(port=self.port, socket_timeout=600)
        for _ in range(200):
            try:
                self.client.ping()
                return
            except redis.exceptions.ConnectionError:
                time.sleep(0.05)
        raise SystemExit("the test Redis does not start")

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def reset(self):
        self.client.config_resetstat()

    def own_time(self):
        """Median microseconds and calls of each command since the reset."""
        calls = {name.removeprefix("cmdstat_").upper(): stat["calls"] for name, stat in self.client.info("commandstats").items()}
        times = {}
        for name, stat in self.client.info("latencystats").items():
            command = name.removeprefix("latency_percentiles_usec_").upper()
            times[command] = (float(stat["p50"]), calls.get(command, 0))
        return times

    def cpu(self):
        """Microseconds that the server's main thread has run."""
        return int(pathlib.Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1000

    def fill(self, index, questions, response_of, key):
        """The fields that LiteLLM's class stores, in large pipelines."""
        for start in range(0, len(questions), 1000):
            pipeline = self.client.pipeline(transaction=False)
            for row in range(start, min(start + 1000, len(questions))):
                id = entry_id(questions.texts[row], key)
                fields = dict(entry_id=id, prompt=questions.texts[row], response=response_of(row))
                fields.update(prompt_vector=questions.vectors[row].tobytes(), inserted_at=1795000000.5, updated_at=1795000000.5)
                pipeline.hset(f"{index}:{id}", mapping={**fields, "litellm_cache_key": key})
            pipeline.execute()

    def remove(self, index, texts):
        self.client.unlink(*(f"{index}:{entry_id(text)}" for text in texts))

    def wait_indexed(self, index):
        while float(self.client.ft(index).info()["percent_indexed"]) < 1:
            time.sleep(0.2)

    def flood(self, index, vector, count):
        """Answers a second that redis-benchmark gets to LiteLLM's query, the vector last as it comes from standard input."""
        query = "@prompt_vector:[VECTOR_RANGE $distance_threshold $vector]=>{$YIELD_DISTANCE_AS: vector_distance} "
        query += f"(@litellm_cache_key:{{{KEY}}})"
        words = [
            "FT.SEARCH",
            index,
            query,
            "RETURN",
            "8",
            "entry_id",
            "prompt",
            "response",
            "inserted_at",
            "updated_at",
            "metadata",
        ]
        words += ["litellm_cache_key", "vector_distance", "SORTBY", "vector_distance", "ASC", "DIALECT", "2", "LIMIT", "0", "1"]
        words += ["PARAMS", "4", "distance_threshold", RADIUS, "vector"]
        done = subprocess.run(
            [
                self.home / "bin/redis-benchmark",
                "-p",
                str(self.port),
                "-c",
                str(IN_FLIGHT),
                "-P",
                "1",
                "-n",
                str(count),
                "--csv",
                "-x",
                *words,
            ],
            input=vector.tobytes(),
            capture_output=True,
            check=True,
        )
        return float(done.stdout.decode(errors="replace").splitlines()[-1].split('","')[1])


def entry_id(text, key=KEY):
    return hashlib.sha256(f"{text}litellm_cache_key{key}".encode()).hexdigest()


def stored_answer(row):
    """As LiteLLM's class writes it: Python's repr."""
    return str({"timestamp": 1795000000.5, "response": answer(row)})


# The contestants ----------------------------------------------------------------------------------------------------------------


class Sosie:
    def __init__(self, binary, server, folder):
        self.process = subprocess.Popen(
            [binary, str(server.port), str(folder), str(DIMENSION)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("redis_cache_bench ended")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class LiteLLM:
    """LiteLLM's class; `vectors`: its own methods that embed are replaced by a look into them."""

    loop = asyncio.new_event_loop()

    def __init__(self, url, index, vectors=None):
        self.cache = Upstream(redis_url=url, similarity_threshold=THRESHOLD, index_name=index)
        if vectors is not None:
            cut_out_embedding(self.cache, vectors)
        self.cache.llmcache  # makes the index

    def get(self, calls):
        times, rows = [], []
        for _, messages in calls:
            start = time.perf_counter()
            value = self.cache.get_cache(KEY, messages=messages)
            times.append((time.perf_counter() - start) * 1e6)
            rows.append(row_of(value))
        return {"us": times, "rows": rows}

    def set(self, calls, first):
        times = []
        for row, (_, messages) in enumerate(calls, first):
            value = {"timestamp": time.time(), "response": answer(row)}
            start = time.perf_counter()
            self.cache.set_cache(KEY, value, messages=messages)
            times.append((time.perf_counter() - start) * 1e6)
        return {"us": times}

    def flood(self, calls):
        async def run():
            left, hits = iter(calls), 0

            async def caller():
                nonlocal hits
                for _, messages in left:
                    found = await self.cache.async_get_cache(KEY, messages=messages)
                    hits += found is not None

            start = time.perf_counter()
            await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
            return {"seconds": time.perf_counter() - start, "hits": hits}

        return self.loop.run_until_complete(run())


def replace_model(vectors):
    """`vectors` also knows the text with which RedisVL learns the dimension."""

    def embedding(model, input, **_):
        return {"data": [{"embedding": vectors[input]}]}

    async def aembedding(model, input, **_):
        return embedding(model, input)

    litellm.embedding, litellm.aembedding = embedding, aembedding


def cut_out_embedding(cache, vectors):
    async def embed(prompt, metadata=None):
        return vectors[prompt]

    cache._get_embedding = lambda prompt, metadata=None: vectors[prompt]
    cache._get_async_embedding = embed


# What is measured ---------------------------------------------------------------------------------------------------------------


class Table:
    """Samples by name, over all rounds."""

    def __init__(self, server):
        self.server, self.samples, self.own = server, {}, {}

    def turn(self, name, commands, run):
        self.server.reset()
        done = run()
        times = self.server.own_time()
        self.samples.setdefault(name, []).extend(done["us"])
        calls = len(done["us"])
        own = {command: times[command] for command in commands if command in times}
        # A command that only some calls need counts as often as it was needed.
        self.own.setdefault(name, []).append(sum(us * min(1.0, count / calls) for us, count in own.values()))
        return done

    def ms(self, name):
        return median(self.samples[name]) / 1000

    def own_ms(self, name):
        return median(self.own[name]) / 1000


def expect_hits(who, rows):
    hits = sum(row >= 0 for row in rows)
    if hits < 0.98 * len(rows):
        raise SystemExit(f"{who}: only {hits} of {len(rows)} questions found an entry: this run compares nothing")


def measure_calls(bench, entries, report):
    server, sosie, theirs, cut = bench.server, bench.sosie, bench.theirs[entries], bench.cut[entries]
    index, name = bench.index(entries), f"flat{entries}"
    table = Table(server)
    count = bench.arguments.calls if entries < 50_000 else max(10, bench.arguments.calls // 4)
    for turn in range(bench.arguments.rounds + 1):
        if turn == 1:
            table = Table(server)  # the first round only warms up
        first = turn * count
        near, same, fresh = bench.near[entries], bench.stored[entries], bench.fresh
        done = table.turn("get", ("FT.SEARCH", "HMGET"), lambda: sosie.ask("get", name, KEY, near.name, first, count))
        expect_hits("sosie", done["rows"])
        table.turn("bare get", ("FT.SEARCH",), lambda: sosie.ask("bare", "search", index, KEY, near.name, first, count, RADIUS))
        other = table.turn("their get", ("FT.SEARCH",), lambda: theirs.get(near.calls(first, count)))
        expect_hits("LiteLLM", other["rows"])
        if sum(a != b for a, b in zip(done["rows"], other["rows"])) > 0.02 * count:
            raise SystemExit("the two answer from different entries: this run compares nothing")

        done = table.turn("repeat", ("HMGET",), lambda: sosie.ask("get", name, KEY, same.name, first, count))
        expect_hits("sosie", done["rows"])
        table.turn("bare repeat", ("HMGET",), lambda: sosie.ask("bare", "read", index, KEY, same.name, first, count, RADIUS))
        table.turn("their repeat", ("FT.SEARCH",), lambda: theirs.get(same.calls(first, count)))
        table.turn("cut get", ("FT.SEARCH",), lambda: cut.get(near.calls(first, count)))
        table.turn("cut repeat", ("FT.SEARCH",), lambda: cut.get(same.calls(first, count)))

        texts = [text for text, _ in fresh.calls(first, count)]
        for who, commands, run in (
            ("set", ("EXEC", "MULTI"), lambda: sosie.ask("set", name, KEY, fresh.name, first, count)),
            ("bare set", ("HSET",), lambda: sosie.ask("bare", "write", index, KEY, fresh.name, first, count, RADIUS)),
            ("their set", ("HSET",), lambda: theirs.set(fresh.calls(first, count), first)),
            ("cut set", ("HSET",), lambda: cut.set(fresh.calls(first, count), first)),
        ):
            table.turn(who, commands, run)
            server.remove(index, texts)

    print(f"\n{entries} entries, FLAT, one caller, p50 of {len(table.samples['get'])} calls, ms")
    print(
        f"{'':8}{'sosie':>9}{'server':>9}{'over it':>9}{'bare socket':>13}{'over it':>9}{'LiteLLM':>10}{'times':>7}{'step cut out':>14}{'times':>7}"
    )
    for call in ("get", "repeat", "set"):
        line = {"ms": table.ms(call), "server_ms": table.own_ms(call), "bare_ms": table.ms(f"bare {call}")}
        line |= {"over_ms": line["ms"] - line["server_ms"], "bare_over_ms": line["bare_ms"] - table.own_ms(f"bare {call}")}
        line |= {
            "litellm_ms": table.ms(f"their {call}"),
            "cut_ms": table.ms(f"cut {call}"),
            "litellm_server_ms": table.own_ms(f"cut {call}"),
        }
        line |= {"ratio": line["litellm_ms"] / line["ms"], "cut_ratio": line["cut_ms"] / line["ms"]}
        print(
            f"{call:8}{line['ms']:9.3f}{line['server_ms']:9.3f}{line['over_ms']:9.3f}{line['bare_ms']:13.3f}{line['bare_over_ms']:9.3f}"
            f"{line['litellm_ms']:10.3f}{line['ratio']:7.1f}{line['cut_ms']:14.3f}{line['cut_ratio']:7.1f}"
        )
        report[f"{call} {entries}"] = line
    get = report[f"get {entries}"]
    print(f"get takes {get['ms'] / get['server_ms']:.3f} times the server's own time")


def measure_flight(bench, entries, report):
    server, sosie, near = bench.server, bench.sosie, bench.near[entries]
    rates = {"sosie": [], "redis-benchmark": [], "LiteLLM": [], "step cut out": []}
    server_us = {name: [] for name in rates}
    for turn in range(bench.arguments.rounds + 1):
        first, vector = turn * 1000, near.vectors[turn]
        for name, count, run in (
            ("sosie", 2000, lambda n: sosie.ask("flood", f"flat{entries}", KEY, near.name, first, n, IN_FLIGHT)),
            ("redis-benchmark", 2000, lambda n: {"seconds": n / server.flood(bench.index(entries), vector, n), "hits": n}),
            ("LiteLLM", 200, lambda n: bench.theirs[entries].flood(near.calls(first, n))),
            ("step cut out", 200, lambda n: bench.cut[entries].flood(near.calls(first, n))),
        ):
            before = server.cpu()
            done = run(count)
            if done["hits"] < 0.98 * count:
                raise SystemExit(f"{name}, in flight: {done}: this run compares nothing")
            if turn > 0:  # the first round only warms up
                rates[name].append(count / done["seconds"])
                server_us[name].append((server.cpu() - before) / count)
    ratios = {name: median([ours / other for ours, other in zip(rates["sosie"], rates[name])]) for name in rates}
    print(f"\n{entries} entries, FLAT, {IN_FLIGHT} gets in flight")
    print(f"{'':18}{'answers/s':>10}{'server CPU, us an answer':>26}{'sosie gives, times':>20}  (median of the rounds' ratios)")
    for name, values in rates.items():
        print(f"{name:18}{median(values):10.0f}{median(server_us[name]):26.0f}{ratios[name]:20.2f}")
    report[f"flight {entries}"] = {
        name: {"rate": median(values), "server_us": median(server_us[name]), "ratio": ratios[name]}
        for name, values in rates.items()
    }


def nearest(stored, asked):
    """Rows and cosines of the true nearest, in double precision where it matters."""
    rows = np.concatenate([np.argmax(part @ stored.T, axis=1) for part in np.array_split(asked, max(1, len(asked) // 100))])
    return rows, np.einsum("ij,ij->i", asked.astype(np.float64), stored[rows].astype(np.float64))


def recall(questions, count, stored, rows):
    """A row as near as the true one counts: rounding may swap the two."""
    asked = questions.vectors[:count]
    _, best = nearest(stored, asked)
    rows = np.array(rows, dtype=int)
    cosines = np.where(
        rows < 0, -2, np.einsum("ij,ij->i", asked.astype(np.float64), stored[np.maximum(rows, 0)].astype(np.float64))
    )
    return float(np.mean(cosines >= best - 1e-6))


def measure_hnsw(bench, entries, report):
    server, sosie, theirs, cut = bench.server, bench.sosie, bench.theirs[entries], bench.cut[entries]
    near, held, stored, index = bench.near[entries], bench.held, bench.stored[entries].vectors, bench.index(entries)
    start = time.perf_counter()
    for name, threshold in (("hnsw", THRESHOLD), ("hnsw_any", 0)):
        sosie.ask("open", name, index, "hnsw", threshold)
        sosie.ask("get", name, KEY, near.name, 0, 1)  # makes the second index, or sees that it is there
        if name == "hnsw":
            server.wait_indexed(f"sosie_hnsw_{index}")
            build = time.perf_counter() - start
    time.sleep(1.1)  # the class looks once a second whether the index is whole
    sosie.ask("get", "hnsw", KEY, near.name, 0, 1)

    table, count = Table(server), bench.arguments.calls
    for turn in range(bench.arguments.rounds + 1):
        if turn == 1:
            table = Table(server)
        first = turn * count
        table.turn("get", ("FT.SEARCH", "HMGET"), lambda: sosie.ask("get", "hnsw", KEY, near.name, first, count))
        table.turn("their get", ("FT.SEARCH",), lambda: theirs.get(near.calls(first, max(10, count // 5))))
        table.turn("cut get", ("FT.SEARCH",), lambda: cut.get(near.calls(first, max(10, count // 5))))
        texts = [text for text, _ in bench.fresh.calls(first, count)]
        table.turn("set", ("EXEC", "MULTI"), lambda: sosie.ask("set", "hnsw", KEY, bench.fresh.name, first, count))
        server.remove(index, texts)
    recalls = {}
    for who, questions, name in (("near", near, "hnsw"), ("held", held, "hnsw_any")):
        rows = sosie.ask("get", name, KEY, questions.name, 0, len(questions))["rows"]
        recalls[who] = recall(questions, len(questions), stored, rows)
    line = {
        "ms": table.ms("get"),
        "server_ms": table.own_ms("get"),
        "litellm_ms": table.ms("their get"),
        "cut_ms": table.ms("cut get"),
    }
    line |= {"ratio": line["litellm_ms"] / line["ms"], "cut_ratio": line["cut_ms"] / line["ms"], "build_s": build}
    line |= {
        "recall_near": recalls["near"],
        "recall_held": recalls["held"],
        "set_ms": table.ms("set"),
        "set_server_ms": table.own_ms("set"),
    }
    print(f"\n{entries} entries, HNSW (built in {build:.0f} s beside the exact index), one caller, p50, ms")
    print(
        f"get: sosie {line['ms']:.3f} (server {line['server_ms']:.3f}), LiteLLM {line['litellm_ms']:.3f}: {line['ratio']:.1f} times, step cut out "
        f"{line['cut_ms']:.3f}: {line['cut_ratio']:.1f} times"
    )
    print(f"set: sosie {line['set_ms']:.3f} (server {line['set_server_ms']:.3f})")
    print(
        f"recall@1: {recalls['near']:.4f} of {len(near)} near questions; {recalls['held']:.4f} of {len(held)} questions that were never stored, "
        "however far"
    )
    report[f"hnsw {entries}"] = line


class InMemory(litellm.caching.base_cache.BaseCache):
    """Answers at once: what LiteLLM's own code around a cache costs."""

    def __init__(self):
        super().__init__()
        self.value = None

    def set_cache(self, key, value, **kwargs):
        self.value = value

    def get_cache(self, key, **kwargs):
        return self.value

    async def async_set_cache_pipeline(self, cache_list, **kwargs):
        """An abstract method that no completion here calls."""


def measure_python(bench, entries, report):
    """`litellm.completion(mock_response=…)` with caching on, every call a hit, beside a cache that answers at once."""
    try:
        import fastapi  # noqa: F401 - a hit of LiteLLM imports parts of its proxy
        import sosie.litellm
    except ImportError as why:
        print(f"\nlitellm.completion: skipped, for a module is not installed ({why})")
        return
    index, client = f"py{entries}", bench.server.client
    options = dict(redis_url=bench.server.url, similarity_threshold=THRESHOLD, index_name=index)
    backends = {"at once": InMemory(), "sosie": sosie.litellm.RedisSemanticCache(**options)}
    backends |= {"LiteLLM": Upstream(**options), "step cut out": Upstream(**options)}
    cut_out_embedding(backends["step cut out"], bench.vectors)
    backends["LiteLLM"].llmcache  # makes the index
    near, stored = bench.near[entries], bench.stored[entries]
    litellm.cache = litellm.Cache(type="local")  # its backend is replaced; the type decides what the key is made of
    litellm.cache.type = "redis-semantic"

    def complete(messages):
        return litellm.completion(model="gpt-4o-mini", messages=messages, mock_response="Open the settings. " * 20, caching=True)

    # The first answer is stored by LiteLLM itself; all others are the same under other texts, and its key.
    litellm.cache.cache = backends["LiteLLM"]
    complete(stored.messages(stored.texts[0]))
    key, value = client.hmget(
        f"{index}:{client.keys(f'{index}:*')[0].decode().rpartition(':')[2]}", "litellm_cache_key", "response"
    )
    bench.server.fill(index, stored, lambda row: value, key.decode())
    backends["at once"].value = backends["LiteLLM"]._get_cache_logic(value)

    count = bench.arguments.calls
    print(
        f"\nlitellm.completion, {entries} entries, every call a hit, p50, ms; above a cache that answers at once, how many times sosie's"
    )
    for label, questions in (("another wording", near), ("exact repeat", stored)):
        samples, ratios = {name: [] for name in backends}, {"LiteLLM": [], "step cut out": []}
        for turn in range(bench.arguments.rounds + 1):
            medians = {}
            for name, backend in backends.items():
                litellm.cache.cache = backend
                times = []
                for _, messages in questions.calls(turn * count, count):
                    start = time.perf_counter()
                    got = complete(messages)
                    times.append((time.perf_counter() - start) * 1e6)
                    time.sleep(0.003)  # LiteLLM logs on a thread; it would take the interpreter's lock from whoever lets go of it
                    if not got._hidden_params.get("cache_hit"):
                        raise SystemExit(f"{name}: a completion missed: this run compares nothing")
                medians[name] = median(times)
                if turn > 0:  # the first round only warms up
                    samples[name] += times
            for name in ratios if turn > 0 else ():
                ratios[name].append((medians[name] - medians["at once"]) / (medians["sosie"] - medians["at once"]))
        ms = {name: median(values) / 1000 for name, values in samples.items()}
        ratios = {name: median(values) for name, values in ratios.items()}
        line = ", ".join(f"{name} {value:.3f}" + (f" ({ratios[name]:.1f})" if name in ratios else "") for name, value in ms.items())
        print(f"{label}: {line}")
        report[f"completion {label} {entries}"] = {"ms": ms, "ratio": ratios["LiteLLM"], "cut_ratio": ratios["step cut out"]}
    litellm.cache = None


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.sizes = [int(size) for size in arguments.entries.split(",")]
        self.rng = np.random.default_rng(1)
        self.folder = tempfile.TemporaryDirectory(prefix="sosie-bench-")
        folder = pathlib.Path(self.folder.name)
        largest = max(self.sizes)

        texts, vectors = real_questions(arguments.sosie)
        self.source = "real questions, noisy copies" if texts else "random"
        if not texts:
            texts, vectors = random_questions(self.rng, min(largest, 30_000) + 3000)
        order = self.rng.permutation(len(texts))
        texts, vectors = [texts[i] for i in order], vectors[order]
        held, fresh = slice(0, 1000), slice(1000, 3000)
        self.held = Questions(folder, "held", texts[held], vectors[held])
        self.fresh = Questions(folder, "fresh", texts[fresh], vectors[fresh])
        texts, vectors = texts[3000:], vectors[3000:]
        base, copy = len(texts), 1
        while len(texts) < largest:
            texts = texts + [f"{text} (asked again, {copy})" for text in texts[:base]]
            vectors = np.concatenate([vectors, noisy(self.rng, vectors[:base], 0.6)])
            copy += 1

        self.server = Server()
        self.sosie = Sosie(arguments.bench, self.server, folder)
        self.stored, self.near, self.theirs, self.cut = {}, {}, {}, {}
        self.vectors = {"dimension test": [1.0] + [0.0] * (DIMENSION - 1)}
        replace_model(self.vectors)
        self.learn(self.held, self.fresh)
        for size in self.sizes:
            # Asked in random order: neighbours in the file may be copies of one another.
            rows = self.rng.permutation(size)[:2000]
            self.stored[size] = Questions(folder, f"stored{size}", texts[:size], vectors[:size])
            self.near[size] = Questions(
                folder, f"near{size}", [f"{texts[row]} Please explain." for row in rows], noisy(self.rng, vectors[rows], 0.3)
            )
            self.learn(self.near[size])
            self.vectors.update(zip(texts[: min(size, 3000)], vectors[: min(size, 3000)].tolist()))
            self.theirs[size] = LiteLLM(self.server.url, self.index(size))
            self.cut[size] = LiteLLM(self.server.url, self.index(size), self.vectors)
            start = time.perf_counter()
            self.server.fill(self.index(size), self.stored[size], stored_answer, KEY)
            print(f"{size} entries stored in {time.perf_counter() - start:.0f} s", file=sys.stderr)
            self.sosie.ask("open", f"flat{size}", self.index(size), "flat", THRESHOLD)

    def learn(self, *many):
        for questions in many:
            self.vectors.update(zip(questions.texts, questions.vectors.tolist()))

    @staticmethod
    def index(size):
        return f"n{size}_bench"  # none begins as another does: a prefix has no colon at its end

    def close(self):
        self.sosie.close()
        self.server.close()
        self.folder.cleanup()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", default="1000,10000,100000")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=100, help="of each kind a round; a quarter of it over 50,000 entries")
    parser.add_argument("--parts", default="calls,flight,hnsw,python")
    parser.add_argument("--bench", type=pathlib.Path, default=ROOT / "build/release/bin/redis_cache_bench")
    parser.add_argument("--sosie", type=pathlib.Path, default=ROOT / "build/release/bin/sosie", help="embeds the real questions")
    arguments = parser.parse_args()
    if not arguments.bench.exists():
        parser.error(f"{arguments.bench} is not built: cmake --build --preset release --target redis_cache_bench")
    parts = arguments.parts.split(",")

    bench, report = Bench(arguments), {}
    try:
        versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("litellm", "redisvl", "redis"))
        try:
            from litellm.proxy.proxy_server import llm_router  # noqa: F401

            proxy = "installed: LiteLLM's class imports it once"
        except ImportError:
            proxy = "not installed: LiteLLM's class tries to import it at each call"
        print(f"litellm's proxy extra is {proxy}")
        print(f"{versions}; Redis {bench.server.client.info()['redis_version']}; vectors: {bench.source}")
        for size in bench.sizes:
            if "calls" in parts:
                measure_calls(bench, size, report)
        middle = 10_000 if 10_000 in bench.sizes else bench.sizes[0]
        if "flight" in parts:
            measure_flight(bench, middle, report)
        for size in bench.sizes if "python" in parts else ():
            if size <= 10_000:
                measure_python(bench, size, report)
        if "hnsw" in parts:
            measure_hnsw(bench, max(bench.sizes), report)
        print("\n" + json.dumps(report))
    finally:
        bench.close()


if __name__ == "__main__":
    main()
