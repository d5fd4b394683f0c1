"""``pyflat serve`` as a process: how it starts, ends, is killed and comes back."""

import fcntl
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import dockerd, witness
from tests.support.dockerd import docker_id
from tests.support.namespaces import add_way_out
from tests.support.serving import PROGRAM, Serving, serving, workers_of

LAN, WEB = docker_id("lan"), docker_id("web")
RUNNING = (
    dockerd.create_network(LAN, "172.30.0.0/24"),
    *dockerd.run(LAN, WEB, "172.30.0.2/24", "127.0.0.1:8080:80"),
)


@pytest.fixture
def plugin(namespace: None) -> Iterator[Serving]:
    with serving() as plugin:
        yield plugin


def port_is_held() -> bool:
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            stranger.bind(("127.0.0.1", 8080))
        except OSError:
            return True
    return False


def check_running(plugin: Serving) -> None:
    """See that network, container and port are there as they were made."""
    assert port_is_held()
    assert witness.elements("port4") != []
    assert {f"pf-{LAN[:12]}", f"pv-{WEB[:12]}"} <= set(witness.links())
    for call in RUNNING:
        plugin.send(call)


def refusal(process: subprocess.Popen[str], status: int = 1) -> str:
    """Wait for the end of a process that cannot run, and give its one line."""
    _, errors = process.communicate(timeout=20)
    assert process.returncode == status
    (line,) = errors.splitlines()
    return line


@pytest.mark.quick
def test_it_answers_soon_after_its_start(plugin: Serving) -> None:
    start = time.monotonic()
    plugin.up()
    assert time.monotonic() - start < 5
    assert plugin.send(*RUNNING[:2])["Interface"]["MacAddress"] == "02:42:ac:1e:00:02"


@pytest.mark.quick
def test_only_its_user_may_speak_to_it(plugin: Serving) -> None:
    plugin.up()
    assert plugin.socket.stat().st_mode & 0o077 == 0
    assert plugin.state.stat().st_mode & 0o077 == 0


@pytest.mark.quick
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_and_leaves_what_it_made_for_containers(
    plugin: Serving, number: signal.Signals
) -> None:
    master = plugin.up()
    plugin.send(*RUNNING)
    links, rules = witness.links(), witness.ruleset()
    master.send_signal(number)
    _, errors = master.communicate(timeout=10)
    assert (master.returncode, "Traceback" in errors) == (0, False)
    assert not plugin.socket.exists()
    assert (witness.links(), witness.ruleset()) == (links, rules)
    assert not port_is_held()
    plugin.up()
    check_running(plugin)


@pytest.mark.quick
def test_a_killed_worker_is_replaced(plugin: Serving) -> None:
    master = plugin.up()
    plugin.send(*RUNNING)
    (worker,) = workers_of(master)
    os.kill(worker, signal.SIGKILL)
    assert witness.eventually(lambda: plugin.answers() and workers_of(master) != [worker])
    check_running(plugin)
    assert master.poll() is None


def test_hup_replaces_the_worker(plugin: Serving) -> None:
    master = plugin.up()
    plugin.send(*RUNNING)
    (worker,) = workers_of(master)
    master.send_signal(signal.SIGHUP)
    assert witness.eventually(lambda: worker not in workers_of(master), 15)
    assert witness.eventually(plugin.answers)
    check_running(plugin)


def test_a_worker_answers_nothing_before_its_predecessor_has_ended(plugin: Serving) -> None:
    plugin.state.mkdir()
    with (plugin.state / "worker.lock").open("w") as predecessor:
        fcntl.flock(predecessor, fcntl.LOCK_EX)
        master = plugin.start()
        assert witness.eventually(lambda: workers_of(master) != [])
        assert not witness.eventually(lambda: "inet pyflat" in witness.tables(), 2)
    assert witness.eventually(plugin.answers)


def test_after_a_kill_the_next_waits_for_the_orphaned_worker(plugin: Serving) -> None:
    master = plugin.up()
    plugin.send(*RUNNING)
    (worker,) = workers_of(master)
    master.kill()
    assert plugin.socket.exists()
    plugin.start()
    assert witness.eventually(lambda: not os.path.exists(f"/proc/{worker}"), 10)  # noqa: PTH110
    assert witness.eventually(plugin.answers, 10)
    check_running(plugin)


@pytest.mark.quick
def test_the_socket_of_a_killed_process_is_taken_over(plugin: Serving) -> None:
    plugin.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(plugin.socket))
    plugin.up()


def test_a_second_instance_is_refused_and_harms_nothing(plugin: Serving) -> None:
    plugin.up()
    plugin.send(*RUNNING)
    line = refusal(plugin.start())
    assert line == f"pyflat: another pyflat uses the state folder {plugin.state}"
    check_running(plugin)


def test_another_plugins_socket_is_left_alone(plugin: Serving) -> None:
    plugin.up()
    line = refusal(plugin.start(**{"state-dir": f"{plugin.state}-2"}))
    assert line == f"pyflat: another plugin answers on {plugin.socket}"
    assert plugin.answers()


@pytest.mark.quick
def test_a_file_in_the_sockets_place_is_left_alone(plugin: Serving) -> None:
    plugin.socket.parent.mkdir()
    plugin.socket.write_text("mine")
    line = refusal(plugin.start())
    assert line == f"pyflat: {plugin.socket} exists and is not a socket"
    assert plugin.socket.read_text() == "mine"


@pytest.mark.parametrize(
    ("setting", "path"),
    [
        ("state-dir", "/proc/state"),
        ("socket", "/proc/pyflat.sock"),
        ("socket", "/proc/folder/pyflat.sock"),
        ("socket", f"/run/{'long' * 30}.sock"),
    ],
)
def test_a_place_that_cannot_be_used_is_named(plugin: Serving, setting: str, path: str) -> None:
    line = refusal(plugin.start(**{setting: path}))
    assert line.startswith("pyflat: ")
    assert f" {path}: " in line


def test_a_server_too_busy_to_answer_keeps_its_socket(plugin: Serving) -> None:
    plugin.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as caller:
        busy.bind(str(plugin.socket))
        busy.listen(0)
        caller.connect(str(plugin.socket))
        assert "another plugin answers" in refusal(plugin.start())
        assert plugin.socket.is_socket()


def test_without_the_right_to_make_networks_it_says_so(plugin: Serving) -> None:
    limits = ("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")
    assert "CAP_NET_ADMIN" in refusal(plugin.start(*limits))


@pytest.mark.parametrize("damage", ["no database", "another version"])
def test_a_state_that_cannot_be_read_ends_it_with_one_line(plugin: Serving, damage: str) -> None:
    plugin.state.mkdir()
    file = plugin.state / "pyflat.db"
    if damage == "no database":
        file.write_bytes(b"not a database" * 100)
    else:
        with sqlite3.connect(file) as database:
            database.execute("PRAGMA user_version = 99")
    process = plugin.start()
    assert str(file) in refusal(process, status=4)


def test_it_follows_routes_that_come_and_go(plugin: Serving) -> None:
    plugin.up()
    assert witness.elements("uplinks") == []
    add_way_out("up0", "10.99.0", "fd99")
    assert witness.eventually(lambda: witness.elements("uplinks") == ["up0"])
    witness.run("ip", "link", "delete", "up0")
    assert witness.eventually(lambda: witness.elements("uplinks") == [])


def test_it_follows_a_host_that_starts_to_forward(plugin: Serving) -> None:
    add_way_out("up0", "10.99.0", "fd99")
    plugin.up()
    plugin.send(RUNNING[0])
    assert len(witness.elements("opened")) == 1
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    assert witness.eventually(lambda: witness.elements("opened") == [])


def test_unusable_settings_are_refused_before_anything_happens(plugin: Serving) -> None:
    process = plugin.start(mark="3")
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 2
    assert "--mark" in errors
    assert not plugin.state.exists()


def plan(plugin: Serving, *flags: str) -> subprocess.CompletedProcess[str]:
    words = (str(PROGRAM), "plan", "--socket", str(plugin.socket), *flags)
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_plan_shows_what_would_be_mended_and_says_so_by_its_status(plugin: Serving) -> None:
    master = plugin.up()
    plugin.send(*RUNNING)
    done = plan(plugin)
    assert (done.returncode, done.stdout) == (0, "nothing to do: everything is as it should be\n")
    master.terminate()
    master.wait()
    with socket.socket() as stranger:
        # A port that cannot be had back is a difference that lasts.
        stranger.bind(("127.0.0.1", 8080))
        plugin.up()
        done = plan(plugin)
        assert (done.returncode, done.stdout) == (2, "missing: port tcp 127.0.0.1 8080\n")
        assert json.loads(plan(plugin, "--json").stdout)["missing"] == ["port tcp 127.0.0.1 8080"]


def test_without_a_plugin_there_is_no_plan(plugin: Serving) -> None:
    done = plan(plugin)
    assert done.returncode == 1
    assert done.stderr.startswith(f"pyflat: no pyflat answers on {plugin.socket}: ")
    assert len(done.stderr.splitlines()) == 1


NOT_SUPPORTED = {
    "a user namespace": ("unshare", "--user", "--map-root-user", "--net"),
    "/proc/sys/net is read-only": (
        *("unshare", "--mount", "sh", "-c"),
        'mount --bind -o ro /proc/sys /proc/sys && exec "$@"',
        "sh",
    ),
}


@pytest.mark.parametrize("what", NOT_SUPPORTED)
def test_what_is_not_supported_is_named_in_one_line_of_the_log(plugin: Serving, what: str) -> None:
    process = plugin.start(*NOT_SUPPORTED[what])
    assert process.stderr is not None
    assert what in process.stderr.readline().partition("WARNING pyflat: not supported: ")[2]
