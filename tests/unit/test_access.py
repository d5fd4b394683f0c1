"""What the settings of a cluster may be."""

from pathlib import Path

import pytest

from pyflat.errors import StartupError
from pyflat.overlay.access import Access, check_host, read_access

NONE = {"ca": "", "certificate": "", "key": "", "user": "", "password_file": ""}


@pytest.mark.parametrize(
    ("text", "endpoints", "prefix"),
    [
        ("etcd://h1", (("h1", 2379),), "/pyflat/"),
        ("etcd://h1:1,[fd00::1]:2/", (("h1", 1), ("fd00::1", 2)), "/pyflat/"),
        ("etcd://h1/some/where/", (("h1", 2379),), "/some/where/"),
    ],
)
def test_port_and_prefix_may_be_left_out(
    text: str, endpoints: tuple[tuple[str, int], ...], prefix: str
) -> None:
    assert read_access(text, **NONE) == Access(endpoints=endpoints, prefix=prefix)


@pytest.mark.parametrize(
    ("text", "more", "named"),
    [
        *((text, {}, "PYFLAT_CLUSTER ") for text in ("h1:2379", "http://h1", "etcd://")),
        *((text, {}, "PYFLAT_CLUSTER ") for text in ("etcd://h1:x", "etcd://h1,", "etcd://a@b")),
        ("etcd://h1", {"ca": "/dev/null"}, "PYFLAT_CLUSTER_CA"),
        ("etcds://h1", {"certificate": "/dev/null"}, "PYFLAT_CLUSTER_KEY"),
        ("etcds://h1", {"ca": "/dev/zero"}, "PYFLAT_CLUSTER_CA"),
        ("etcd://h1", {"user": "me"}, "PYFLAT_CLUSTER_PASSWORD_FILE"),
        ("etcd://h1", {"user": "me", "password_file": "/nowhere"}, "PYFLAT_CLUSTER_PASSWORD_FILE"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_settings_name(
    text: str, more: dict[str, str], named: str
) -> None:
    with pytest.raises(StartupError, match=named):
        read_access(text, **{**NONE, **more})


def test_a_password_is_read_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("secret\n")
    access = read_access("etcd://h1", **{**NONE, "user": "me", "password_file": str(file)})
    assert access.password == "secret"
    assert str(access) == "etcd://h1:2379/pyflat"


@pytest.mark.parametrize("name", ["h1", "node-1.example.org", "a_b"])
def test_a_host_has_a_name(name: str) -> None:
    check_host(name)


@pytest.mark.parametrize("name", ["", "a/b", "192.0.2.1", "fd00::1", "-a", "a b"])
def test_an_address_is_no_name(name: str) -> None:
    with pytest.raises(StartupError, match="PYFLAT_HOST"):
        check_host(name)
