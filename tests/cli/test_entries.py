"""set, get, stats as a shell user meets them."""

import json

import pytest

QUESTION = "How do I reset my password?"
PARAPHRASE = "How can I reset my password?"


def test_set_then_get_by_the_same_words_and_by_others(sosie, tmp_path):
    data = tmp_path / "data"
    entry = sosie("set", QUESTION, "Settings, Security, Reset.", "--data", data).stdout.decode().strip()
    assert len(entry) == 32 and set(entry) <= set("0123456789abcdef")

    exact = sosie("get", QUESTION, "--data", data)
    assert exact.stdout == b"Settings, Security, Reset.\n"

    hit = json.loads(sosie("get", PARAPHRASE, "--data", data, "--json").stdout)
    assert hit["hit"] and hit["id"] == entry and hit["layer"] == "semantic" and 0.85 <= hit["similarity"] < 1

    miss = json.loads(sosie("get", "What is the capital of France?", "--data", data, "--json", code=1).stdout)
    assert not miss["hit"] and miss["reason"] == "below_threshold" and miss["nearest"] < 0.5
    assert json.loads(sosie("stats", "--data", data, "--json").stdout)["entries"] == 1


def test_scope_threshold_and_attributes_are_obeyed(sosie, tmp_path):
    data = tmp_path / "data"
    sosie("set", QUESTION, "answer", "--data", data, "--scope", "a", "--attribute", "lang=en")
    sosie("get", QUESTION, "--data", data, code=1)
    sosie("get", PARAPHRASE, "--data", data, "--scope", "a", "--threshold", "1", code=1)
    sosie("get", PARAPHRASE, "--data", data, "--scope", "a", "--attribute", "lang=fr", code=1)
    sosie("get", PARAPHRASE, "--data", data, "--scope", "a", "--attribute", "lang=en")


def test_an_answer_from_standard_input_is_kept_byte_for_byte(sosie, tmp_path):
    data = tmp_path / "data"
    answer = "line one\nline two\t\u00e9\x00 end".encode()
    sosie("set", QUESTION, "-", "--data", data, stdin=answer)
    assert sosie("get", QUESTION, "--data", data).stdout == answer + b"\n"


def test_a_long_text_is_found_by_itself_only(sosie, tmp_path):
    data = tmp_path / "data"
    text = ("one line of a log\n" * 1200 + "What is wrong?").encode()
    sosie("set", "-", "answer", "--data", data, stdin=text)
    assert sosie("get", "-", "--data", data, stdin=text).stdout == b"answer\n"
    miss = json.loads(sosie("get", "-", "--data", data, "--json", stdin=text + b"?", code=1).stdout)
    assert miss == {"hit": False, "reason": "long_prompt"}
    exported = sosie("export", "--data", data).stdout
    assert json.loads(exported)["exact_only"] is True
    row = json.loads(exported)
    del row["exact_only"]  # As an earlier version wrote it.
    assert sosie("import", "-", "--data", tmp_path / "second", stdin=json.dumps(row).encode()).stdout == b"1 stored\n"
    assert sosie("get", "-", "--data", tmp_path / "second", stdin=text).stdout == b"answer\n"
    report = json.loads(sosie("replay", "-", "--json", stdin=b"\n".join(json.dumps({"question": text.decode()}).encode() for _ in range(2))).stdout)
    assert (report["asked"], report["stored"], report["exact_hits"], report["semantic_hits"]) == (2, 1, 1, 0)


def test_a_ttl_ends(sosie, tmp_path):
    data = tmp_path / "data"
    sosie("set", QUESTION, "answer", "--data", data, "--ttl", "1ms")
    sosie("get", QUESTION, "--data", data, code=1)  # starting the process takes longer than the entry lives


def test_mistakes_are_named_and_cost_nothing(sosie, tmp_path):
    data = tmp_path / "data"
    sosie("set", QUESTION, "answer", "--data", data)
    for arguments, named in [
        (("set", "  ", "x"), b"blank"),
        (("set", b"\xff".decode("utf-8", "surrogateescape"), "x"), b"UTF-8"),
        (("get", QUESTION, "--threshold", "1.5"), b"--threshold"),
        (("set", QUESTION, "x", "--ttl", "soon"), b"--ttl"),
        (("set", QUESTION, "x", "--ttl", "106751991167d"), b"--ttl"),
        (("set", QUESTION, "x", "--attribute", "novalue"), b"--attribute"),
        (("get", QUESTION, "--model", tmp_path / "nowhere"), b"nowhere"),
        (("get", QUESTION, "--precision", "fp64"), b"--precision"),
        (("get", QUESTION, "--threshold", "nan"), b"threshold"),
        (("set", QUESTION, "x", "--ttl", "0s"), b"--ttl"),
        (("set", QUESTION, "x", "--ttl", "-1s"), b"--ttl"),
        (("set", QUESTION, "x", "--cost", "-1"), b"--cost"),
        (("set", QUESTION, "x", "--cost", "nan"), b"cost"),
    ]:
        done = sosie(*arguments, "--data", data, code=2)
        assert named in done.stderr, (arguments, done.stderr)
    assert sosie("get", QUESTION, "--data", data).stdout == b"answer\n"


def test_a_folder_in_use_is_named(sosie, serve, tmp_path):
    data = tmp_path / "data"
    with serve("--data", data):
        done = sosie("get", QUESTION, "--data", data, code=2)
        assert str(data).encode() in done.stderr


def test_doctor_beside_a_running_server_says_who_has_the_store(sosie, serve, tmp_path):
    data = tmp_path / "data"
    with serve("--data", data) as server:
        said = sosie("doctor", "--data", data).stdout.decode()
        assert f"in use by process {server.process.pid}" in said and "missing" not in said
        assert "encoder" in said and "upstream" in said
    assert "0 entries" in sosie("doctor", "--data", data).stdout.decode()


NO_SIZES = ["-1", "-1GB", "18446744073709551616", "9223372036854775808", "99999999999GB", "1.5GB", "1XB", "many", ""]


@pytest.mark.parametrize("size", NO_SIZES)
def test_what_is_no_size_is_refused(sosie, tmp_path, size):
    for command in [("set", QUESTION, "x"), ("serve",), ("import", "/dev/null"), ("replay", "/dev/null")]:
        assert b"--max-bytes" in sosie(*command, f"--max-bytes={size}", "--data", tmp_path / "data", code=2).stderr
    assert b"--max-body-bytes" in sosie("serve", f"--max-body-bytes={size}", "--data", tmp_path / "data", code=2).stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("number", ["-1", "18446744073709551616", "1.5", "many", "nan"])
def test_what_is_no_count_is_refused(sosie, tmp_path, number):
    for command, flag in [
        (("serve",), "--io-threads"),
        (("serve",), "--encoder-threads"),
        (("embed",), "--threads"),
        (("import", "/dev/null"), "--threads"),
        (("replay", "/dev/null"), "--worst"),
        (("bench", "embed"), "--tokens"),
        (("bench", "embed"), "--batch"),
        (("bench", "embed"), "--repeats"),
        (("bench", "search"), "--entries"),
        (("bench", "search"), "--dimension"),
        (("bench", "http"), "--connections"),
    ]:
        assert flag.encode() in sosie(*command, f"{flag}={number}", code=2).stderr, (command, flag)
    if number != "1.5":
        assert b"--seconds" in sosie("bench", "http", f"--seconds={number}", code=2).stderr


def test_nobody_else_can_read_the_entries(sosie, tmp_path):
    data = tmp_path / "data"
    sosie("set", QUESTION, "answer", "--data", data)
    assert data.stat().st_mode & 0o077 == 0
    for file in data.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


@pytest.mark.parametrize("command", [("get", QUESTION), ("stats",), ("export", "-")], ids=lambda command: command[0])
def test_who_reads_makes_no_store(sosie, tmp_path, command):
    said = sosie(*command, "--data", tmp_path / "nowhere", code=2)
    assert b"nowhere: name it with --data" in said.stderr and not said.stdout
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "other").mkdir()
    assert b"sosie.db" in sosie(*command, "--data", tmp_path / "other", code=2).stderr
    assert not list((tmp_path / "other").iterdir())


def test_doctor_makes_nothing(sosie, tmp_path):
    assert b"does not exist yet" in sosie("doctor", "--data", tmp_path / "nowhere").stdout
    assert b"holds no entries yet" in sosie("doctor", "--data", tmp_path).stdout
    assert not list(tmp_path.iterdir())


def test_a_question_from_standard_input(sosie, tmp_path):
    data = tmp_path / "data"
    sosie("set", "-", "answer", "--data", data, stdin=QUESTION.encode() + b"\r\n")
    for stdin in [QUESTION.encode() + b"\n", QUESTION.encode()]:
        found = sosie("get", "-", "--data", data, stdin=stdin)
        assert found.stdout == b"answer\n" and b"similarity 1.0" in found.stderr
    assert b"standard input" in sosie("set", "-", "-", "--data", data, stdin=b"x", code=2).stderr


def test_similarity_one_is_printed_for_the_same_text_only(sosie, tmp_path):
    data = tmp_path / "data"
    sosie("set", "What is the capital of France?", "Paris", "--data", data)
    assert b"similarity 0.9" in sosie("get", "what is the capital of france?", "--data", data).stderr
    assert b"similarity 1.0" in sosie("get", "What is the capital of France?", "--data", data).stderr


def test_help_has_examples(sosie):
    for command in ["serve", "set", "get", "stats", "embed", "bench", "replay", "doctor"]:
        assert b"Example" in sosie(command, "--help").stdout
    sosie(code=2)
    sosie("nonsense", code=2)


def test_doctor_says_what_is_missing(sosie, tmp_path):
    healthy = sosie("doctor", "--data", tmp_path / "data").stdout
    assert b"missing" not in healthy and b"encoder" in healthy
    broken = sosie("doctor", "--data", tmp_path / "data", "--model", tmp_path / "nowhere", code=2).stdout
    assert b"missing" in broken and b"nowhere" in broken
