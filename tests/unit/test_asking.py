"""Which plugin a command speaks with."""

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pyflat.cli import asking
from pyflat.cli.asking import find_sockets, process_of, socket_option
from pyflat.errors import BackendError
from pyflat.settings import Settings

Listen = Callable[[str], Path]


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listen]:
    """Listen below a folder that stands for /run/docker/plugins."""
    monkeypatch.delenv("PYFLAT_SOCKET", raising=False)
    with ExitStack() as stack:
        # The path of a socket has 107 bytes at most.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pyflat-")))
        own = Settings(socket=folder / "pyflat.sock")
        monkeypatch.setattr(asking, "Settings", lambda: own)

        def listen(name: str) -> Path:
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(str(path))
            server.listen()
            return path

        listen.folder = folder  # type: ignore[attr-defined]
        yield listen


def chosen(*words: str) -> tuple[str, str]:
    """What a command is told, and what is said beside."""

    @click.command()
    @socket_option
    def tell(socket: Path) -> None:
        click.echo(socket)

    result = CliRunner().invoke(tell, words, catch_exceptions=False)
    return result.stdout.strip(), result.stderr


def test_the_services_socket_is_found(listen: Listen) -> None:
    path = listen("pyflat.sock")
    assert chosen() == (str(path), "")


def test_that_of_a_managed_plugin_is_found(listen: Listen) -> None:
    path = listen(f"{'a' * 64}/pyflat.sock")
    assert chosen() == (str(path), "")


def test_a_socket_on_which_nobody_listens_is_passed_over(listen: Listen) -> None:
    managed = listen("aa/pyflat.sock")
    dead = managed.parents[1] / "pyflat.sock"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(dead))
    assert chosen() == (str(managed), "")


def test_of_several_the_services_is_taken_and_the_choice_is_told(listen: Listen) -> None:
    paths = [listen(name) for name in ("bb/pyflat.sock", "pyflat.sock", "aa/pyflat.sock")]
    told, beside = chosen()
    assert told == str(paths[1])
    assert all(str(path) in beside for path in paths)
    assert find_sockets(paths[1]) == [paths[1], paths[2], paths[0]]


def test_a_socket_that_is_named_is_taken_as_it_is(
    listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen("pyflat.sock")
    assert chosen("--socket", "/run/x.sock") == ("/run/x.sock", "")
    monkeypatch.setenv("PYFLAT_SOCKET", "/run/y.sock")
    assert chosen() == ("/run/y.sock", "")


def test_where_nobody_listens_the_places_are_named(listen: Listen) -> None:
    with pytest.raises(BackendError, match=r"no pyflat runs here: .*/\*/pyflat\.sock"):
        chosen()


def test_who_may_not_ask_is_told_so(listen: Listen) -> None:
    path = listen("pyflat.sock")
    path.parent.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(BackendError, match="is for root"):
            find_sockets(path)
    finally:
        os.seteuid(0)


def test_the_process_behind_a_socket_is_known(listen: Listen) -> None:
    path = listen("pyflat.sock")
    assert process_of(path) == os.getpid()
    with pytest.raises(BackendError, match="no pyflat answers"):
        process_of(path.with_name("none"))
