"""A real Redis server with the search module, for tests."""

import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time


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

    def client(self, **settings):
        """The `redis` package's, where that is installed."""
        import redis

        return redis.Redis(port=self.port, **settings)

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
