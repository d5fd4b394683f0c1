"""A release, made from copies of the repository as it is committed."""

import json
import secrets
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from dockerlab import Lab
from dockerlab.managed import Managed
from pyflat import __version__

pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).parents[2]


def cloned(folder: Path) -> Path:
    subprocess.run(("git", "clone", "--quiet", ROOT, folder), check=True)
    return folder


def release(repository: Path) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, repository / "contrib/release.py", repository / "dist")
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_what_is_not_committed_is_not_released(tmp_path: Path) -> None:
    repository = cloned(tmp_path / "changed")
    (repository / "new.txt").write_text("new\n")
    done = release(repository)
    assert done.returncode == 1
    assert "the working tree differs from the commit" in done.stdout
    assert not (repository / "dist").exists()


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two of the same commit, from folders of different names."""
    folders = []
    for name in ("first", "second/deeper"):
        repository = cloned(tmp_path_factory.mktemp("release") / name)
        done = release(repository)
        assert done.returncode == 0, done.stdout
        folders.append(repository / "dist")
    return folders


@pytest.mark.full
def test_two_builds_are_the_same_bytes(releases: list[Path]) -> None:
    one, other = ((folder / "SHA256SUMS").read_text() for folder in releases)
    assert one == other
    named = {line.split()[1] for line in one.splitlines()}
    assert named == {path.name for path in releases[0].iterdir()} - {"SHA256SUMS"}
    assert len(named) == 4
    for folder in releases:
        subprocess.run(("sha256sum", "--check", "--strict", "SHA256SUMS"), cwd=folder, check=True)


@pytest.mark.full
def test_the_bill_of_materials_names_packages_of_python_and_of_debian(releases: list[Path]) -> None:
    text = (releases[0] / f"pyflat-{__version__}.cdx.json").read_text()
    bill = json.loads(text)
    version = SchemaVersion.from_version(bill["specVersion"])
    assert JsonStrictValidator(version).validate_str(text) is None
    listed = {part["name"]: part["version"] for part in bill["components"]}
    locked = (ROOT / "requirements.lock").read_text().splitlines()
    assert f"pyroute2=={listed['pyroute2']}" in locked
    assert listed["pyflat"] == __version__
    assert {"libc6", "libnftables1", "dnsmasq-base", "iptables", "systemd"} < set(listed)
    assert not {"pytest", "pip", "busybox-static"} & set(listed)


@pytest.mark.full
def test_the_plugin_of_a_release_is_taken_by_an_engine(
    releases: list[Path], tmp_path: Path
) -> None:
    (packed,) = releases[0].glob(f"pyflat-plugin-{__version__}-*.tar.gz")
    with tarfile.open(packed) as tar:
        tar.extractall(tmp_path, filter="tar")
    with Lab.up(f"t{secrets.token_hex(3)}", plugin=False) as lab:
        host = lab.host("h1")
        plugin = Managed(host)
        plugin.install(tmp_path)
        told = host.run(*plugin.command("--version"), check=True).stdout
        assert told == f"pyflat, version {__version__}\n"
