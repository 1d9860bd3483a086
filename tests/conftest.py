"""What every test with a real process shares."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

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
        self.process = subprocess.Popen(
            [binary, "serve", "--listen", "127.0.0.1:0", *map(str, arguments)], stdout=subprocess.PIPE, env=env
        )
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
        quiet = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
        return Server(sosie_bin, arguments, {**quiet, **(env or {})})

    return start


class Redis:
    """A real Redis server with the search module, on a free port of loopback, with a folder of its own; nothing is kept on disk
    unless `arguments` (for redis-server, behind ours) say so."""

    def __init__(self, home, arguments, search):
        self.home, self.folder = home, pathlib.Path(tempfile.mkdtemp(prefix="sosie-redis-"))
        self.process = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        module = ["--loadmodule", home / "lib/redisearch.so"] if search else []
        self.command = [home / "bin/redis-server", "--bind", "127.0.0.1", "--port", self.port, "--save", "", "--dir", self.folder]
        self.command = [str(word) for word in [*self.command, *module, *arguments]]

    def start(self):
        """On the same port."""
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < until, (self.folder / "log").read_text()
            time.sleep(0.005)

    def stop(self):
        """As an administrator stops it."""
        self._end(signal.SIGTERM)

    def kill(self):
        """As a crash does."""
        self._end(signal.SIGKILL)

    def restart(self):
        self.stop()
        self.start()

    def stop_answering(self):
        """Connections are still accepted, by the system; nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def answer_again(self):
        self.process.send_signal(signal.SIGCONT)

    def cli(self, *words):
        """What redis-cli prints for one command; an error of the server is printed, too."""
        done = subprocess.run(
            [self.home / "bin/redis-cli", "-p", str(self.port), *map(str, words)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout.rstrip("\n")

    def remove(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, how):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=30)

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
                line.sendall(b"PING\r\n")
                return line.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False


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
