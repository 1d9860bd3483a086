"""set, get, stats as a shell user meets them."""

import json

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
    ]:
        done = sosie(*arguments, "--data", data, code=2)
        assert named in done.stderr, (arguments, done.stderr)
    assert sosie("get", QUESTION, "--data", data).stdout == b"answer\n"


def test_a_folder_in_use_is_named(sosie, serve, tmp_path):
    data = tmp_path / "data"
    with serve("--data", data):
        done = sosie("get", QUESTION, "--data", data, code=2)
        assert str(data).encode() in done.stderr


def test_nobody_else_can_read_the_entries(sosie, tmp_path):
    data = tmp_path / "data"
    sosie("set", QUESTION, "answer", "--data", data)
    assert data.stat().st_mode & 0o077 == 0
    for file in data.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


def test_stats_of_a_folder_that_is_not_there_makes_none(sosie, tmp_path):
    assert b"nowhere" in sosie("stats", "--data", tmp_path / "nowhere", code=2).stderr
    assert not (tmp_path / "nowhere").exists()


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
