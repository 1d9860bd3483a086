"""The server killed in the middle of writes, over and over: what it acknowledged is there when it is back."""

import concurrent.futures
import http.client
import itertools
import json
import random
import signal

ROUNDS = 8
WRITERS = 6


def call(connection, path, body):
    connection.request("POST", "/v1/caches/crash/" + path, json.dumps(body))
    answer = connection.getresponse()
    return answer.status, answer.read()


def write_until_killed(port, numbers, acknowledged):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        for number in numbers:
            status, body = call(connection, "entries", {"prompt": f"What is written in line {number}?", "response": str(number)})
            assert status == 201
            acknowledged[number] = json.loads(body)["entryId"]
    except (OSError, http.client.HTTPException):
        pass  # Killed: what was not acknowledged may or may not be there.


def test_kill_9_during_writes_loses_nothing_acknowledged(serve, tmp_path):
    numbers = itertools.count()
    acknowledged = {}
    random.seed(7)
    for _ in range(ROUNDS):
        server = serve("--data", tmp_path)
        port = int(server.url.rsplit(":", 1)[1])
        before = len(acknowledged)
        with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
            for _ in range(WRITERS):
                pool.submit(write_until_killed, port, numbers, acknowledged)
            while len(acknowledged) < before + random.randint(30, 120):
                assert server.process.poll() is None
            server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        server.process.stdout.close()

    with serve("--data", tmp_path) as server:
        connection = http.client.HTTPConnection("127.0.0.1", int(server.url.rsplit(":", 1)[1]), timeout=30)
        for number, entry in acknowledged.items():
            prompt = f"What is written in line {number}?"
            status, body = call(connection, "entries/search", {"prompt": prompt, "searchStrategies": ["exact"]})
            assert status == 200
            found = json.loads(body)["data"]
            assert found and found[0]["id"] == entry and found[0]["response"] == str(number), number
    assert len(acknowledged) >= ROUNDS * 30
