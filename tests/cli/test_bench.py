"""bench: runs briefly, and its last line is an object with median_ms."""

import json

import pytest


@pytest.mark.parametrize(
    "arguments",
    [
        ("embed", "--tokens", "16", "--batch", "2", "--threads", "2", "--repeats", "3"),
        ("embed", "--precision", "f32", "--tokens", "256", "--repeats", "2"),
        ("search", "--entries", "1000", "--batch", "4", "--threads", "2", "--repeats", "3"),
        ("http", "--entries", "3", "--threads", "2", "--connections", "4", "--seconds", "0.3"),
    ],
)
def test_the_last_line_is_json(sosie, arguments):
    report = json.loads(sosie("bench", *arguments, "--json").stdout.splitlines()[-1])
    assert report["bench"] == arguments[0] and report["median_ms"] > 0
    assert report.get("errors", 0) == 0


def test_more_tokens_than_the_window_are_refused(sosie):
    assert b"--tokens" in sosie("bench", "embed", "--tokens", "257", code=2).stderr
