"""The configuration file: what it says is done, what it cannot say is named with its line, and flags win over it."""

import json
import os
import pathlib
import re
import select
import socket
import threading
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
QUESTION = "How do I reset my password?"
PARAPHRASE = "How can I reset my password?"


@pytest.fixture
def config(tmp_path):
    """config(text) -> the path of a sosie.toml that says so."""

    def write(text, name="sosie.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def clean(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "ANTHROPIC_", "REDIS_")) or name == "SOSIE_CONFIG":
            monkeypatch.delenv(name)


pytestmark = pytest.mark.usefixtures("clean")


def faults(sosie, path, *arguments):
    done = sosie("--config", path, *(arguments or ("get", QUESTION)), code=2)
    return done.stderr.decode()


def test_data_counts_from_the_files_folder_and_a_flag_wins(sosie, config, tmp_path):
    path = config('[store]\ndata = "kept"\n')
    sosie("--config", path, "set", QUESTION, "by the file")
    assert (tmp_path / "kept").is_dir()
    sosie("set", QUESTION, "by the flag", "--config", path, "--data", tmp_path / "other")
    assert sosie("get", QUESTION, "--config", path).stdout == b"by the file\n"
    assert sosie("get", QUESTION, "--data", tmp_path / "other").stdout == b"by the flag\n"


def test_it_is_found_by_flag_then_environment_then_here(sosie, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flag, named = config('[store]\ndata = "flag"\n', "flag.toml"), config('[store]\ndata = "named"\n', "named.toml")
    here = config('[store]\ndata = "here"\n')
    for arguments, env, folder in [
        ((), {}, "here"),
        ((), {"SOSIE_CONFIG": str(named)}, "named"),
        (("--config", flag), {"SOSIE_CONFIG": str(named)}, "flag"),
        ((f"--config={flag}",), {}, "flag"),
    ]:
        sosie(*arguments, "set", QUESTION, folder, env=env)
        assert sosie("get", QUESTION, "--data", folder).stdout.decode() == folder + "\n"
    here.unlink()
    assert b"no file" in sosie("doctor").stdout


def test_a_prompt_that_looks_like_the_flag_is_a_prompt(sosie, tmp_path):
    sosie("set", "--data", tmp_path / "data", "--", "--config", "answer")
    assert sosie("get", "--data", tmp_path / "data", "--", "--config").stdout == b"answer\n"


def test_the_threshold_is_the_files_unless_a_flag_says_otherwise(sosie, config, tmp_path):
    path = config(f'[store]\ndata = "{tmp_path}/data"\n[cache]\nthreshold = 1\n')
    sosie("--config", path, "set", QUESTION, "answer")
    sosie("--config", path, "get", PARAPHRASE, code=1)
    sosie("--config", path, "get", PARAPHRASE, "--threshold", "0.8")


def test_the_ttl_is_the_files(sosie, config):
    path = config('[store]\ndata = "data"\nttl = "1ms"\n')
    sosie("--config", path, "set", QUESTION, "answer")
    sosie("--config", path, "get", QUESTION, code=1)
    sosie("--config", path, "set", QUESTION, "answer", "--ttl", "1h")
    sosie("--config", path, "get", QUESTION)


@pytest.mark.parametrize(
    "text, line, named",
    [
        ("[serve]\n", 1, "[server]"),
        ("[server]\nio_thread = 2\n", 2, '"io_threads"'),
        ("[server]\nwhatever = 2\n", 2, '"listen"'),
        ("[server]\nio_threads = 0\n", 2, "from 1 to 256"),
        ('[server]\nio_threads = "2"\n', 2, "not a text"),
        ('[server]\nlisten = "8080"\n', 2, "127.0.0.1:8080"),
        ("[server]\nmax_body_bytes = 0\n", 2, "must not be 0"),
        ('[server]\nmax_body_bytes = "lots"\n', 2, "512MB"),
        ('[server]\nlookup_timeout = "2h"\n', 2, "3600000ms"),
        ("server = 1\n", 1, "must be a section"),
        ('[store]\n\ntype = "mysql"\n', 3, '"embedded", "redis"'),
        ("[store]\ntype = 1\n", 2, '"embedded", "redis"'),
        ("[store]\nttl = 5\n", 2, "90s"),
        ('[store]\nttl = "soon"\n', 2, "90s"),
        ('[store]\nttl = "0s"\n', 2, "90s"),
        ('[store]\nurl = "http://host"\n', 2, "redis://"),
        ('[store]\nurl = "redis://:s3cret@host:0"\n', 2, "port"),
        ('[store]\npassword = "s3cret"\n', 2, '"password_env"'),
        ('[store]\npassword_env = "A"\npassword_file = "b"\n', 3, "exclude each other"),
        ('[store]\nname = "a b"\n', 2, "letters, digits"),
        ("[store]\ndb = -1\n", 2, "from 0"),
        ("[store]\ndb = 1.5\n", 2, "not a number with a fraction"),
        ("[store]\npool_size = 1025\n", 2, "from 1 to 1024"),
        ('[store]\n[store.tls]\nverify = "no"\n', 3, "true or false"),
        ('[store]\n[store.tls]\ncafile = "x"\n', 3, '"ca_file"'),
        ('[store]\n[store.tls]\nclient_key = "x"\n', 2, "client_certificate"),
        ('[embedder]\nprecision = "fp64"\n', 2, '"bf16"'),
        ("[cache]\nthreshold = 1.5\n", 2, "from 0 to 1"),
        ('[cache]\nthreshold = "0.9"\n', 2, "not a text"),
        ("[cache]\nthreshold = nan\n", 2, "from 0 to 1"),
        ('[upstream]\nbase_url = "api.openai.com"\n', 2, "https://"),
        ('[upstream]\nbase_url = "https://me:s3cret@host"\n', 2, "user or password"),
        ('[upstream]\napi_key = "s3cret"\n', 2, '"api_key_env"'),
        ('[[upstream]]\nname = "a"\n', 1, '"url" is missing'),
        ('[[upstream]]\nurl = "http://a/v1"\n[[upstream]]\nurl = "a"\n', 4, "https://"),
        ('[[upstream]]\nurl = "http://a/v1"\nbase_url = "http://a/v1"\n', 3, "say it once"),
        ('[[upstream]]\nurl = "http://a/v1"\nmodels = "gpt-*"\n', 3, "list of texts"),
        ('[[upstream]]\nurl = "http://a/v1"\nmodels = []\n', 3, "at least one"),
        ('[[upstream]]\nurl = "http://a/v1"\nmodels = ["gpt-*", 4]\n', 3, "list of texts"),
        ('[[upstream]]\nurl = "http://a/v1"\nkey_header = "X-Api-Key"\n', 3, '"x-api-key"'),
        ('[[upstream]]\nurl = "http://a/v1"\nfirst_byte_timeout = "2m"\ntotal_timeout = "1m"\n', 4, "not be shorter"),
        ('upstream = ["http://a/v1"]\n', 1, "must be a section"),
        ('[gateway]\ncompat = ["portkey", "helicon"]\n', 2, '"helicone"'),
        ('[gateway]\ncompat = "portkey"\n', 2, "list of texts"),
        ("[gateway]\nopt_in = 1\n", 2, "true or false"),
        ('[gateway]\nreplay_pace = "1m"\n', 2, "10000ms"),
        ("[gateway]\nmax_kept = 0\n", 2, "must not be 0"),
        ("[gateway]\nignored_field = []\n", 2, '"ignored_fields"'),
        ('[tenant]\nby = "key"\n', 2, '"credentials"'),
        ('[tenant]\nby = "header"\n', 2, "say which"),
        ('[tenant]\nheader = "X-Tenant"\n', 2, "counts only"),
        ('[tenant]\nby = "header"\nheader = "X Tenant"\n', 3, "name of a header"),
        ('[tenant]\nmay_loosen = ["sk-s3cret"]\n', 2, "sha256sum"),
        ('[reuse]\nseed = "never"\n', 2, '"bypass"'),
        ("[reuse]\nhigh_temperature_above = 3\n", 2, "from 0 to 2"),
        ('[reuse.tools]\nwrite = "send_*"\n', 2, "list of texts"),
        ('[reuse.tools]\npure_calls = "exact"\n', 2, '"pure_call"'),
        ("[cache]\nthreshold = \n", 2, ""),
        ("[cache\n", 1, ""),
        ("[cache]\nthreshold = 0.8\nthreshold = 0.9\n", 3, ""),
    ],
)
def test_a_mistake_is_named_with_its_line(sosie, config, text, line, named):
    path = config(text)
    said = faults(sosie, path)
    assert f"{path}:{line}: " in said and named in said, said
    assert "s3cret" not in said


def test_all_mistakes_are_named_at_once_in_their_order(sosie, config):
    said = faults(sosie, config("[cache]\nthreshold = 2\n[server]\nio_threads = 0\nio_thread = 1\n"))
    lines = [int(each.split("sosie.toml:")[1].split(":")[0]) for each in said.splitlines()]
    assert lines == [2, 4, 5]


def test_a_file_that_cannot_be_read_is_named(sosie, tmp_path):
    assert "nowhere.toml" in faults(sosie, tmp_path / "nowhere.toml")
    assert "folder" in faults(sosie, tmp_path)


def test_help_works_with_a_broken_file(sosie, config):
    path = config("[broken\n")
    assert b"Example" in sosie("--config", path, "serve", "--help").stdout
    sosie("--config", path, "--version")


def test_the_server_takes_its_limits_and_says_where_they_are_from(serve, config):
    path = config('[server]\nmax_body_bytes = 100\n[store]\ndata = "kept"\n')
    with serve("--config", path) as server:
        assert str(path) in server.greeting and "kept" in server.greeting
        body = json.dumps({"prompt": QUESTION, "response": "x" * 200}).encode()
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(server.url + "/v1/caches/a/entries", body), timeout=20)
        assert refused.value.code == 413


def test_the_upstreams_key_is_that_of_the_variable_named(sosie, config):
    path = config('[upstream]\nbase_url = "http://127.0.0.1:9/v1"\napi_key_env = "MY_KEY"\n[store]\ndata = "data"\n')
    assert "MY_KEY" in faults(sosie, path, "serve")
    said = sosie("--config", path, "doctor", env={"MY_KEY": "s3cret"}).stdout.decode()
    assert "http://127.0.0.1:9/v1, key set" in said and "s3cret" not in said
    assert "MY_KEY" in sosie("--config", path, "doctor", code=2).stdout.decode()


def upstreams(sosie, path, env=None):
    """What doctor says of each."""
    said = sosie("--config", path, "doctor", env=env).stdout.decode()
    return [line.split("upstream ", 1)[1].strip() for line in said.splitlines() if line.startswith(("ok       upstream", "note     upstream"))]


def test_each_upstream_has_its_models_and_its_key(sosie, config):
    path = config(
        """
        [store]
        data = "data"
        [[upstream]]
        url = "https://api.anthropic.com/v1"
        models = ["claude-*", "haiku"]
        key_env = "CLAUDE_KEY"
        key_header = "x-api-key"
        first_byte_timeout = "2m"
        [[upstream]]
        name = "local"
        url = "http://127.0.0.1:11434/v1"
        """
    )
    keys = {"CLAUDE_KEY": "s3cret", "OPENAI_API_KEY": "s3cret-too"}
    assert upstreams(sosie, path, keys) == [
        "https://api.anthropic.com/v1 for claude-*, haiku, key set",
        "http://127.0.0.1:11434/v1, no key: the caller's is passed on",  # the environment's key is for its own URL
    ]
    assert "CLAUDE_KEY" in faults(sosie, path, "serve")


def test_the_environment_names_upstreams_where_the_file_does_not(sosie, config):
    path = config('[store]\ndata = "data"\n')
    openai = "https://api.openai.com/v1, key set"
    anthropic = "https://api.anthropic.com/v1 for claude-*, key set"
    assert "give serve --upstream" in upstreams(sosie, path)[0]
    assert upstreams(sosie, path, {"OPENAI_API_KEY": "k"}) == [openai]
    assert upstreams(sosie, path, {"ANTHROPIC_API_KEY": "k"}) == [anthropic]
    assert upstreams(sosie, path, {"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"}) == [anthropic, openai]
    base = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9/anthropic/", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    assert upstreams(sosie, path, base) == [
        "http://127.0.0.1:9/anthropic/v1 for claude-*, no key: the caller's is passed on",
        "http://127.0.0.1:9/v1, no key: the caller's is passed on",
    ]
    named = config('[store]\ndata = "data"\n[upstream]\nbase_url = "http://127.0.0.1:9/v1"\n', "named.toml")
    assert upstreams(sosie, named, {"ANTHROPIC_API_KEY": "k"}) == ["http://127.0.0.1:9/v1, no key: the caller's is passed on"]


def test_the_server_greets_with_its_upstreams_and_is_none_of_them(sosie, serve, config, tmp_path):
    path = config(
        f"""
        [store]
        data = "{tmp_path}/data"
        [[upstream]]
        url = "http://127.0.0.1:9/v1"
        models = ["gpt-*"]
        [[upstream]]
        url = "http://127.0.0.2:9/v1"
        """
    )
    with serve("--config", path) as server:
        assert "upstream     http://127.0.0.1:9/v1 for gpt-*, no key" in server.greeting
        assert "upstream     http://127.0.0.2:9/v1, no key" in server.greeting
    with serve("--config", path, "--upstream", "http://127.0.0.3:9/v1") as server:
        assert "http://127.0.0.3:9/v1, no key" in server.greeting and "127.0.0.1:9" not in server.greeting
    said = faults(sosie, path, "serve", "--listen", "127.0.0.1:8123", "--upstream", "http://localhost:8123/v1")
    assert "this server itself" in said


def test_dialects_are_named_in_the_file_or_by_a_flag(sosie, serve, config, tmp_path):
    path = config(f'[store]\ndata = "{tmp_path}/data"\n[gateway]\ncompat = ["litellm", "portkey"]\n')
    with serve("--config", path):
        pass
    with serve("--config", path, "--compat", "helicone,cloudflare", "--opt-in", "--replay-pace", "20ms"):
        pass
    assert b"bifrost" in sosie("--config", path, "serve", "--compat", "helicon", code=2).stderr


WITHOUT_SENSE = [
    ("store", "max_bytes", ["-1", '"-1"', '"-1GB"', '"18446744073709551616"', '"99999999999GB"', '"1.5GB"', '"many"', "1.5", "nan", "true"]),
    ("server", "max_body_bytes", ["-1", "0", '"0"', '"-1"']),
    ("server", "io_threads", ["-1", "0", "257", "9223372036854775807", "1.5", '"2"']),
    ("server", "max_connections", ["-1", "0", "4294967296"]),
    ("store", "db", ["-1", "2147483648"]),
    ("store", "pool_size", ["-1", "0", "1025"]),
    ("store", "ttl", ["-1", "60", '"-1s"', '"0s"', '"36526d"', '"106751991167d"', '"1y"']),
    ("cache", "threshold", ["-0.1", "1.1", "nan", "inf", '"0.9"']),
]


@pytest.mark.parametrize("section, key, values", WITHOUT_SENSE, ids=[key for _, key, _ in WITHOUT_SENSE])
def test_what_makes_no_sense_is_refused(sosie, config, section, key, values):
    for value in values:
        path = config(f"[{section}]\n{key} = {value}\n")
        assert f"{path}:2: [{section}] \"{key}\" must" in faults(sosie, path), value


def test_the_url_of_an_api_is_completed_where_its_host_tells(sosie, config, tmp_path):
    file = config('[store]\ndata = "data"\n')
    for given, asked in [
        ("https://api.openai.com", "https://api.openai.com/v1"),
        ("https://api.openai.com/", "https://api.openai.com/v1"),
        ("https://eu.api.openai.com", "https://eu.api.openai.com/v1"),
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("https://api.anthropic.com", "https://api.anthropic.com/v1"),
        ("http://127.0.0.1:9/openai/deployments/x", "http://127.0.0.1:9/openai/deployments/x"),
    ]:
        assert upstreams(sosie, file, {"OPENAI_BASE_URL": given})[0].startswith(asked + ", no key")
        named = config(f'[store]\ndata = "data"\n[[upstream]]\nurl = "{given}"\n', "named.toml")
        assert upstreams(sosie, named)[0].startswith(asked + ", no key")
    for given in ["https://api.anthropic.com", "https://api.anthropic.com/v1/"]:
        assert upstreams(sosie, file, {"ANTHROPIC_BASE_URL": given})[0].startswith("https://api.anthropic.com/v1 for claude-*")


def test_a_url_without_a_path_is_asked_as_it_is_and_doubted(sosie, serve, config, tmp_path):
    file = config('[store]\ndata = "data"\n')
    doubt, asked = upstreams(sosie, file, {"OPENAI_BASE_URL": "http://127.0.0.1:11434"})
    assert "want /v1 at its end" in doubt and asked.startswith("http://127.0.0.1:11434, no key")
    with serve("--data", tmp_path / "data", "--upstream", "http://127.0.0.1:9") as server:
        assert "upstream     http://127.0.0.1:9, no key" in server.greeting


@pytest.mark.parametrize("call", ["chat/completions", "responses", "messages", "embeddings", "completions/"])
def test_a_url_that_names_one_call_is_refused(sosie, config, tmp_path, call):
    url = f"http://127.0.0.1:9/v1/{call}"
    named = config(f'[store]\ndata = "data"\n[upstream]\nurl = "{url}"\n')
    assert f"{named}:4: [upstream] \"url\" ends with /{call.strip('/')}" in faults(sosie, named)
    said = sosie("serve", "--data", tmp_path / "data", "--upstream", url, code=2).stderr.decode()
    assert f"ends with /{call.strip('/')}, which is one call" in said


def test_the_example_runs_as_it_is(serve, tmp_path):
    with serve("--config", ROOT / "examples/sosie.toml", "--data", tmp_path / "data") as server:
        assert f"data in      {tmp_path}/data" in server.greeting and "api.anthropic.com" in server.greeting


def test_the_example_needs_no_server(sosie, tmp_path):
    """Not even where --data does not choose the store: it is a copy, for it puts its data beside itself."""
    example = tmp_path / "sosie.toml"
    example.write_text((ROOT / "examples/sosie.toml").read_text())
    sosie("--config", example, "set", QUESTION, "answer")
    assert sosie("--config", example, "get", QUESTION).stdout == b"answer\n" and (tmp_path / "data").is_dir()


def test_the_example_loads_and_so_do_the_keys_it_only_mentions(sosie, tmp_path):
    example = ROOT / "examples/sosie.toml"
    said = sosie("--config", example, "doctor", "--data", tmp_path / "data").stdout.decode()
    assert f"config    {example}" in said and "https://api.openai.com/v1" in said
    keys = "username|password_env|ca_file|client_certificate|client_key|key_env|replay_pace|header|may_loosen"
    text, count = re.subn(rf"^# (?=({keys}) = )", "", example.read_text(), flags=re.MULTILINE)
    assert count == len(keys.split("|"))
    text = text.replace('by = "credentials"', 'by = "header"')
    everything = tmp_path / "sosie.toml"
    everything.write_text(text)
    sosie("--config", everything, "doctor", "--data", tmp_path / "data", env={"ANTHROPIC_API_KEY": "x"})


# ── with a real Redis ────────────────────────────────────────────────────────────────────────────────────────────────


def test_redis_keeps_entries_for_every_process(sosie, serve, config, redis_server):
    redis = redis_server()
    path = config(f'[store]\ntype = "redis"\nurl = "{redis.url}"\nname = "mine"\n')
    sosie("--config", path, "set", QUESTION, "answer")
    assert sosie("--config", path, "get", PARAPHRASE).stdout == b"answer\n"
    assert json.loads(sosie("--config", path, "stats", "--json").stdout)["entries"] == 1
    assert sosie("get", PARAPHRASE, "--store", redis.url, code=1), "another name is another store"
    with serve("--config", path) as server:
        assert f"{redis.url}, database 0, index mine" in server.greeting
        body = json.dumps({"prompt": PARAPHRASE}).encode()
        urllib.request.urlopen(urllib.request.Request(server.url + "/v1/caches/a/entries/search", body), timeout=20)
        sosie("--config", path, "set", "What is the capital of France?", "Paris")
    assert json.loads(sosie("--config", path, "stats", "--json").stdout)["entries"] == 2


def test_redis_is_named_by_a_flag_or_the_environment(sosie, redis_server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    redis = redis_server()
    sosie("set", QUESTION, "answer", "--store", redis.url)
    assert sosie("get", PARAPHRASE, "--store", "redis", env={"REDIS_URL": redis.url}).stdout == b"answer\n"
    assert not list(tmp_path.iterdir())
    assert b"give one of them" in sosie("get", QUESTION, "--store", redis.url, "--data", "x", code=2).stderr
    assert b"--store" in sosie("get", QUESTION, "--store", "mysql", code=2).stderr


def test_data_alone_leaves_redis_out(sosie, config, tmp_path):
    path = config('[store]\ntype = "redis"\nurl = "redis://127.0.0.1:1"\npassword_env = "NOT_SET"\n')
    sosie("--config", path, "set", QUESTION, "answer", "--data", tmp_path / "data")
    sosie("--config", path, "get", QUESTION, "--data", tmp_path / "data", "--store", "embedded")


def test_the_password_need_not_stand_in_the_file(sosie, config, redis_server, tmp_path):
    redis = redis_server("--requirepass", "s3cret")
    by_env = config(f'[store]\ntype = "redis"\nurl = "{redis.url}"\npassword_env = "MY_SECRET"\n', "env.toml")
    by_file = config(f'[store]\ntype = "redis"\nurl = "{redis.url}"\npassword_file = "secret"\n', "file.toml")
    plain = config(f'[store]\ntype = "redis"\nurl = "{redis.url}"\n', "plain.toml")
    (tmp_path / "secret").write_text("s3cret\n")
    sosie("--config", by_env, "set", QUESTION, "answer", env={"MY_SECRET": "s3cret"})
    assert sosie("--config", by_file, "get", QUESTION).stdout == b"answer\n"
    assert sosie("--config", plain, "get", QUESTION, env={"REDIS_PASSWORD": "s3cret"}).stdout == b"answer\n"
    assert b"MY_SECRET" in sosie("--config", by_env, "get", QUESTION, code=2).stderr
    (tmp_path / "secret").unlink()
    assert b"secret" in sosie("--config", by_file, "get", QUESTION, code=2).stderr
    refused = sosie("--config", plain, "stats", env={"REDIS_PASSWORD": "wr0ng"}, code=2).stderr
    assert b"password" in refused and b"wr0ng" not in refused


def test_the_files_password_goes_to_no_other_server(sosie, config, redis_server, tmp_path):
    asks, other = redis_server("--requirepass", "s3cret"), redis_server()
    path = config(f'[store]\ntype = "redis"\nurl = "{asks.url}"\npassword_env = "MY_SECRET"\nusername = "default"\n')
    # A server without a password refuses one that it is sent.
    sosie("--config", path, "set", QUESTION, "answer", "--store", other.url, env={"MY_SECRET": "s3cret"})
    assert sosie("get", QUESTION, "--store", other.url).stdout == b"answer\n"


def test_doctor_looks_at_redis(sosie, config, redis_server):
    redis = redis_server()
    path = config(f'[store]\ntype = "redis"\nurl = "{redis.url}"\n')
    said = sosie("--config", path, "doctor").stdout.decode()
    assert f"store     {redis.url}, database 0, index sosie" in said and "Redis 7." in said and "search 2." in said
    assert "the first use begins it" in said
    sosie("--config", path, "set", QUESTION, "answer")
    assert "entries   1\n" in sosie("--config", path, "doctor").stdout.decode()


def test_doctor_tells_the_way_out(sosie, redis_server):
    plain, asks = redis_server(search=False), redis_server("--requirepass", "s3cret")
    assert "search module" in sosie("doctor", "--store", plain.url, code=2).stdout.decode()
    assert "password" in sosie("doctor", "--store", asks.url, code=2).stdout.decode()
    wrong = sosie("doctor", "--store", asks.url.replace("//", "//:wr0ng@"), code=2).stdout.decode()
    assert "password" in wrong and "wr0ng" not in wrong
    asks.stop()
    assert "running" in sosie("doctor", "--store", asks.url, code=2).stdout.decode()


class OlderRedis:
    """A Redis server that says it is 6.2: between a client and a real one, it changes that word."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self.listener.getsockname()[1]}"
        self.port = port
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        client, _ = self.listener.accept()
        with client, socket.create_connection(("127.0.0.1", self.port)) as server:
            while ready := select.select([client, server], [], [], 20)[0]:
                for source in ready:
                    data = source.recv(1 << 16)
                    if not data:
                        return
                    other = client if source is server else server
                    other.sendall(data.replace(b"redis_version:7.", b"redis_version:6."))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.thread.join(timeout=30)
        self.listener.close()
        assert not self.thread.is_alive()


def test_doctor_refuses_a_server_that_is_too_old(sosie, redis_server):
    with OlderRedis(redis_server().port) as older:
        assert "is too old: use Redis 7" in sosie("doctor", "--store", older.url, code=2).stdout.decode()


def test_stats_of_a_server_that_is_down_is_a_failure(sosie, redis_server):
    redis = redis_server()
    redis.stop()
    assert sosie("stats", "--store", redis.url, code=2).stderr
