"""What the gateway's benchmarks share: servers on loopback and their cost, the load generator, questions of 16 tokens."""

import itertools
import json
import os
import pathlib
import random
import re
import resource
import signal
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEY = "Authorization: Bearer bench-key"


class Server:
    """A process that prints its URL (or answers at `url`, if given)."""

    def __init__(self, *command, url=None, env=None, cwd=None, log=subprocess.DEVNULL):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "ANTHROPIC_", "SOSIE_CONFIG"))}
        out = log if url else subprocess.PIPE
        self.process = subprocess.Popen([*map(str, command)], stdout=out, stderr=log, text=True, env={**kept, **(env or {})}, cwd=cwd, preexec_fn=_many_files)
        self.url = url or re.search(r"http://\S+", self.process.stdout.readline())[0]
        self.port = int(self.url.rsplit(":", 1)[1])

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split(" ")
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self):
        """(resident, proportional share): MB of 10^6 bytes."""
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return tuple(int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M)[1]) * 1024 / 1e6 for name in ("Rss", "Pss"))

    def metric(self, name):
        """Sum of the samples whose line begins with `name`."""
        with urllib.request.urlopen(self.url + "/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    def ask(self, path, body, *headers):
        """(status, headers, text); errors too."""
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), dict(line.split(": ", 1) for line in headers))
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _many_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def add_options(parser):
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release", help="its bin/ has the servers and the load generator")
    parser.add_argument("--sosie", type=pathlib.Path, help="another binary than the build's")


def binary(arguments, name):
    return arguments.sosie if name == "sosie" and arguments.sosie else arguments.build / "bin" / name


def serve(arguments, upstream, folder, *more, program=None):
    command = [program or binary(arguments, "sosie"), "serve", "--listen", "127.0.0.1:0", "--data", folder, "--upstream", upstream.url + "/v1"]
    return Server(*command, *more)


def load(arguments, server, *options, path="/v1/chat/completions", body=None, bodies=None, headers=(KEY,), may_fail=False):
    """What http_load saw, and `cpu_us` of the server a request. `body`: an object; `bodies`: a list of them, taken in turns."""
    command = [binary(arguments, "http_load"), "--port", server.port, "--path", path, *(word for line in headers for word in ("--header", line))]
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        if bodies is not None:
            file.write("".join(json.dumps(one) + "\n" for one in bodies))
            file.flush()
        what = ["--bodies", file.name] if bodies is not None else ["--body", json.dumps(body)]
        before = server.cpu_seconds()
        done = subprocess.run([*map(str, [*command, *what, *options])], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert may_fail or seen["errors"] + seen["broken"] == 0, seen
    seen["cpu_us"] = (server.cpu_seconds() - before) / max(1, seen["answered"] + seen["errors"]) * 1e6
    return seen


def fill(arguments, sosie, bodies):
    """Has every answer stored, though an entry may be near; no faster than the encoder embeds. How many entries there are."""
    for begin in range(0, len(bodies), 64):
        part = bodies[begin : begin + 64]
        load(arguments, sosie, "--requests", len(part), "--connections", 4, bodies=part, headers=(KEY, "x-sosie-cache-control: no-cache"))
        settle(sosie)
    return int(sosie.metric("sosie_cache_entries"))


def settle(sosie):
    """Until what is stored in the background is stored."""
    quiet = 0
    while quiet < 2:
        quiet = quiet + 1 if sosie.metric("sosie_queued") == 0 else 0
        time.sleep(0.002)


def median(rounds, key):
    return statistics.median(one[key] for one in rounds)


def chat(question, **more):
    return {"model": "stub-model", "messages": [{"role": "user", "content": question}], **more}


VERBS = "clean move open close paint repair sell store wash find".split()
KINDS = "old new small large white wooden heavy cheap broken green".split()
THINGS = "table chair window door garden kitchen boat car house bicycle".split()
WHENS = "summer winter wedding holiday meeting party journey season market storm".split()


def questions(ask):
    """10,000 of 16 tokens, special tokens included. `ask`: five words that begin it."""
    parts = itertools.product(VERBS, KINDS, THINGS, WHENS)
    return [f"{ask} how to {verb} my {kind} {thing} before the {when}" for verb, kind, thing, when in parts]


STORED = "can you please tell me"
OTHER_WORDINGS = ["could you please tell me", "would you please tell me", "can you kindly tell me", "can you please show me", "can you please explain me"]


def unlike_questions(count, seed):
    """Of 16 tokens, words at random: none is like another."""
    words = (
        "time people water house work music light school river paper stone horse money bread train winter doctor forest glass king island ship "
        "letter voice church market heart night village engine color table machine garden dinner mountain dance army picture metal window summer "
        "sugar bridge fire brother animal ocean science hotel story camera cotton planet law butter dog prison chair rain farm theater hospital"
    ).split()
    choose = random.Random(seed)
    return [" ".join(choose.sample(words, 14)) for _ in range(count)]
