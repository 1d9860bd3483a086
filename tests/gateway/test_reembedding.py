"""Another encoder over entries that are there already: they are embedded anew while callers are served."""

import json
import signal

import pytest
from callers import wait_for

QUESTION, PARAPHRASE = "How do I reset my password?", "How can I reset my password?"
FILLING = 60


def call(gateway, path, **body):
    status, _, answer = gateway.request("POST", "/v1/caches/c/" + path, body)
    assert status in (200, 201), answer
    return json.loads(answer)


def search(gateway, prompt, strategy):
    return [found["response"] for found in call(gateway, "entries/search", prompt=prompt, searchStrategies=[strategy])["data"]]


def metric(gateway, name):
    return gateway.metric("sosie_cache_" + name)


@pytest.fixture
def folder(start_gateway, tmp_path):
    """A store whose vectors are all f32's, that of QUESTION the oldest, which comes last."""
    gateway = start_gateway(None, "--precision", "f32", data=tmp_path / "store")
    call(gateway, "entries", prompt=QUESTION, response="Settings, Security, Reset.")
    for number in range(FILLING):
        call(gateway, "entries", prompt=f"What is written in line {number} of the file?", response=str(number))
    assert search(gateway, PARAPHRASE, "semantic")
    assert gateway.stop() == 0
    return tmp_path / "store"


def test_entries_of_another_encoder_are_found_by_meaning_again(start_gateway, folder):
    gateway = start_gateway(data=folder)
    assert search(gateway, QUESTION, "exact")  # At any moment.
    wait_for(lambda: metric(gateway, "reembed_left") == 0 and metric(gateway, "reembedded_total") == FILLING + 1, 30)
    assert search(gateway, PARAPHRASE, "semantic") == ["Settings, Security, Reset."]
    assert metric(gateway, "entries") == FILLING + 1
    assert "entries anew: the encoder changed" in gateway.errors()
    assert gateway.stop() == 0

    again = start_gateway(data=folder)
    assert search(again, PARAPHRASE, "semantic")
    assert metric(again, "reembedded_total") == 0
    assert "anew" not in again.errors()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_what_an_end_cuts_short_the_next_process_goes_on_with(serve, start_gateway, folder, sign):
    ended = serve("--data", folder)
    ended.process.send_signal(sign)
    assert ended.process.wait(30) == (0 if sign == signal.SIGTERM else -sign)
    ended.process.stdout.close()
    gateway = start_gateway(data=folder)
    wait_for(lambda: metric(gateway, "reembed_left") == 0 and search(gateway, PARAPHRASE, "semantic"), 30)
    assert metric(gateway, "entries") == FILLING + 1
    for number in range(0, FILLING, 7):
        assert search(gateway, f"What is written in line {number} of the file?", "semantic") == [str(number)]
