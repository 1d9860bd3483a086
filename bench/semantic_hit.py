#!/usr/bin/env python3
"""Hits by meaning through `sosie serve`: questions of 16 tokens in other words than the stored ones, 10,000 entries in their scope.

    bench/semantic_hit.py [--build build/release] [--rounds 3] [--seconds 3] [--encoder-threads 1]

In turns with `sosie bench embed`: what the encoder alone does with as many threads, one text at a time and 16 in a batch. No question is asked twice.
"""

import argparse
import json
import subprocess
import tempfile

from servers import OTHER_WORDINGS, STORED, Server, add_options, binary, chat, fill, load, median, questions, serve


def encoder_alone(arguments, batch):
    """Texts a second."""
    command = [binary(arguments, "sosie"), "bench", "embed", "--json", "--tokens", "16", "--batch", batch, "--threads", arguments.encoder_threads]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
    return batch / json.loads(done.stdout.splitlines()[-1])["median_ms"] * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--encoder-threads", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Server(binary(arguments, "stub_upstream")) as stub:
        with serve(arguments, stub, folder, "--encoder-threads", arguments.encoder_threads) as sosie:
            measure(arguments, sosie)


def measure(arguments, sosie):
    entries = fill(arguments, sosie, [chat(question) for question in questions(STORED)[: arguments.entries]])
    print(f"{entries:.0f} entries in one scope", flush=True)
    asked = [chat(question) for wording in OTHER_WORDINGS for question in questions(wording)[: arguments.entries]]
    rounds, alone, first = {1: [], 16: []}, {1: [], 16: []}, 0
    for _ in range(arguments.rounds):
        for connections, seen in rounds.items():
            alone[connections].append(encoder_alone(arguments, connections))
            hits = sosie.metric('sosie_hits_total{api="chat",layer="semantic"}')
            options = ["--seconds", arguments.seconds, "--connections", connections]
            part = asked[first:]
            assert part, "every question was asked: fewer rounds"
            seen.append(load(arguments, sosie, *options, bodies=part))
            first += int(seen[-1]["answered"])
            seen[-1]["hits"] = (sosie.metric('sosie_hits_total{api="chat",layer="semantic"}') - hits) / seen[-1]["answered"]
    rows = []
    best = max(median([{"rate": rate} for rate in rates], "rate") for rates in alone.values())
    for connections, seen in rounds.items():
        row = {"connections": connections, **{key: round(median(seen, key), 3) for key in ("rate", "p50_us", "p99_us", "cpu_us", "hits")}}
        row["encoder_alone"] = round(sorted(alone[connections])[len(alone[connections]) // 2], 1)
        row["of_encoder_alone"] = round(row["rate"] / best, 3)
        rows.append(row)
        print(
            "{connections:3} connections: {rate:7,.0f}/s  p50 {p50_us:6.0f} us  p99 {p99_us:6.0f} us  {cpu_us:6.0f} us CPU  by meaning {hits:.3f};  "
            "encoder alone {encoder_alone:,.0f}/s in batches of as many; of its best {of_encoder_alone:.2f}".format(**row)
        )
    print(json.dumps({"bench": "semantic_hit", "entries": entries, "encoder_threads": arguments.encoder_threads, "rows": rows}))


if __name__ == "__main__":
    main()
