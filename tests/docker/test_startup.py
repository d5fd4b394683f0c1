"""`pyflat serve` itself: how it begins, and how it ends where it cannot run."""

from collections.abc import Iterator, Sequence

import pytest
from tests.docker.plugin import SOCKET, activate, answers
from tests.docker.starting import bare_lab
from tests.docker.traces import DATABASE

from dockerlab import Lab
from dockerlab.host import Host
from dockerlab.processes import wait_until

FOLDER = "/var/lib/pyflat"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab on which nothing runs."""
    with bare_lab() as lab:
        yield lab


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    host = lab.host("h1")
    yield host
    host.pyflat.stop()
    for path in (*host.path(FOLDER).iterdir(), *host.path(SOCKET).parent.iterdir()):
        path.unlink()


@pytest.fixture
def serve(lab: Lab) -> Sequence[str]:
    """The command."""
    assert lab.record.plugin
    return (lab.record.plugin, "serve")


@pytest.mark.quick
def test_it_answers_and_takes_its_socket_away(host: Host) -> None:
    host.pyflat.start(wait=False)
    assert answers(host)
    assert activate(host) == {"Implements": ["NetworkDriver", "IpamDriver"]}
    host.pyflat.stop(timeout=5)
    assert not host.path(SOCKET).exists()


def test_it_waits_for_a_predecessor_that_is_about_to_end(host: Host, serve: Sequence[str]) -> None:
    host.pyflat.start()
    assert answers(host)
    successor = host.popen(*serve)
    try:
        assert not wait_until(lambda: successor.poll() is not None, 1)
        host.pyflat.stop()
        assert answers(host)
    finally:
        successor.terminate()
        successor.communicate(timeout=10)
    assert successor.returncode == 0


def test_a_stale_socket_of_a_killed_one_is_in_nobodys_way(host: Host) -> None:
    host.pyflat.start()
    host.pyflat.kill()
    assert host.path(SOCKET).exists()
    host.pyflat.start()
    assert answers(host)


def test_a_second_one_on_the_same_state_ends_with_one_line(
    host: Host, serve: Sequence[str]
) -> None:
    host.pyflat.start()
    assert answers(host)
    error = _one_line(host, *serve)
    assert error == f"pyflat: another pyflat uses the state folder {FOLDER}"
    assert answers(host)


@pytest.mark.quick
def test_without_libnftables_it_ends_with_one_line(host: Host, serve: Sequence[str]) -> None:
    listing = host.run("ldconfig", "-p").stdout.splitlines()
    (library,) = (line.split()[-1] for line in listing if "libnftables.so.1 " in line)
    hidden = 'mount --bind /dev/null "$(realpath "$0")" && exec "$@"'
    error = _one_line(host, "unshare", "-m", "sh", "-c", hidden, library, *serve)
    assert "libnftables.so.1 is missing; install it" in error


@pytest.mark.quick
def test_without_the_right_to_make_networks_it_ends_with_one_line(
    host: Host, serve: Sequence[str]
) -> None:
    error = _one_line(host, "setpriv", "--bounding-set=-net_admin", *serve)
    assert "needs CAP_NET_ADMIN" in error


def test_on_a_folder_it_may_not_write_it_ends_with_one_line(
    host: Host, serve: Sequence[str]
) -> None:
    error = _one_line(host, *serve, "--state-dir", "/proc/pyflat")
    assert "state folder /proc/pyflat" in error


def test_a_state_of_another_kind_is_refused_with_one_line(host: Host, serve: Sequence[str]) -> None:
    host.path(DATABASE).write_text("not a database, but long enough to be looked at as one\n" * 99)
    error = _one_line(host, *serve)
    assert f"state {DATABASE}: file is not a database" in error


def test_a_file_in_place_of_the_socket_is_left_alone(host: Host, serve: Sequence[str]) -> None:
    host.path(SOCKET).write_text("mine")
    error = _one_line(host, *serve)
    assert f"{SOCKET} exists and is not a socket" in error
    assert host.path(SOCKET).read_text() == "mine"


@pytest.mark.parametrize("words", [("--mark", "3"), ("--log-level", "loud"), ("--no-such-flag",)])
def test_a_wrong_flag_is_refused_by_name(
    host: Host, serve: Sequence[str], words: tuple[str, ...]
) -> None:
    done = host.run(*serve, *words, timeout=10)
    assert done.returncode == 2
    assert words[0] in done.stderr


def _one_line(host: Host, *words: str) -> str:
    """Run what has to end by itself, with a failure and one line of stderr: that line."""
    done = host.run(*words, timeout=20)
    assert done.returncode != 0
    (line,) = done.stderr.strip().splitlines()
    assert done.stdout == ""
    return line
