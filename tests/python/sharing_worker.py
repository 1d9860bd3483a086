"""One of several processes that use one index: sharing_worker.py {sosie|upstream} URL INDEX NUMBER WORKERS SECONDS.

Writes its own answers, asks for its own and everybody else's, by the same words and by others. Prints one JSON object: what it counted.
"""

import asyncio
import json
import sys
import time

import litellm

KEY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
THINGS = [
    "password",
    "address",
    "invoice",
    "booking",
    "profile picture",
    "phone number",
    "delivery date",
    "subscription",
]


def question(worker, n):
    return f"How do I change my {THINGS[n]}, and which form number {worker}0{worker} do I need?"


def paraphrase(worker, n):
    return f"How can I change my {THINGS[n]}, and which form number {worker}0{worker} do I need?"


def answer(worker, n):
    return {
        "timestamp": 1755000000.5,
        "response": json.dumps({"choices": [], "worker": worker, "n": n, "text": 'it\'s "é"'}),
    }


def user(text):
    return [{"role": "user", "content": text}]


def main(kind, url, index, number, workers, seconds):
    if kind == "sosie":
        from sosie.litellm import RedisSemanticCache
    else:
        from litellm.caching.redis_semantic_cache import RedisSemanticCache
    cache = RedisSemanticCache(redis_url=url, similarity_threshold=0.95, index_name=index)
    counts = {"stored": 0, "asked": 0, "exact": 0, "near": 0, "missed": 0, "wrong": 0}

    def check(found, worker, n, how):
        counts["asked"] += 1
        if found is None:
            counts["missed"] += 1
        elif found != answer(worker, n):
            counts["wrong"] += 1
        else:
            counts[how] += 1

    async def turn(step):
        n = step % len(THINGS)
        other = (number + step) % workers
        if step % 2:
            cache.set_cache(KEY, answer(number, n), messages=user(question(number, n)), ttl=600)
            check(cache.get_cache(KEY, messages=user(question(other, n)), metadata={}), other, n, "exact")
            check(cache.get_cache(KEY, messages=user(paraphrase(other, n)), metadata={}), other, n, "near")
        else:
            await cache.async_set_cache(KEY, answer(number, n), messages=user(question(number, n)), ttl=600)
            check(await cache.async_get_cache(KEY, messages=user(question(other, n)), metadata={}), other, n, "exact")
            check(await cache.async_get_cache(KEY, messages=user(paraphrase(other, n)), metadata={}), other, n, "near")
        counts["stored"] += 1

    async def run():
        await turn(0)
        print("ready", flush=True)
        sys.stdin.readline()  # all begin together
        until, step = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            await turn(step)
            step += 1

    asyncio.run(run())
    if kind == "sosie":
        counts["faults"] = cache.stats()["faults"]
    print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    litellm.suppress_debug_info = True
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), float(sys.argv[6]))
