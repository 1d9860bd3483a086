"""sosie.SemanticCache, with the real model."""

import datetime
import subprocess
import sys
import threading
import time

import pytest

sosie = pytest.importorskip("sosie")

QUESTION, PARAPHRASE = "How do I reset my password?", "How can I reset my password?"


@pytest.fixture(scope="module")
def encoder():
    return sosie.LocalEncoder()


@pytest.fixture
def cache(encoder):
    with sosie.SemanticCache(encoder=encoder) as opened:
        yield opened


def test_a_question_then_its_paraphrase(cache):
    missed = cache.lookup(QUESTION)
    assert not missed and missed.response is None and missed.hit is None and missed.reason == "empty_scope"
    cache.store(QUESTION, "Click on 'forgot'.", embedding=missed.embedding)
    assert cache.stats().embeddings == 1  # the lookup's, used again

    exact = cache.lookup(QUESTION)
    assert exact and exact.response == "Click on 'forgot'." and exact.hit.layer == "exact" and exact.hit.similarity == 1
    near = cache.lookup(PARAPHRASE)
    assert near.hit.layer == "semantic" and 0.85 <= near.hit.similarity < 1 and near.hit.entry.prompt == QUESTION
    assert not cache.lookup("What is the capital of France?")
    stats = cache.stats()
    assert (stats.exact_hits, stats.semantic_hits, stats.misses, stats.entries) == (1, 1, 2, 1)


def test_a_long_text_answers_itself_only(cache):
    text = "one line of a log\n" * 1200
    missed = cache.lookup(text)
    assert (missed.reason, missed.embedding) == ("long_prompt", None)
    cache.store(text, "answer", embedding=missed.embedding)
    assert cache.lookup(text).hit.layer == cache.lookup(text, layers="semantic").hit.layer == "exact"
    assert cache.lookup(text + "?").reason == "long_prompt"
    assert cache.stats().embeddings == 0


def test_python_types_go_in_and_come_out(cache):
    before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(milliseconds=1)
    id = cache.store(
        QUESTION, "é \U0001f600", scope="tenant", attributes={"user": "ann"}, ttl=datetime.timedelta(hours=1)
    )
    entry = cache.get(id)
    assert (entry.id, entry.scope, entry.response, entry.attributes) == (id, "tenant", "é \U0001f600", {"user": "ann"})
    assert before <= entry.created <= datetime.datetime.now(datetime.timezone.utc)
    assert entry.expires - entry.created == datetime.timedelta(hours=1)
    hit = cache.lookup(QUESTION, scope="tenant", attributes={"user": "ann"}).hit
    assert datetime.timedelta(0) <= hit.age < datetime.timedelta(minutes=1)
    assert (
        cache.store("bytes are taken too", b"\xff raw", scope=b"\xfe")
        and cache.lookup("bytes are taken too", scope=b"\xfe").response == "\udcff raw"
    )
    assert QUESTION not in repr(hit) + repr(entry)


def test_scopes_attributes_and_layers_narrow(cache):
    cache.store(QUESTION, "A", scope="a", attributes={"user": "ann"})
    assert not cache.lookup(QUESTION, scope="b")
    assert not cache.lookup(QUESTION, scope="a", attributes={"user": "bob"})
    assert cache.lookup(PARAPHRASE, scope="a", layers="exact").reason == "not_exact"
    assert not cache.lookup(PARAPHRASE, scope="a", threshold=1)
    assert cache.lookup(QUESTION.upper(), scope="a", layers="exact", ignore_case=True)
    time.sleep(0.01)
    assert cache.lookup(QUESTION, scope="a", max_age=0.005).reason == "filtered"
    assert cache.lookup(QUESTION, scope="a", max_age=datetime.timedelta(minutes=1))


def test_erasing(cache):
    first = cache.store(QUESTION, "A", scope="a", attributes={"user": "ann"})
    cache.store("What is the capital of France?", "Paris", scope="a", attributes={"user": "ann"})
    cache.store("Who wrote Hamlet?", "Shakespeare", scope="b")
    assert cache.erase(first) is True and cache.erase(first) is False and cache.get(first) is None
    assert cache.erase_where({"user": "ann"}, scope="a") == 1
    assert cache.clear("a") == 0 and cache.clear() == 1 and cache.stats().entries == 0


def test_expired_entries_are_gone(cache):
    cache.store(QUESTION, "A", ttl=0.02)
    time.sleep(0.03)
    assert not cache.lookup(QUESTION)
    cache.sweep()
    assert cache.stats().entries == 0


def test_entries_of_another_precision_are_embedded_anew(tmp_path, encoder):
    with sosie.SemanticCache(tmp_path, precision="f32") as former:
        former.store(QUESTION, "Click.")
        former.store("Who wrote Hamlet?", "Shakespeare")
        assert former.reembed() == 0
    with sosie.SemanticCache(tmp_path, encoder=encoder) as cache:
        assert cache.lookup(QUESTION) and not cache.lookup(PARAPHRASE)
        assert cache.reembed(0) == 2 and cache.reembed(1) == 1
        worker = threading.Thread(target=cache.reembed)
        worker.start()
        worker.join()
        assert cache.lookup(PARAPHRASE).response == "Click."
        assert (cache.stats().reembedded, cache.stats().reembed_left) == (2, 0)


def test_entries_survive_on_disk_and_the_folder_is_locked(tmp_path, encoder):
    with sosie.SemanticCache(tmp_path / "data", encoder=encoder) as cache:
        cache.store(QUESTION, "A")
        with pytest.raises(sosie.UnavailableError) as busy:
            sosie.SemanticCache(tmp_path / "data", encoder=encoder)
        assert busy.value.code == "unavailable"
    with sosie.SemanticCache(str(tmp_path / "data"), encoder=encoder) as again:
        assert again.lookup(PARAPHRASE).response == "A"


def test_errors_are_python_exceptions(cache, tmp_path):
    with pytest.raises(sosie.InvalidArgumentError) as wrong:
        cache.lookup(QUESTION, threshold=1.5)
    assert (
        isinstance(wrong.value, ValueError)
        and isinstance(wrong.value, sosie.Error)
        and wrong.value.code == "invalid_argument"
    )
    for call in (
        lambda: cache.store(" ", "blank"),
        lambda: cache.lookup(QUESTION, layers="nearest"),
        lambda: cache.lookup(QUESTION, max_results=0),
        lambda: cache.store(QUESTION, "A", ttl=-1),
        lambda: cache.store(QUESTION, "A", ttl=float("nan")),
        lambda: cache.lookup("\ud800"),
        lambda: cache.lookup(b"\xff"),
        lambda: cache.erase_where({}),
    ):
        with pytest.raises(ValueError):
            call()
    for call in (
        lambda: cache.lookup(1),
        lambda: cache.store(QUESTION, None),
        lambda: cache.store(QUESTION, "A", ttl="1"),
    ):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(sosie.NotFoundError):
        sosie.LocalEncoder(tmp_path / "no such model")


def test_a_closed_cache_says_so(encoder):
    cache = sosie.SemanticCache(encoder=encoder)
    cache.close()
    cache.close()
    assert cache.closed
    with pytest.raises(ValueError, match="closed"):
        cache.lookup(QUESTION)


def test_the_gil_is_free_while_it_works(encoder):
    texts = [f"{n}: " + "a long text " * 100 for n in range(40)]
    started, ticks = threading.Event(), 0

    def work():
        started.set()
        encoder.embed(texts)

    thread = threading.Thread(target=work)
    before = time.monotonic()
    thread.start()
    started.wait()
    longest = 0.0
    while thread.is_alive():
        tick = time.monotonic()
        time.sleep(0.001)
        longest = max(longest, time.monotonic() - tick)
        ticks += 1
    total = time.monotonic() - before
    assert ticks > 10 and longest < total / 2, (ticks, longest, total)


def test_many_threads_share_one_cache(cache):
    failures = []

    def work(number):
        try:
            for turn in range(20):
                prompt = f"What is {number} plus {turn}?"
                cache.store(prompt, str(number + turn), scope=str(number))
                assert cache.lookup(prompt, scope=str(number)).response == str(number + turn)
        except Exception as failure:  # reported by the main thread
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and cache.stats().entries == 160


def test_a_program_may_end_without_closing(tmp_path):
    script = "import sosie, sys; c = sosie.SemanticCache(sys.argv[1]); c.store('Who wrote Hamlet?', 'Shakespeare')"
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "data"], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    with sosie.SemanticCache(tmp_path / "data") as cache:
        assert cache.lookup("Who wrote Hamlet?").response == "Shakespeare"


def test_every_public_name_has_a_docstring_and_a_stub():
    stub = open(sosie.__path__[0] + "/_core.pyi").read()
    for name in sosie.__all__:
        thing = getattr(sosie, name)
        assert name.startswith("__") or thing.__doc__, name
        if getattr(thing, "__module__", "") == "sosie._core":
            assert f"class {name}:" in stub or f"class {name}(" in stub
            for member in vars(thing):
                assert member.startswith("_") or f"def {member}(" in stub, (name, member)


def test_vectors_of_an_endpoint(endpoint):
    remote = sosie.RemoteEncoder("a-model", url=endpoint.url, prefix="query: ", timeout=datetime.timedelta(seconds=30))
    assert isinstance(remote, sosie.Encoder) and remote.dimension == 384 and remote.max_tokens == 256
    assert remote.fingerprint != sosie.RemoteEncoder("another", url=endpoint.url, dimension=384).fingerprint
    with sosie.SemanticCache(encoder=remote) as cache:
        cache.store(QUESTION, "Click on 'forgot'.")
        assert cache.lookup(PARAPHRASE).response == "Click on 'forgot'."
        assert endpoint.texts()[-2:] == ["query: " + QUESTION, "query: " + PARAPHRASE]
        endpoint.status = 500
        with pytest.raises(sosie.UnavailableError) as failure:
            cache.lookup("What is the capital of France?")
        assert "capital" not in str(failure.value)  # no prompt in an error
        assert cache.lookup(QUESTION).hit.layer == "exact"


def test_an_endpoint_that_is_not_there():
    with pytest.raises(sosie.UnavailableError):
        sosie.RemoteEncoder("a-model", url="http://127.0.0.1:1/v1")
    with pytest.raises(sosie.InvalidArgumentError):
        sosie.RemoteEncoder("a-model", url="not a url")
