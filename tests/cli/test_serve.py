"""serve: what it says at the start, and what it does when it cannot."""

import json
import re
import socket
import subprocess
import urllib.request

import pytest


def post(url, body):
    request = urllib.request.Request(url, data=json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


@pytest.mark.parametrize("more", [(), ("--upstream", "http://127.0.0.1:1/v1")])
def test_the_curl_lines_that_it_prints_work(serve, tmp_path, more):
    with serve("--data", tmp_path / "data", *more) as server:
        assert str(tmp_path / "data") in server.greeting
        lines = re.findall(r"^ *(curl .*)$", server.greeting, re.M)
        assert len(lines) == 3
        answers = [subprocess.run(line, shell=True, capture_output=True, timeout=30, check=True).stdout for line in lines]
        assert json.loads(answers[0])["entryId"]
        found = json.loads(answers[1])["data"]
        assert found[0]["response"] == "Settings, Security, Reset." and found[0]["similarity"] < 1
        assert b"sosie" in answers[2]


def test_entries_outlive_the_server(serve, tmp_path):
    entry = {"prompt": "How do I reset my password?", "response": "so"}
    with serve("--data", tmp_path) as server:
        post(server.url + "/v1/caches/c/entries", entry)
    with serve("--data", tmp_path) as server:
        found = post(server.url + "/v1/caches/c/entries/search", {"prompt": "How can I reset my password?"})
        assert found["data"][0]["response"] == "so"


def test_a_port_in_use_is_named(sosie, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = sosie("serve", "--listen", f"127.0.0.1:{port}", "--data", tmp_path, code=2)
        assert str(port).encode() in done.stderr


def test_bad_addresses_and_upstreams_are_refused_before_anything_starts(sosie, tmp_path):
    for listen in ["8080", "localhost:", ":8080", "127.0.0.1:70000", "nowhere:80", "127.0.0.1:-1", "1.2.3:80", "[::1:80"]:
        assert listen.split(":")[0].encode() in sosie("serve", "--listen", listen, "--data", tmp_path, code=2).stderr
    for upstream in ["ftp://example.org", "nonsense", "http://"]:
        sosie("serve", "--listen", "127.0.0.1:0", "--data", tmp_path, "--upstream", upstream, code=2)


def test_localhost_is_this_machine(serve, tmp_path):
    with serve("--listen", "localhost:0", "--data", tmp_path) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert urllib.request.urlopen(server.url + "/healthz", timeout=30).status == 200
