#!/usr/bin/env python3
"""Many streams open at once through `sosie serve`: its memory, and whether any stream starves.

    bench/open_streams.py [--build build/release] [--streams 2000] [--events 40] [--gap 500]

The stub paces every stream: an event each --gap ms. Once to the stub itself, once through us; the longest silence within a stream is told for both.
Every question is another, by one key, so that each stream is a miss, is passed on as it comes and is stored at its end.
"""

import argparse
import json
import tempfile
import threading

from servers import Server, add_options, binary, chat, load, serve, settle, unlike_questions


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--events", type=int, default=40)
    parser.add_argument("--gap", type=int, default=500)
    arguments = parser.parse_args()
    pace = ["--events", arguments.events, "--gap", arguments.gap, "--bytes", 40 * arguments.events]
    with tempfile.TemporaryDirectory() as folder, Server(binary(arguments, "stub_upstream"), *pace) as stub:
        with serve(arguments, stub, folder) as sosie:
            measure(arguments, stub, sosie)


def measure(arguments, stub, sosie):
    bodies = [chat(question, stream=True) for question in unlike_questions(arguments.streams, 1)]
    options = ["--requests", arguments.streams, "--connections", arguments.streams]
    direct = load(arguments, stub, *options, bodies=bodies)
    before, samples, done = sosie.memory_mb(), [], threading.Event()

    def watch():
        while not done.wait(0.5):
            samples.append((*sosie.memory_mb(), sosie.metric("sosie_in_flight")))

    watcher = threading.Thread(target=watch)
    watcher.start()
    through = load(arguments, sosie, *options, bodies=bodies, may_fail=True)
    done.set()
    watcher.join()
    settle(sosie)
    row = {
        "streams": arguments.streams,
        "whole": int(through["answered"]),
        "most_open": max(int(s[2]) for s in samples),
        "idle_rss_mb": round(before[0], 1),
        "rss_mb": round(max(s[0] for s in samples), 1),
        "pss_mb": round(max(s[1] for s in samples), 1),
        "longest_silence_ms": round(through["gap_max_us"] / 1000, 1),
        "longest_silence_direct_ms": round(direct["gap_max_us"] / 1000, 1),
        "seconds": round(through["seconds"], 1),
        "seconds_direct": round(direct["seconds"], 1),
        "stored": int(sosie.metric("sosie_cache_entries")),
    }
    print(
        "{whole} of {streams} streams whole, {most_open} open at once, {stored} stored: {rss_mb} MB resident ({pss_mb} proportional, {idle_rss_mb} before); longest "
        "silence in a stream {longest_silence_ms} ms (from the stub itself {longest_silence_direct_ms}); {seconds} s ({seconds_direct})".format(**row)
    )
    print(json.dumps({"bench": "open_streams", **row}))


if __name__ == "__main__":
    main()
