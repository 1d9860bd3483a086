"""Health, metrics and the end of the process."""

import json
import signal
import socket
import threading
import time

import pytest
from apis import MESSAGES
from test_bad_days import wait_for

QUESTION = "How do I reset my password?"


def test_health_and_metrics(gateway):
    assert gateway.request("GET", "/healthz")[0] == 200 and gateway.request("GET", "/readyz")[0] == 200
    gateway.ask(QUESTION)
    gateway.ask(QUESTION)
    gateway.ask("How can I reset my password?")
    gateway.call(MESSAGES, QUESTION)
    assert gateway.metric('sosie_hits_total{api="chat",layer="exact"}') == 1
    assert gateway.metric('sosie_hits_total{api="chat",layer="semantic"}') == 1
    assert gateway.metric('sosie_uncached_total{api="chat",reason="empty_scope"}') == 1
    assert gateway.metric('sosie_uncached_total{api="messages",reason="empty_scope"}') == 1
    wait_for(lambda: gateway.metric("sosie_stored_total") == 2)  # The answers do not wait for the disk.
    assert gateway.metric("sosie_upstream_calls_total") == 2
    assert gateway.metric('sosie_requests_total{route="chat",status="200"}') == 3
    assert gateway.metric('sosie_request_duration_seconds_count{route="chat"}') == 3
    assert gateway.metric('sosie_requests_total{route="messages",status="200"}') == 1
    assert gateway.metric("sosie_cache_entries") == 2


def not_ready(gateway):
    status, _, body = gateway.request("GET", "/readyz")
    return status == 503 and json.loads(body)


def test_it_is_not_ready_without_its_store(start_gateway, tmp_path):
    far = start_gateway(None, "--store", "redis://127.0.0.1:1")
    assert not_ready(far)["status"] == "store_unavailable" and "Redis" in not_ready(far)["reason"]
    assert far.request("GET", "/healthz")[0] == 200
    near = start_gateway(data=tmp_path / "near")
    assert near.request("GET", "/readyz")[0] == 200
    (tmp_path / "near" / "sosie.db").unlink()
    assert not_ready(near)["status"] == "store_unavailable" and not_ready(near)["reason"]
    assert near.request("HEAD", "/readyz")[0] == 503


def test_a_store_that_hangs_is_not_ready_either(start_gateway):
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:  # Accepts, and says nothing.
        gateway = start_gateway(None, "--store", f"redis://127.0.0.1:{silent.getsockname()[1]}")
        assert not_ready(gateway)["status"] in ("store_unavailable", "store_slow")
        assert gateway.request("GET", "/healthz")[0] == 200


def test_metrics_are_well_formed(gateway):
    gateway.ask(QUESTION)
    types, seen = {}, set()
    for line in gateway.request("GET", "/metrics")[2].decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types
            types[name] = kind
        elif not line.startswith("#"):
            sample, value = line.rsplit(" ", 1)
            float(value)
            assert sample not in seen
            seen.add(sample)
            name = sample.split("{")[0]
            for suffix in ("_bucket", "_sum", "_count"):
                if types.get(name.removesuffix(suffix)) == "histogram":
                    name = name.removesuffix(suffix)
            assert name in types
            assert types[name] != "counter" or name.endswith("_total")


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_in_flight_finishes(gateway, upstream, stream):
    upstream.mode, upstream.text = ("paced", "one two three four five") if stream else ("slow", "late")
    answers = []
    asking = threading.Thread(target=lambda: answers.append(gateway.ask(QUESTION, stream=stream)))
    asking.start()
    while not upstream.calls:
        time.sleep(0.01)
    idle = socket.create_connection(("127.0.0.1", gateway.port))
    time.sleep(0.1)
    gateway.process.send_signal(signal.SIGTERM)
    idle.settimeout(5)
    assert idle.recv(1) == b""  # an idle connection ends at once
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", gateway.port), timeout=1)
    asking.join(20)
    status, headers, body = answers[0]
    assert status == 200 and (body.endswith(b"data: [DONE]\n\n") if stream else b"late" in body)
    assert gateway.stop() == 0


def test_a_second_signal_ends_the_wait(gateway, upstream):
    upstream.mode = "hang"
    answers = []
    asking = threading.Thread(target=lambda: answers.append(gateway.ask(QUESTION)))
    asking.start()
    while not upstream.calls:
        time.sleep(0.01)
    gateway.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert gateway.process.poll() is None
    begin = time.monotonic()
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(10) == 0 and time.monotonic() - begin < 5
    asking.join(5)
    assert answers[0][0] == 503  # told, not just dropped


def test_a_port_in_use_is_said_so(start_gateway, sosie):
    gateway = start_gateway()
    done = sosie("serve", "--listen", f"127.0.0.1:{gateway.port}", "--data", "", code=2, timeout=30)
    assert str(gateway.port).encode() in done.stderr
