#!/usr/bin/env python3
"""An exact repeat through `sosie serve` against an empty Beast handler: requests/s of both, and the ratio.

wrk needs a core of its own and may be what limits both; the CPU time a request costs each server is printed beside.

    bench/http_exact_hit.py [--build build/release] [--rounds 5] [--seconds 3] [--connections 16]

Both read the same body and answer about 600 bytes; wrk drives them in turns, so that the machine's moods hit both.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/gateway"))
from stub_upstream import StubUpstream  # noqa: E402


def start(*command):
    env = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)
    return process, re.search(r"http://\S+", process.stdout.readline())[0]


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(") ", 1)[1].split(" ")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wrk(process, url, script, arguments):
    before = cpu_seconds(process)
    done = subprocess.run(
        ["wrk", "-t1", f"-c{arguments.connections}", f"-d{arguments.seconds}s", "--latency", "-s", script, url + "/v1/chat/completions"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "Non-2xx" not in done, done
    requests = int(re.search(r"(\d+) requests in", done)[1])
    cpu = (cpu_seconds(process) - before) / requests * 1e6
    rate, p50 = re.search(r"Requests/sec:\s+([\d.]+)", done)[1], re.search(r"50%\s+(\S+)", done)[1]
    return float(rate), f"{float(rate):9,.0f}/s  p50 {p50:>8}  {cpu:5.1f} us CPU"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    arguments = parser.parse_args()

    stub = StubUpstream()
    stub.text = "An answer of a usual length. " * 8
    body = json.dumps({"model": "stub-model", "temperature": 0, "messages": [
        {"role": "system", "content": "You are a helpful assistant of a shop. Answer briefly."},
        {"role": "user", "content": "How do I reset my password?"}]})  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        script = pathlib.Path(folder) / "post.lua"
        headers = 'wrk.headers["Content-Type"]="application/json" wrk.headers["Authorization"]="Bearer key"'
        script.write_text(f"wrk.method='POST' wrk.body=[==[{body}]==] {headers}\n")
        floor, floor_url = start(arguments.build / "bin/http_floor")
        sosie, sosie_url = start(arguments.build / "bin/sosie", "serve", "--listen", "127.0.0.1:0", "--data", folder + "/data", "--upstream", stub.url)
        try:
            request = urllib.request.Request(sosie_url + "/v1/chat/completions", body.encode(), {"Authorization": "Bearer key"})
            for expected in ("miss", "hit"):
                with urllib.request.urlopen(request) as answer:
                    assert answer.headers["x-sosie-cache"] == expected
                    length = len(answer.read())
            print(f"body {len(body)} bytes, answer {length} bytes, {arguments.connections} connections, one I/O thread each")
            ratios = []
            for round_number in range(arguments.rounds):
                floor_rate, floor_text = wrk(floor, floor_url, script, arguments)
                sosie_rate, sosie_text = wrk(sosie, sosie_url, script, arguments)
                ratios.append(sosie_rate / floor_rate)
                print(f"round {round_number + 1}: floor {floor_text}   sosie {sosie_text}   ratio {ratios[-1]:.2f}", flush=True)
            print(json.dumps({"bench": "http_exact_hit", "median_ratio": round(statistics.median(ratios), 3)}))
        finally:
            for process in (floor, sosie):
                process.terminate()
                process.wait(30)
            stub.close()


if __name__ == "__main__":
    main()
