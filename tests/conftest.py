"""What every test with a real process shares."""

import os
import pathlib
import subprocess

import pytest
from redis_process import Redis

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def sosie_bin():
    """The binary under test: $SOSIE_BIN, else the release build's."""
    path = pathlib.Path(os.environ.get("SOSIE_BIN", ROOT / "build/release/bin/sosie"))
    if not path.exists():
        pytest.fail(f"{path} is not built: run script/build")
    return path


@pytest.fixture(scope="session")
def sosie_data():
    """The folder of labelled questions; not part of the project."""
    folder = os.environ.get("SOSIE_DATA")
    if not folder or not pathlib.Path(folder).is_dir():
        pytest.skip("SOSIE_DATA names no folder of labelled questions")
    return pathlib.Path(folder)


@pytest.fixture
def sosie(sosie_bin):
    """Runs the binary: sosie("get", "…", code=1) -> CompletedProcess. `code` is the exit code that must come."""

    def run(*arguments, code=0, stdin=None, timeout=120, env=None):
        done = subprocess.run(
            [sosie_bin, *map(str, arguments)], input=stdin, capture_output=True, timeout=timeout, env={**os.environ, **(env or {})}
        )
        assert done.returncode == code, (arguments, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
        return done

    return run


class Server:
    """`sosie serve` on a free port of loopback. Leaving the context sends SIGTERM and wants a clean end."""

    def __init__(self, binary, arguments, env):
        listen = [] if "--listen" in arguments else ["--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen([binary, "serve", *listen, *map(str, arguments)], stdout=subprocess.PIPE, env=env)
        self.greeting = self.process.stdout.readline().decode()
        assert self.greeting.startswith("listening on http://"), self.greeting
        self.url = self.greeting.split()[-1]
        while line := self.process.stdout.readline().decode().strip("\n"):  # address and data, a blank line, then the things to try
            self.greeting += line + "\n"
        while line := self.process.stdout.readline().decode().strip("\n"):
            self.greeting += line + "\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.stdout.close()
        assert self.process.wait(timeout=30) == 0


@pytest.fixture
def serve(sosie_bin):
    """serve("--data", folder, …) -> Server, without the upstream that the environment may name."""

    def start(*arguments, env=None):
        quiet = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "ANTHROPIC_"))}
        return Server(sosie_bin, arguments, {**quiet, **(env or {})})

    return start


@pytest.fixture(scope="session")
def redis_home():
    """The folder with bin/redis-server, bin/redis-benchmark and lib/redisearch.so."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    home = pathlib.Path(os.environ.get("SOSIE_REDIS_HOME") or cache / "sosie/redis-7.4")
    if not (home / "bin/redis-server").exists() or not (home / "lib/redisearch.so").exists():
        pytest.skip("no Redis to test against: run script/bootstrap --with-tests, or let SOSIE_REDIS_HOME name one")
    return home


@pytest.fixture
def redis_server(redis_home):
    """redis_server("--requirepass", "secret", search=True) -> Redis. As many as a test likes; all end with it."""
    servers = []

    def start(*arguments, search=True):
        servers.append(Redis(redis_home, arguments, search))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.remove()
