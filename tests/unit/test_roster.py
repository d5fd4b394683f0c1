"""Hosts that are listed in a file."""

from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork
from tests.support.dockerd import docker_id
from tests.support.fake_kernel import FakeKernel
from tests.support.records import state_of
from tests.support.witness import eventually

from pyflat.driver.overlays import settle_peers
from pyflat.engine import Engine
from pyflat.model import Network, NetworkOptions
from pyflat.overlay import roster
from pyflat.overlay.roster import Rosters, read_roster
from pyflat.peers import Overlay, Peer, Tunnel
from pyflat.state import State
from pyflat.store.memory import MemoryStore

OWN, SECOND, THIRD = "192.0.2.11", "192.0.2.12", "192.0.2.13"


def blue(path: str = "/hosts") -> Network:
    return Network(
        id=docker_id("blue"),
        bridge="pf-blue",
        tunnel=Tunnel(
            device="eth0", address=IPAddress(OWN), segment=IPNetwork("192.0.2.0/24"), mtu=1500
        ),
        options=NetworkOptions(mtu=1450, overlay=Overlay(vni=42, roster=path)),
    )


def hosts(state: State) -> set[str]:
    return {str(state.require(Peer, peer).vtep) for peer in state.ids("peers", "42")}


def test_each_line_is_an_address_and_the_others_are_told() -> None:
    text = f"# hosts\n{OWN}  # this one\n\n  {SECOND}\nh3\nfd00::1\n192.0.2.0/24\n"
    found = {IPAddress(OWN), IPAddress(SECOND), IPAddress("fd00::1")}
    assert read_roster(text) == (found, [5, 7])


def test_hosts_come_and_go_with_the_list_and_this_one_is_none_of_them() -> None:
    state = settle_peers(state_of(blue()), blue().id, {IPAddress(OWN), IPAddress(SECOND)})
    assert hosts(state) == {SECOND}
    listed = {IPAddress(THIRD), IPAddress("fd00::1")}
    assert hosts(settle_peers(state, blue().id, listed)) == {THIRD}
    assert settle_peers(State(), blue().id, listed) == State()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(roster, "INTERVAL", 0.01)
    file = tmp_path / "hosts"
    file.write_text(f"{OWN}\n{SECOND}\n")
    return file


def test_the_file_is_followed_from_the_making_of_the_network_to_its_end(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine(MemoryStore(), FakeKernel())
    engine.start()
    Rosters(engine).start()
    engine.update(lambda state: (state.put(blue(str(file))), None))
    assert eventually(lambda: hosts(engine.state) == {SECOND})
    file.write_text(f"{SECOND}\n{THIRD}\nh4\n")
    assert eventually(lambda: hosts(engine.state) == {SECOND, THIRD})
    assert f"{file}: no address in line 3" in caplog.text
    file.unlink()
    assert eventually(lambda: "the hosts that are known stay" in caplog.text)
    assert hosts(engine.state) == {SECOND, THIRD}
    file.write_text(f"{THIRD}\n")
    assert eventually(lambda: hosts(engine.state) == {THIRD})
