"""Several upstreams: each gets its models and its own key, one that fails is left alone, and nothing is ever sent twice."""

import contextlib
import gzip
import json
import re
import socket
import threading
import time

import pytest
from apis import CHAT, MESSAGES
from stub_upstream import StubUpstream


@pytest.fixture
def stubs():
    made = [StubUpstream(), StubUpstream(), StubUpstream()]
    yield made
    for stub in made:
        stub.close()


def root(stub):
    return stub.url.removesuffix("/v1")


@pytest.fixture
def configured(start_gateway, tmp_path):
    """configured(toml, env={}, …) -> Gateway"""

    def start(text, *arguments, env=None):
        path = tmp_path / "sosie.toml"
        path.write_text(text)
        return start_gateway(None, "--config", path, *arguments, env=env)

    return start


def chat(model, question="How do I reset my password?", **fields):
    return {"model": model, "messages": [{"role": "user", "content": question}], **fields}


def post(gateway, body, headers=None, path="/v1/chat/completions"):
    return gateway.request("POST", path, body, headers)


def lines(call, name):
    return [line.split(":", 1)[1].strip() for line in call["head"].decode().split("\r\n")[1:] if line.split(":")[0].lower() == name]


def test_each_model_goes_to_its_upstream_with_its_own_key(configured, stubs):
    claude, azure, rest = stubs
    gateway = configured(
        f"""
        [[upstream]]
        url = "{claude.url}"
        models = ["claude-*"]
        key_env = "CLAUDE_KEY"
        key_header = "x-api-key"
        [[upstream]]
        url = "{azure.url}"
        models = ["gpt-4*", "o1"]
        key_env = "AZURE_KEY"
        key_header = "api-key"
        [[upstream]]
        url = "{rest.url}"
        """,
        env={"CLAUDE_KEY": "claude-secret", "AZURE_KEY": "azure-secret"},
    )
    caller = {"Authorization": "Bearer callers", "x-api-key": "callers-too"}
    for model in ("claude-sonnet-4", "gpt-4o", "o1", "o1-mini", "llama"):
        assert post(gateway, chat(model), caller)[0] == 200
    assert [json.loads(call["body"])["model"] for call in claude.calls] == ["claude-sonnet-4"]
    assert [json.loads(call["body"])["model"] for call in azure.calls] == ["gpt-4o", "o1"]
    assert [json.loads(call["body"])["model"] for call in rest.calls] == ["o1-mini", "llama"]

    keys = [(call, lines(call, "authorization"), lines(call, "x-api-key"), lines(call, "api-key")) for stub in stubs for call in stub.calls]
    assert keys[0][1:] == ([], ["claude-secret"], []), "the caller's key stays here where the upstream has its own"
    assert keys[1][1:] == ([], [], ["azure-secret"])
    assert keys[3][1:] == (["Bearer callers"], ["callers-too"], []), "and is passed on as it came where it has none"

    # Also what is only passed through.
    counted = {"model": "claude-sonnet-4", "messages": []}
    assert post(gateway, counted, caller, "/v1/messages/count_tokens")[0] == 200
    assert post(gateway, {"model": "text-embedding-3-small", "input": "x"}, caller, "/v1/moderations")[0] == 200
    assert gateway.request("GET", "/v1/files?limit=2", headers=caller)[0] == 200
    assert claude.calls[-1]["line"] == "POST /v1/messages/count_tokens HTTP/1.1" and lines(claude.calls[-1], "x-api-key") == ["claude-secret"]
    assert [call["line"].split(" ")[1] for call in rest.calls[-2:]] == ["/v1/moderations", "/v1/files?limit=2"]


def test_a_model_that_no_upstream_has_is_refused_in_words(configured, stubs):
    gateway = configured(f'[[upstream]]\nurl = "{stubs[0].url}"\nmodels = ["gpt-*"]\n')
    status, _, body = post(gateway, chat("claude-sonnet-4"))
    assert status == 404 and json.loads(body)["error"]["code"] == "model_not_found"
    status, _, body = post(gateway, {"model": "claude-sonnet-4"}, path="/v1/audio/speech")
    assert status == 404 and json.loads(body)["error"]["code"] == "model_not_found"
    assert gateway.request("GET", "/v1/files")[0] == 200  # names no model: the first
    assert len(stubs[0].calls) == 1


def test_the_environment_makes_two_upstreams(start_gateway, stubs):
    claude, openai, _ = stubs
    env = {"ANTHROPIC_BASE_URL": root(claude) + "/", "ANTHROPIC_API_KEY": "a", "OPENAI_BASE_URL": openai.url, "OPENAI_API_KEY": "o"}
    gateway = start_gateway(None, env=env)
    assert post(gateway, MESSAGES.ask("Why?", model="claude-sonnet-4"), MESSAGES.headers("mine"), MESSAGES.path)[0] == 200
    assert post(gateway, CHAT.ask("Why?"), CHAT.headers("mine"))[0] == 200
    assert (claude.calls[0]["line"], lines(claude.calls[0], "x-api-key")) == ("POST /v1/messages HTTP/1.1", ["a"])
    assert lines(openai.calls[0], "authorization") == ["Bearer o"] and len(claude.calls) == len(openai.calls) == 1


def ask_until_refused(gateway, stub, body, most=10):
    """Asks again and again; the number of calls that reached the upstream, and the refusal."""
    begun = len(stub.calls)
    for i in range(most):
        status, headers, answer = post(gateway, {**body, "messages": [{"role": "user", "content": f"Question number {i}"}]})
        if b"upstream_unavailable" in answer:
            return len(stub.calls) - begun, status, headers
    raise AssertionError((status, answer))


@pytest.mark.parametrize("mode", ["drop", "garbage", "503"])
def test_an_upstream_that_fails_is_left_alone_and_tried_again_by_one(configured, stubs, mode):
    bad, good, _ = stubs
    gateway = configured(f'[[upstream]]\nurl = "{bad.url}"\nmodels = ["bad"]\n[[upstream]]\nurl = "{good.url}"\n')
    bad.mode = mode
    calls, status, headers = ask_until_refused(gateway, bad, chat("bad"))
    assert (calls, status) == (5, 503) and 1 <= int(headers["retry-after"]) <= 30 and "x-should-retry" not in headers
    assert post(gateway, chat("good"))[0] == 200, "the other one is none the worse"

    # Half open: many ask at once, one call goes out, and it fails.
    def all_ask(count=8):
        answers = []

        def one(i):
            answers.append(post(gateway, chat("bad", f"Which is the {i}th of them?"))[0])

        threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    time.sleep(1.1)  # the first pause is at most a second
    calls = len(bad.calls)
    all_ask()
    assert len(bad.calls) == calls + 1
    assert gateway.metric('sosie_upstream_failures_total{kind="refused"}') >= 8

    # It answers again: the next try closes the breaker for all.
    bad.mode = "ok"
    deadline = time.monotonic() + 10
    while (status := post(gateway, chat("bad", "Is it there?", temperature=1.5))[0]) != 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert status == 200 and all_ask() == [200] * 8


def test_errors_of_the_caller_are_no_failures_of_the_upstream(gateway, upstream):
    for mode in ("429", "500", "401"):
        upstream.mode = mode
        for i in range(8):
            assert gateway.ask(f"Question {i} of {mode}")[0] == int(mode)
    upstream.mode = "half"  # breaks off behind its head: it is there
    for i in range(8):
        assert b"upstream_cut" in gateway.ask(f"Question {i}")[2]
    upstream.mode = "ok"
    assert gateway.ask("And now?")[0] == 200 and len(upstream.calls) == 33


def test_silence_leaves_it_alone_too_and_no_call_is_sent_twice(start_gateway, upstream):
    gateway = start_gateway(upstream.url, "--upstream-timeout", "200ms")
    upstream.mode = "hang"
    calls, status, _ = ask_until_refused(gateway, upstream, chat("stub-model"))
    assert (calls, status) == (5, 503) and len(upstream.calls) == 5


def test_a_time_limit_is_not_cut_short_by_another(start_gateway, upstream, configured):
    """An answer that takes longer than `total_timeout` would by itself, where `timeout` allows it."""
    upstream.delay = 1.5
    gateway = configured(f'[[upstream]]\nurl = "{upstream.url}"\ntotal_timeout = "1s"\n')
    assert gateway.ask("Too slow?")[0] == 504
    gateway.stop()
    gateway = configured(f'[[upstream]]\nurl = "{upstream.url}"\ntotal_timeout = "1s"\n', "--upstream-timeout", "20s")
    assert gateway.ask("Not any more?")[0] == 200


class ClosingUpstream:
    """Answers once on each connection as if it could be used again, and then does as `then` says: "end" ends it, "die" ends it with the
    first byte of a second request."""

    def __init__(self, then):
        self.then, self.requests, self.connections = then, [], 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _read(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            if not (piece := connection.recv(65536)):
                return None
            data += piece
        self.requests.append(data.split(b"\r\n")[0])
        return data

    def _serve(self, connection):
        with connection:
            self._read(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            if self.then == "die":
                self._read(connection)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.mark.parametrize("then", ["end", "die"])
def test_a_kept_connection_that_died_costs_no_second_sending(start_gateway, then):
    peer = ClosingUpstream(then)
    gateway = start_gateway(peer.url)
    assert gateway.request("POST", "/v1/first", b"{}")[0] == 200
    time.sleep(0.1)  # for the end to arrive, where there is one
    status, _, body = gateway.request("POST", "/v1/second", b"{}")
    sent = [line.split(b" ")[1] for line in peer.requests]
    if then == "end":  # was seen before anything was sent
        assert (status, sent, peer.connections) == (200, [b"/v1/first", b"/v1/second"], 2)
    else:  # the call may have been carried out: that is for the caller to judge
        assert status == 502 and json.loads(body)["error"]["code"] == "upstream_cut"
        assert (sent, peer.connections) == ([b"/v1/first", b"/v1/second"], 1)
    peer.close()


# ── what is passed through ───────────────────────────────────────────────────────────────────────────────────────────


def exchange(gateway, request):
    """The bytes of the answer, read to the end of the connection."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
    return answer


def own(line):
    return re.match(rb"(x-sosie-|cache-status:|connection:)", line, re.I)


def test_what_is_passed_through_is_untouched_both_ways(gateway, upstream):
    zipped = gzip.compress(b"the file" * 100)
    head = (
        b"HTTP/1.1 206 Partial Content\r\nSet-Cookie: a=1\r\nContent-Type: audio/mpeg\r\nDate: Tue, 01 Jan 2030 00:00:00 GMT\r\n"
        b"set-cookie: b=2\r\nContent-Encoding: gzip\r\nX-Odd: \xe9 ; =,\r\n"
    )
    upstream.raw["/v1/files/f-1/content"] = head + b"Content-Length: %d\r\n\r\n" % len(zipped) + zipped
    answer = exchange(
        gateway,
        b"PUT /v1/files/f-1/content?a=%2F&b HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, br\r\nX-Twice: 1\r\nx-twice: 2\r\n"
        b"Cache-Control: no-cache\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nContent-Length: 5\r\n\r\n\x00\xff\r\n.",
    )
    said, body = answer.split(b"\r\n\r\n", 1)
    told, length = said.split(b"\r\n")[1:], b"Content-Length: %d" % len(zipped)  # which is written anew, in front
    assert length in told and [line for line in told if not own(line) and line != length] == head.split(b"\r\n")[1:-1]
    assert body == zipped
    call = upstream.calls[0]
    assert call["line"] == "PUT /v1/files/f-1/content?a=%2F&b HTTP/1.1" and call["body"] == b"\x00\xff\r\n."
    asked = [line for line in call["head"].split(b"\r\n")[1:] if not re.match(rb"(host|content-length):", line, re.I)]
    assert asked == [b"Accept-Encoding: gzip, br", b"X-Twice: 1", b"x-twice: 2", b"Cache-Control: no-cache"]


@pytest.mark.parametrize(
    "method, answer",
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nContent-Type: text/plain\r\n"),
        ("DELETE", b"HTTP/1.1 204 No Content\r\nX-Mine: 1\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n"),
    ],
)
def test_answers_without_a_body_leave_the_connection_in_order(gateway, upstream, method, answer):
    upstream.raw["/v1/odd"] = answer + b"\r\n"
    got = exchange(
        gateway,
        f"{method} /v1/odd HTTP/1.1\r\nHost: localhost\r\n\r\nGET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode(),
    )
    first, rest = got.split(b"\r\n\r\n", 1)
    told = [line for line in first.split(b"\r\n")[1:] if not own(line) and not line.startswith(b"Date:")]
    assert told == answer.removesuffix(b"\r\n").split(b"\r\n")[1:]
    assert rest.startswith(b"HTTP/1.1 200 ") and b"stub-model" in rest


def test_large_bodies_go_both_ways(gateway, upstream):
    big = bytes(range(256)) * (6 << 12)
    upstream.raw["/v1/files"] = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(big) + big
    status, headers, body = gateway.request("POST", "/v1/files", big, {"Content-Type": "application/octet-stream"})
    assert status == 200 and body == big and upstream.calls[0]["body"] == big
    assert headers["content-length"] == str(len(big)) and "transfer-encoding" not in headers


def test_a_slow_reader_holds_the_upstream_back(start_gateway):
    """A download of any size takes the memory of a moment of it."""
    sent = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 30))
            connection.settimeout(2)
            with contextlib.suppress(OSError):  # nobody takes more
                while sum(sent) < 1 << 30:
                    sent.append(connection.send(b"x" * (1 << 20)))

    thread = threading.Thread(target=serve)
    thread.start()
    gateway = start_gateway(f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
    with socket.create_connection(("127.0.0.1", gateway.port)) as reader:
        reader.sendall(b"GET /v1/files/f-1/content HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert reader.recv(100).startswith(b"HTTP/1.1 200 ")
        thread.join()
    listener.close()
    assert 0 < sum(sent) < 32 << 20
