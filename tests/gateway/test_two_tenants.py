"""Two tenants ask the same questions by every API, streaming or not, at the same time: no answer crosses.

SOSIE_MIXED_REQUESTS: how many requests (5,000); 100,000 take minutes."""

import collections
import json
import os
import pathlib
import subprocess
import sys

CLIENT = pathlib.Path(__file__).with_name("mixed_client.py")


def test_no_answer_crosses(shared):
    gateway, stub = shared
    requests = int(os.environ.get("SOSIE_MIXED_REQUESTS", 5_000))
    before = stub.count()
    stub.keep_answers, stub.delay = False, 0.003  # So that requests meet in flight.
    workers = [
        subprocess.Popen([sys.executable, CLIENT, str(gateway.port), str(seed), str(requests // 2), "24"], stdout=subprocess.PIPE) for seed in (1, 2)
    ]
    fates, mistakes = collections.Counter(), []
    for worker in workers:
        told = json.loads(worker.communicate(timeout=3_600)[0])
        fates.update(told["fates"])
        mistakes += told["mistakes"]
    print(dict(fates), "upstream calls:", stub.count() - before, "seconds:", told["seconds"])
    assert mistakes == []
    assert fates.total() == requests // 2 * 2
    assert fates["hit"] > requests // 3 and fates["miss"] > 100 and fates["coalesced"] > 0
    assert stub.count() - before == fates["miss"] + fates["bypass"] + fates["error"]
