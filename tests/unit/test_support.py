from pathlib import Path

import pytest

from pyflat.support import unsupported

WHOLE, ROOTLESS = "         0          0 4294967295\n", "0 1000 1\n1 100000 65536\n"


@pytest.fixture
def process(tmp_path: Path) -> Path:
    (tmp_path / "uid_map").write_text(WHOLE)
    return tmp_path


@pytest.fixture
def switches(tmp_path: Path) -> Path:
    folder = tmp_path / "net"
    (folder / "ipv4/conf/all").mkdir(parents=True)
    (folder / "ipv4/conf/all/forwarding").write_text("0\n")
    return folder


def test_a_usual_host_is_supported(switches: Path, process: Path) -> None:
    assert list(unsupported(switches, process)) == []


@pytest.mark.parametrize("ids", [ROOTLESS, "0 100000 65536\n"])
def test_a_user_namespace_is_not(switches: Path, process: Path, ids: str) -> None:
    (process / "uid_map").write_text(ids)
    (found,) = unsupported(switches, process)
    assert "user namespace" in found


def test_switches_that_are_not_there_are_named(tmp_path: Path, process: Path) -> None:
    (found,) = unsupported(tmp_path / "none", process)
    assert found.startswith(f"{tmp_path}/none is read-only")
