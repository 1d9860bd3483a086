"""Ctrl-C in commands that take long: they end at once, say what was done, and exit with 130."""

import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import time

import pytest

QUESTIONS = [f"Who wrote volume {i} of the encyclopedia of rare birds?" for i in range(100_000)]


class Terminal:
    """A command whose standard error is a terminal, where it shows how far it is."""

    def __init__(self, binary, *arguments):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([binary, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=slave)
        os.close(slave)
        self.said = b""

    def wait_for(self, word):
        while word not in self.said:
            self.said += os.read(self.master, 4096)

    def end(self, sign=signal.SIGINT):
        """(exit code, standard output, standard error)"""
        self.process.send_signal(sign)
        out = self.process.stdout.read()
        code = self.process.wait(timeout=60)
        try:
            while piece := os.read(self.master, 4096):
                self.said += piece
        except OSError:
            pass  # nobody has the terminal any more
        os.close(self.master)
        self.process.stdin.close()
        self.process.stdout.close()
        return code, out, self.said.decode()


@pytest.mark.parametrize("sign, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_replay_reports_what_it_has(sosie_bin, tmp_path, sign, code):
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS))
    terminal = Terminal(sosie_bin, "replay", file, "--json")
    terminal.wait_for(b"asking 500 of 100000")
    ended, out, said = terminal.end(sign)
    assert ended == code and "interrupted: this is of a part of the 100000 questions" in said
    report = json.loads(out)
    assert 500 <= report["asked"] < 100_000


def test_replay_that_waits_for_questions_ends(sosie_bin):
    terminal = Terminal(sosie_bin, "replay", "-")
    terminal.process.stdin.write(b"7\n")  # It is no question, which is said: it reads.
    terminal.process.stdin.flush()
    terminal.wait_for(b"standard input:1")
    code, out, said = terminal.end()
    assert code == 130 and not out and "interrupted: no question was asked" in said


def test_import_counts_what_is_stored(sosie, sosie_bin, tmp_path):
    file = tmp_path / "entries.jsonl"
    file.write_text("".join(json.dumps({"prompt": question, "response": "answer"}) + "\n" for question in QUESTIONS))
    terminal = Terminal(sosie_bin, "import", file, "--data", tmp_path / "data")
    terminal.wait_for(b" entries")
    code, out, said = terminal.end()
    assert code == 130 and "doing it again is harmless" in said
    stored = int(out.split(b" stored")[0])
    assert 0 < stored < 100_000
    assert json.loads(sosie("stats", "--data", tmp_path / "data", "--json").stdout)["entries"] == stored


def test_export_says_that_it_is_not_whole(sosie, sosie_bin, tmp_path):
    entries = "".join(json.dumps({"prompt": f"{i} {'x' * 1000}", "response": "y" * 5000, "exact_only": True}) + "\n" for i in range(200))
    sosie("import", "-", "--data", tmp_path, stdin=entries.encode())
    terminal = Terminal(sosie_bin, "export", "--data", tmp_path)
    assert terminal.process.stdout.read(1) == b"{"  # More than a pipe holds is to come, and nobody reads it.
    code, out, said = terminal.end()
    assert code == 130 and "not all entries are in the output" in said


@pytest.mark.parametrize("bench", [("embed", "--repeats", "1000000000"), ("http", "--seconds", "600")], ids=lambda bench: bench[0])
def test_a_benchmark_ends(sosie_bin, bench):
    terminal = Terminal(sosie_bin, "bench", *bench)
    while not catches(terminal.process.pid, signal.SIGINT):
        time.sleep(0.01)
    code, out, said = terminal.end()
    assert code == 130 and "interrupted" in said
    assert b"median_ms" in out or "nothing was measured" in said


def catches(process, sign):
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16) >> (sign - 1) & 1
