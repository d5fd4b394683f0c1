"""The command line: flags, variables, and one line for what is wrong."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from netaddr import IPNetwork

from pyflat import cli, serve
from pyflat.errors import StartupError
from pyflat.ipam.pools import Source
from pyflat.settings import MEANINGS, Settings

VALUES: dict[str, tuple[str, Any]] = {
    "socket": ("/run/x.sock", Path("/run/x.sock")),
    "state_dir": ("/var/x", Path("/var/x")),
    "log_level": ("debug", "debug"),
    "log_format": ("json", "json"),
    "web": ("127.0.0.1:9470", ("127.0.0.1", 9470)),
    "mark": ("0x1", 1),
    "pools": (
        "10.0.0.0/8:24,fd00::/48:64",
        (
            Source(block=IPNetwork("10.0.0.0/8"), length=24),
            Source(block=IPNetwork("fd00::/48"), length=64),
        ),
    ),
    "uplinks": ("eth1,tun0", ("eth1", "tun0")),
    "sysctl_root": ("/host/proc/sys/net", Path("/host/proc/sys/net")),
    "namespace": ("/run/netns/x", "/run/netns/x"),
    "scope": ("global", "global"),
    "cluster": ("etcd://h1:2379", "etcd://h1:2379"),
    "cluster_ca": ("/etc/ca.pem", "/etc/ca.pem"),
    "cluster_cert": ("/etc/cert.pem", "/etc/cert.pem"),
    "cluster_key": ("/etc/key.pem", "/etc/key.pem"),
    "cluster_user": ("pyflat", "pyflat"),
    "cluster_password_file": ("/etc/password", "/etc/password"),
    "host": ("h1", "h1"),
}
WRONG = {
    "log_level": ["verbose"],
    "log_format": ["xml"],
    "web": [
        "9470",
        "localhost:9470",
        "127.0.0.1",
        "127.1:9470",
        "::1:9470",
        "[::1]:0",
        "[10.0.0.1]:80",
    ],
    "mark": ["0", "3", "-1", "0x100000000", "bit", "1.0", "0b11"],
    "pools": ["10.0.0.0/8", "10.0.0.0/8:7", "10.0.0.0/8:31", "fd00::/48:127", "lan:24", "::/0:x"],
    "uplinks": ["eth0;reboot", "eth0,a/b", "a" * 16, "eth0, eth1"],
}
BAD = [(name, text) for name, texts in WRONG.items() for text in texts]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings that the command ran with."""
    for name in VALUES:
        monkeypatch.delenv(f"PYFLAT_{name.upper()}", raising=False)
    runs: list[Settings] = []
    monkeypatch.setattr(serve, "serve", runs.append)
    return runs


def run(*words: str, **variables: str) -> Result:
    return CliRunner().invoke(cli.commands, words, env=variables)


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def test_every_setting_is_tried_here_and_has_a_meaning() -> None:
    assert set(VALUES) == {field.name for field in fields(Settings)} == set(MEANINGS)


def test_without_flags_the_defaults_hold(served: list[Settings]) -> None:
    assert run("serve").exit_code == 0
    assert served == [Settings()]


@pytest.mark.parametrize("name", VALUES)
def test_a_setting_is_a_flag_and_a_variable_and_the_flag_wins(
    name: str, served: list[Settings]
) -> None:
    text, value = VALUES[name]
    run("serve", flag(name), text)
    run("serve", **{f"PYFLAT_{name.upper()}": text})
    run(
        "serve", flag(name), text, **{f"PYFLAT_{name.upper()}": "0x8" if name == "mark" else "info"}
    )
    assert served == [Settings(**{name: value})] * 3


def test_no_namespace_is_a_choice(served: list[Settings]) -> None:
    run("serve", "--namespace", "")
    run("serve", PYFLAT_NAMESPACE="")
    assert served == [Settings(namespace="")] * 2


@pytest.mark.parametrize(
    ("text", "value"),
    [("536870912", 0x20000000), ("0x80000000", 0x80000000), ("1", 1), ("0b100", 4)],
)
def test_the_mark_may_be_any_one_bit(text: str, value: int, served: list[Settings]) -> None:
    run("serve", "--mark", text)
    assert served == [Settings(mark=value)]


@pytest.mark.parametrize("text", ["", ",", "eth1,,"])
def test_empty_names_of_uplinks_are_skipped(text: str, served: list[Settings]) -> None:
    run("serve", "--uplinks", text)
    assert served == [Settings(uplinks=tuple(filter(None, text.split(","))))]


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_bad_value_is_refused_by_name(name: str, text: str, served: list[Settings]) -> None:
    for result in (
        run("serve", flag(name), text),
        run("serve", **{f"PYFLAT_{name.upper()}": text}),
    ):
        assert result.exit_code == 2
        assert result.output.splitlines()[-1].startswith("Error: ")
        assert flag(name) in result.output
    assert served == []


def test_help_names_every_flag_its_variable_and_its_meaning() -> None:
    text = " ".join(run("serve", "--help").output.split())
    for name, meaning in MEANINGS.items():
        assert flag(name) in text
        assert f"PYFLAT_{name.upper()}" in text
        assert meaning in text


def test_an_unknown_command_or_flag_is_refused() -> None:
    assert run("fly").exit_code == 2
    assert run("serve", "--fast").exit_code == 2


def test_the_version_is_told() -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert result.output.startswith("pyflat, version ")


def test_an_error_of_ours_is_one_line_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Settings) -> None:
        raise StartupError("nothing works here")

    monkeypatch.setattr(serve, "serve", fail)
    monkeypatch.setattr("sys.argv", ["pyflat", "serve"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 1
    assert capsys.readouterr().err == "pyflat: nothing works here\n"
