"""What every test with a real process shares."""

import os
import pathlib
import subprocess

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
