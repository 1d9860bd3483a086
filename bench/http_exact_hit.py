#!/usr/bin/env python3
"""An exact repeat through `sosie serve` against an empty Beast handler: requests/s of both, their ratio, p50 and p99.

    bench/http_exact_hit.py [--build build/release] [--rounds 5] [--seconds 2] [--connections 16] [--beside OTHER_SOSIE]

For each API, plain and as a stream. Both read the same body and answer as many bytes; the load generator drives them in turns, so that the
machine's moods hit both. It needs a core of its own and may be what limits both; the CPU time that a request costs each server is printed beside.
`--beside`: another binary of sosie takes turns, too, with what it can answer.
"""

import argparse
import contextlib
import json
import pathlib
import statistics
import tempfile

from servers import KEY, Server, add_options, binary, chat, load, median, serve

SYSTEM, QUESTION = "You are a helpful assistant of a shop. Answer briefly.", "How do I reset my password?"
CHAT = chat(QUESTION, temperature=0)
CHAT["messages"].insert(0, {"role": "system", "content": SYSTEM})
KINDS = {
    "chat": ("/v1/chat/completions", CHAT),
    "responses": ("/v1/responses", {"model": "stub-model", "temperature": 0, "store": False, "instructions": SYSTEM, "input": QUESTION}),
    "messages": (
        "/v1/messages",
        {"model": "stub-model", "temperature": 0, "max_tokens": 1000, "system": SYSTEM, "messages": [{"role": "user", "content": QUESTION}]},
    ),
}


def hit_length(server, path, body, streamed):
    """Asks plainly until it is stored, then once more as it will be asked; None: this binary does not answer it from the cache."""
    for _ in range(20):
        if server.ask(path, body, KEY)[1]["x-sosie-cache"] == "hit":
            break
    _, headers, text = server.ask(path, {**body, "stream": True} if streamed else body, KEY)
    return len(text.encode()) if headers["x-sosie-cache"] == "hit" else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--beside", type=pathlib.Path)
    parser.add_argument("--only", help="chat, responses or messages")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--connections", type=int, default=16)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        stub = running.enter_context(Server(binary(arguments, "stub_upstream")))
        sosies = {"sosie": running.enter_context(serve(arguments, stub, folder + "/a"))}
        if arguments.beside:
            sosies["beside"] = running.enter_context(serve(arguments, stub, folder + "/b", program=arguments.beside))
        print(f"{arguments.connections} connections, one I/O thread each, medians of {arguments.rounds} rounds of {arguments.seconds} s")
        for name, (path, body) in KINDS.items():
            for streamed in (False, True):
                if arguments.only in (None, name):
                    rows.append(measure(arguments, sosies, name, path, body, streamed))
    print(json.dumps({"bench": "http_exact_hit", "rows": rows, "median_ratio": rows[0]["ratio"]}))


def measure(arguments, sosies, name, path, body, streamed):
    lengths = {which: hit_length(server, path, body, streamed) for which, server in sosies.items()}
    assert lengths["sosie"], f"{name} does not hit"
    options = ["--seconds", arguments.seconds, "--connections", arguments.connections]
    asked = {**body, "stream": True} if streamed else body
    rounds = {}
    with Server(binary(arguments, "http_floor"), lengths["sosie"]) as floor:
        for _ in range(arguments.rounds):
            for which, server in {"floor": floor, **sosies}.items():
                if which == "floor" or lengths[which]:
                    rounds.setdefault(which, []).append(load(arguments, server, *options, path=path, body=asked))
    row = {"what": name + (", stream" if streamed else ""), "answer_bytes": lengths["sosie"]}
    row["body_bytes"] = len(json.dumps(asked))
    print(f"{row['what']}: body {row['body_bytes']} bytes, answer {row['answer_bytes']}")
    for which, seen in rounds.items():
        row[which] = {key: round(median(seen, key), 1) for key in ("rate", "p50_us", "p99_us", "cpu_us")}
        print("  {:7} {rate:9,.0f}/s   p50 {p50_us:5.0f} us   p99 {p99_us:6.0f} us   {cpu_us:5.1f} us CPU".format(which, **row[which]), end="")
        if which == "floor":
            print()
            continue
        ratios = [mine["rate"] / empty["rate"] for mine, empty in zip(seen, rounds["floor"])]
        row["ratio" if which == "sosie" else which + "_ratio"] = round(statistics.median(ratios), 3)
        print(f"   of the empty handler {statistics.median(ratios):.2f} ({min(ratios):.2f} - {max(ratios):.2f})", flush=True)
    return row


if __name__ == "__main__":
    main()
