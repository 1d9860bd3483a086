#!/usr/bin/env python3
"""What `sosie serve` adds to a request that the upstream answers: the same load to the stub itself and through us, in turns.

    bench/miss_overhead.py [--build build/release] [--rounds 5] [--seconds 2] [--rate 300] [--delays 0,300]

Requests are due at fixed times. "passed through": /v1/other. "empty scope": each by a new API key, so nothing is there to be like. "among entries": one
key, entries in the scope, none like the question: the encoder's time is in it.
"""

import argparse
import json
import statistics
import tempfile

from servers import Server, add_options, binary, chat, fill, load, median, serve, unlike_questions


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rate", type=float, default=300)
    parser.add_argument("--delays", default="0,300", help="of the stub, ms")
    arguments = parser.parse_args()
    rows = []
    for delay in map(int, arguments.delays.split(",")):
        with tempfile.TemporaryDirectory() as folder, Server(binary(arguments, "stub_upstream"), "--delay", delay) as stub:
            with serve(arguments, stub, folder) as sosie:
                rows += measure(arguments, delay, stub, sosie)
    print(json.dumps({"bench": "miss_overhead", "rate": arguments.rate, "rows": rows}))


def measure(arguments, delay, stub, sosie):
    rows, first = [], 0
    options = ["--seconds", arguments.seconds, "--rate", arguments.rate, "--connections", int(16 + arguments.rate * delay / 1000 * 1.2)]
    count = int(arguments.rate * arguments.seconds) + 1
    fill(arguments, sosie, [chat(question) for question in unlike_questions(200, 0)])
    for what in ("passed through", "empty scope", "among entries"):
        direct, through = [], []
        for number in range(arguments.rounds):
            for server, seen in ((stub, direct), (sosie, through)):
                first += count
                more = {"bodies": [chat(q) for q in unlike_questions(count, first)]}
                if what == "passed through":
                    more = {"path": "/v1/other", "body": chat("How do I reset my password? {n}")}
                elif what == "empty scope":
                    more["headers"] = ("Authorization: Bearer key-{n}",)
                seen.append(load(arguments, server, *options, "--first", first, **more))
        added = [mine["p50_us"] - theirs["p50_us"] for mine, theirs in zip(through, direct)]
        row = {"delay_ms": delay, "what": what, "direct_p50_us": median(direct, "p50_us"), "p50_us": median(through, "p50_us")}
        row |= {"added_us": round(statistics.median(added), 1), "direct_p99_us": median(direct, "p99_us"), "p99_us": median(through, "p99_us")}
        row["cpu_us"] = round(median(through, "cpu_us"), 1)
        rows.append(row)
        print(
            "{delay_ms:4} ms  {what:15} p50 {direct_p50_us:8.0f} us alone, {p50_us:8.0f} us through us: {added_us:6.1f} us more;  p99 {direct_p99_us:8.0f}, "
            "{p99_us:8.0f} us;  {cpu_us:5.0f} us CPU".format(**row), flush=True
        )  # fmt: skip
    upstream_calls = sosie.metric("sosie_upstream_calls_total")
    assert upstream_calls >= 200 + count * arguments.rounds * 2 * 0.9, f"only {upstream_calls:.0f} calls: not everything was a miss"
    return rows


if __name__ == "__main__":
    main()
