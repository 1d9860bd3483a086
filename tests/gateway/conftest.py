"""A gateway in front of a stub upstream: the real binary, on a port of its own."""

import contextlib
import fcntl
import http.client
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest
from stub_upstream import StubUpstream

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Gateway:
    def __init__(self, binary, data, upstream, env, arguments):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "ANTHROPIC_"))}
        command = [binary, "serve", "--listen", "127.0.0.1:0"]
        if "--store" not in arguments:
            command += ["--data", data]
        if upstream:
            command += ["--upstream", upstream]
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [*map(str, command), *arguments], stdout=subprocess.PIPE, stderr=self.log, text=True, env={**clean, **env}
        )
        line = self.process.stdout.readline()
        found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", line)
        assert found, (line, self.errors())
        self.port = int(found[1])

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def errors(self):
        self.log.seek(0)
        return self.log.read()

    def request(self, method, path, body=None, headers=None, timeout=30):
        """(status, headers with lower-case names, body bytes); a dict is sent as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        result = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        connection.close()
        return result

    def call(self, api, text, key=None, headers=None, timeout=30, **fields):
        """A question by one of the APIs of apis.py."""
        return self.request("POST", api.path, api.ask(text, **fields), {**api.headers(key), **(headers or {})}, timeout)

    def ask(self, text, headers=None, **fields):
        """A chat request with one user message."""
        body = {"model": "stub-model", "messages": [{"role": "user", "content": text}], **fields}
        return self.request("POST", "/v1/chat/completions", body, headers)

    def metric(self, name):
        text = self.request("GET", "/metrics")[2].decode()
        for line in text.splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        return None

    def stop(self, sign=signal.SIGTERM, timeout=40):
        if self.process.poll() is None:
            self.process.send_signal(sign)
        code = self.process.wait(timeout)
        self.process.stdout.close()
        return code


@pytest.fixture
def upstream():
    stub = StubUpstream()
    yield stub
    stub.close()


@pytest.fixture
def start_gateway(sosie_bin, tmp_path):
    """start_gateway(upstream_url, *arguments, env={}, data=…) -> Gateway, stopped at the end, and then whole."""
    with contextlib.ExitStack() as stack:

        def start(upstream=None, *arguments, env=None, data=None):
            gateway = Gateway(sosie_bin, data or tmp_path / "data", upstream, env or {}, arguments)
            stack.callback(end, gateway)
            return gateway

        def end(gateway):
            lived = gateway.process.poll() is None
            code = gateway.stop()
            assert code == 0, (lived, code, gateway.errors())

        yield start


@pytest.fixture
def gateway(start_gateway, upstream):
    return start_gateway(upstream.url)


@pytest.fixture(scope="module")
def shared(sosie_bin, tmp_path_factory):
    """(gateway, stub) of a whole file's tests, which keep apart by their keys; its answers name question, key and call."""
    stub = StubUpstream()
    stub.text = None
    started = Gateway(sosie_bin, tmp_path_factory.mktemp("shared"), stub.url, {}, ())
    yield started, stub
    code, errors = started.stop(), started.errors()
    stub.close()
    assert code == 0, errors


_keys = itertools.count()


@pytest.fixture
def key():
    """A key that no other test has."""
    return f"key-{next(_keys)}"


def install_folder():
    """The folder for what tests install."""
    return pathlib.Path(os.environ.get("SOSIE_TEST_CACHE", ROOT / "build"))


@contextlib.contextmanager
def one_at_a_time(name):
    """For what is installed once, also where several processes run the tests."""
    folder = install_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder / name


@pytest.fixture(scope="module")
def langcache_servers(sosie_bin, tmp_path_factory):
    """The URLs of a gateway that takes bodies of 64 KiB, and of one whose store is out of reach."""
    gateways = [
        Gateway(sosie_bin, tmp_path_factory.mktemp("langcache"), None, {}, ("--max-body-bytes", "64kB")),
        Gateway(sosie_bin, None, None, {}, ("--store", "redis://127.0.0.1:1")),
    ]
    yield [gateway.url for gateway in gateways]
    for gateway in gateways:
        assert gateway.stop() == 0, gateway.errors()


@pytest.fixture(scope="session")
def langcache_python():
    """langcache_python("0.12.0") -> an interpreter with that version of the client, installed once."""

    def install(version):
        with one_at_a_time(f"venv-langcache-{version}") as folder:
            python = folder / "bin/python"
            if not (folder / "complete").exists():
                subprocess.run([sys.executable, "-m", "venv", folder], check=True)
                subprocess.run([python, "-m", "pip", "--disable-pip-version-check", "install", "-q", f"langcache=={version}"], check=True)
                (folder / "complete").touch()
        return python

    return install


@pytest.fixture(scope="session")
def node_folder():
    """The folder of tests/node with the clients for Node, installed once for each lock file."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("no node and npm: run script/bootstrap --with-tests")
    with one_at_a_time("node-sdks") as folder:
        folder.mkdir(parents=True, exist_ok=True)
        lock, wanted = folder / "package-lock.json", ROOT / "tests/node/package-lock.json"
        if not lock.exists() or lock.read_bytes() != wanted.read_bytes() or not (folder / "node_modules").exists():
            shutil.copy(ROOT / "tests/node/package.json", folder)
            shutil.copy(wanted, folder)
            try:
                subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)
            except subprocess.CalledProcessError:
                lock.unlink()
                raise
        for script in (ROOT / "tests/node").glob("*.mjs"):
            shutil.copy(script, folder)
    return folder
