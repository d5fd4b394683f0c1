"""The lab itself: what it refuses, what it leaves behind, and whether its hosts are as promised."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from dockerlab import CommandError, Lab, LabError, cgroups, processes, settings
from dockerlab.lab import remove
from dockerlab.machine import Machine
from dockerlab.processes import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="labs need root")

PROGRAM = settings.REPOSITORY / "contrib/lab/lab"


@pytest.fixture
def name() -> Iterator[str]:
    name = f"t{secrets.token_hex(3)}"
    yield name
    if name in Lab.names():
        remove(name)


def program(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PROGRAM), *words], capture_output=True, text=True, timeout=120)


def traces(name: str) -> list[str]:
    """Everything on the machine that shows there has been a lab of this name."""
    groups = [path for _, tree in cgroups.trees() for path in tree.glob(f"{cgroups.ROOT}/{name}*")]
    spaces = Path("/run/netns").glob(f"{name}-*")
    folders = settings.LABS.glob(f"{name}*")
    left = processes.owned(cgroups.marker(name))
    return [str(trace) for trace in (*groups, *spaces, *folders, *left)]


@pytest.mark.parametrize("version", ["20.10", "28.5"])
def test_a_host_runs_the_engine_that_was_asked_for(name: str, version: str) -> None:
    with Lab.up(name, engine=version, plugin=False) as lab:
        h1 = lab.host("h1")
        shown = h1.run("docker", "version", "--format", "{{.Server.Version}}", check=True)
        assert shown.stdout.startswith(f"{version}.")
        assert h1.run("docker", "compose", "version").returncode == 0


def test_containers_are_reached_from_outside_and_leave_no_trace(name: str) -> None:
    with Lab.up(name, hosts=2, engine="28.5", plugin=False) as lab:
        h1 = lab.host("h1")
        web = ("docker", "run", "-d", "-p", "81:80", "busybox", "httpd", "-f")
        h1.run(*web, check=True)
        for machine in (lab.host("h2"), lab.outside):
            # Docker does not wait until the server listens.
            assert wait_until(partial(_answers, machine, h1.address4), 10)
    assert not traces(name)


def _answers(machine: Machine, address: str) -> bool:
    reply = machine.run("nc", "-N", address, "81", input="GET / HTTP/1.0\r\n\r\n")
    return reply.stdout.startswith("HTTP/1.1 404")


def test_a_killed_dockerd_comes_back_to_its_containers(name: str) -> None:
    with Lab.up(name, engine="28.5", plugin=False, live_restore=True) as lab:
        h1 = lab.host("h1")
        h1.run("docker", "run", "-d", "--name", "steady", "busybox", "sleep", "1d", check=True)
        h1.dockerd.kill()
        assert not h1.dockerd.running
        assert h1.containerd.running
        h1.dockerd.start()
        assert h1.run("docker", "ps", "--format", "{{.Names}}").stdout == "steady\n"


def test_a_bare_host_forwards_nothing_and_sees_only_its_own(name: str) -> None:
    with Lab.up(name, plugin=False, start=False) as lab:
        h1 = lab.host("h1")
        assert not h1.dockerd.running
        kinds = ("ipv4.conf.all", "ipv4.conf.default", "ipv6.conf.all", "ipv6.conf.default")
        switches = ("net.ipv4.ip_forward", *(f"net.{kind}.forwarding" for kind in kinds))
        assert h1.run("sysctl", "-n", *switches, check=True).stdout.split() == ["0"] * 5
        h1.run("touch", "/run/mark", check=True)
        assert h1.path("/run/mark").exists()
        assert not Path("/run/mark").exists()
        assert h1.run("hostname").stdout == "h1\n"
        # What a bridge's ports are like stands in /sys, which is easily the machine's own.
        h1.run("ip", "link", "add", "br9", "type", "bridge", check=True)
        assert h1.run("test", "-d", "/sys/class/net/br9/bridge").returncode == 0
        assert lab.outside.run("ping", "-c1", "-W2", h1.address6).returncode == 0


def test_names_in_use_are_refused_and_left_alone(name: str) -> None:
    subprocess.run(["ip", "netns", "add", f"{name}-h1"], check=True)
    try:
        with pytest.raises(LabError, match=f"network namespace {name}-h1 exists already"):
            Lab.up(name, plugin=False)
        assert traces(name) == [f"/run/netns/{name}-h1"]
    finally:
        subprocess.run(["ip", "netns", "del", f"{name}-h1"], check=True)
    with Lab.up(name, plugin=False, start=False):
        again = program("up", "--name", name)
        assert again.returncode == 1
        assert again.stderr == f"Error: there is a lab {name} already: lab down --name {name}\n"
        assert Lab.open(name).host("h1").run("true").returncode == 0


def test_exec_keeps_the_exit_code_and_run_shows_what_went_wrong(name: str) -> None:
    with Lab.up(name, plugin=False, start=False) as lab:
        done = program("exec", "--name", name, "h1", "sh", "-c", "hostname; exit 7")
        assert (done.stdout, done.returncode) == ("h1\n", 7)
        with pytest.raises(CommandError, match="exit code 3: bad"):
            lab.switch.run("sh", "-c", "echo bad >&2; exit 3", check=True)
        with pytest.raises(subprocess.TimeoutExpired):
            lab.host("h1").run("sleep", "60", timeout=0.1)


def test_down_finds_everything_after_a_crash(name: str) -> None:
    words = [str(PROGRAM), "up", "--name", name, "--no-plugin", "--engine", "28.5"]
    crashing = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    dockerd = settings.LABS / name / "h1/dockerd.json"
    assert processes.wait_until(dockerd.exists, 60)
    busy = program("down", "--name", name)
    assert busy.stderr == f"Error: process {crashing.pid} is still making lab {name}\n"
    crashing.kill()
    crashing.wait()
    lab = Lab.open(name)
    holder = lab.host("h1").holder
    assert holder
    os.kill(holder.pid, 9)
    assert program("down", "--name", name).returncode == 0
    assert not traces(name)
    assert program("down", "--name", name).stderr == f"Error: there is no lab {name}\n"


def test_hosts_have_an_etcd_and_may_be_far_from_each_other(name: str) -> None:
    with Lab.up(name, hosts=2, etcd=True, far=1, plugin=False, start=False) as lab:
        h1, h2 = lab.hosts
        for one, other in ((h1, h2), (h2, h1)):
            assert "ttl=63" in one.run("ping", "-c1", "-W2", other.address4).stdout
            # A link that is new waits for a second before it uses IPv6.
            assert one.run("ping", "-c6", "-i0.5", other.address6).returncode == 0
        assert lab.etcd is not None
        lab.etcd.start()
        lab.etcd.ctl("put", "a", "b")
        again = Lab.open(name)
        assert program("exec", "--name", name, "outside", "etcdctl", "get", "a").stdout == "a\nb\n"
        assert h2.run("nc", "-zw2", "192.0.2.200", "2379").returncode == 0
        again.unplug("h2")
        assert h2.run("nc", "-zw1", "192.0.2.200", "2379").returncode == 1
        again.plug("h2")
        assert h2.run("nc", "-zw2", "192.0.2.200", "2379").returncode == 0
        lab.etcd.kill()
        lab.etcd.wipe()
        lab.etcd.start()
        assert lab.etcd.ctl("get", "a").stdout == ""
    assert not traces(name)
