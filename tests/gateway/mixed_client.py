"""Asks as two tenants at once, over plain sockets, and looks at every answer: whose is it, and to which question?

    mixed_client.py PORT SEED REQUESTS CONNECTIONS [rough] -> a line of JSON on stdout: what became of them, and the first mistakes. Rough: upstreams may
fail, and some callers hang up."""

import asyncio
import collections
import json
import random
import re
import sys
import time
import zlib

from apis import ALL, EMBEDDINGS, events_of

TENANTS = ("alice", "bob")
SUBJECTS = "password invoice printer passport garden bicycle kettle window novel violin anchor lantern tunnel glacier pepper saddle ribbon helmet".split()
VERBS = "reset find repair renew paint sell clean open borrow tune drop hang".split()
HOT = [f"How do I {verb} the {subject}?" for verb in VERBS for subject in SUBJECTS]
SAID = re.compile(r"answer to (.*) for (\S+) #\d+", re.S)


def request_of(api, tenant, question, stream):
    fields = {"stream": True} if stream else {}
    if api is EMBEDDINGS:
        fields = {"model": "text-embedding-9"}
    body = json.dumps(api.ask(question, **fields)).encode()
    lines = [f"POST {api.path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in api.headers(tenant).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def answer_of(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in head[1:] if line)}
    if "content-length" in headers:
        return int(head[0].split(" ")[1]), headers, await reader.readexactly(int(headers["content-length"]))
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return int(head[0].split(" ")[1]), headers, body


def mistake_in(api, tenant, question, stream, status, headers, body):
    if status != 200:
        return f"status {status}: {body[:200]}"
    fate, exact = headers["x-sosie-cache"], headers.get("x-sosie-layer") != "semantic"
    if api is EMBEDDINGS:
        length, _, number = json.loads(body)["data"][0]["embedding"]
        right = number == zlib.crc32(tenant.encode()) % 1024 and length == len(question)
        return None if right else f"{tenant}'s vector of {question!r} is {body[-200:]} ({fate})"
    said = SAID.fullmatch(api.text(body, stream))
    if not said:
        return f"no answer: {body[-200:]} ({fate})"
    if said[2] != tenant:
        return f"{tenant} heard what was said to {said[2]} ({fate})"
    if exact and said[1] != question:
        return f"{question!r} was answered as {said[1]!r} ({fate})"
    return None


def crossing_in(api, tenant, stream, status, body):
    """Whether anything of the other one's can be seen, in whatever came."""
    other = TENANTS[1 - TENANTS.index(tenant)]
    is_stream = stream and status == 200 and body.startswith((b"data:", b"event:"))
    seen = api.heard(events_of(body)) if is_stream else body.decode()
    if f"for {other}" in seen or (api is EMBEDDINGS and f"{float(zlib.crc32(other.encode()) % 1024)}]" in seen):
        return f"{tenant} heard what was said to {other}: {body[-200:]}"
    return None


class Clients:
    def __init__(self, port, seed, requests, rough):
        self.port, self.left, self.random, self.rough = port, requests, random.Random(seed), rough
        self.seed, self.fates, self.mistakes = seed, collections.Counter(), []

    def question(self):
        """Mostly one of a few that everybody asks, sometimes one that comes up just now."""
        if self.random.random() < 0.2:
            news = random.Random(self.left // 40)  # Of both processes.
            return f"Why did the {' '.join(news.sample(SUBJECTS + VERBS, 4))} {self.left // 40}?"
        return HOT[min(int(self.random.expovariate(1 / 40)), len(HOT) - 1)]

    async def run_one(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        while self.left > 0:
            self.left -= 1
            api, tenant, question = self.random.choice(ALL), self.random.choice(TENANTS), self.question()
            stream = api is not EMBEDDINGS and self.random.random() < 0.5
            writer.write(request_of(api, tenant, question, stream))
            if self.rough and self.random.random() < 0.03:
                await asyncio.sleep(self.random.random() * 0.01)
                writer.close()
                self.fates["left"] += 1
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
                continue
            status, headers, body = await answer_of(reader)
            self.fates[headers.get("x-sosie-cache", str(status))] += 1
            try:
                mistake = crossing_in(api, tenant, stream, status, body)
                shared = headers.get("x-sosie-cache") in ("hit", "coalesced") and b'"error"' not in body
                if not mistake and (shared or not self.rough):  # A broken answer is for the one who asked.
                    mistake = mistake_in(api, tenant, question, stream, status, headers, body)
            except (AssertionError, ValueError, KeyError) as wrong:
                mistake = f"{api} {stream}: {wrong!r}: {body[-200:]}"
            if mistake and len(self.mistakes) < 5:
                self.mistakes.append(mistake)
        writer.close()

    async def run(self, connections):
        await asyncio.gather(*(self.run_one() for _ in range(connections)))


if __name__ == "__main__":
    port, seed, requests, connections = map(int, sys.argv[1:5])
    clients, begin = Clients(port, seed, requests, "rough" in sys.argv[5:]), time.monotonic()
    asyncio.run(clients.run(connections))
    print(json.dumps({"fates": clients.fates, "mistakes": clients.mistakes, "seconds": time.monotonic() - begin}))
