"""The `lab` command."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click

from dockerlab import engines, firewalls, images, lab, packages, registry, sockets
from dockerlab import etcd as etcd_
from dockerlab.daemon import Daemon
from dockerlab.errors import LabError
from dockerlab.host import Host
from dockerlab.lab import Lab

_DAEMONS = ("dockerd", "pyflat", "containerd")
_Command = TypeVar("_Command", bound=Callable[..., Any])


class _Group(click.Group):
    """Errors of the lab are one line and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LabError as error:
            raise click.ClickException(str(error)) from error


def _name(command: _Command) -> _Command:
    return click.option(
        "--name", envvar="PYFLAT_LAB", default="lab", show_default=True, help="The lab."
    )(command)


def _daemon(command: _Command) -> _Command:
    return click.argument("daemon", type=click.Choice(_DAEMONS))(command)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Docker hosts on this machine, for experiments.

    Each has its own network, its own Docker Engine and its own pyflat; a switch connects them.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if os.geteuid() != 0:
        raise LabError("labs need root")


@main.command()
@_name
@click.option("--hosts", default=1, show_default=True, help="How many hosts.")
@click.option("--engine", help="28.5, 26.1, 20.10 or machine (the default where it has one).")
@click.option("--no-plugin", is_flag=True, help="Docker alone, without pyflat.")
@click.option(
    "--first", type=click.Choice(("pyflat", "dockerd")), default="pyflat", show_default=True
)
@click.option("--live-restore", is_flag=True, help="Containers outlive dockerd.")
@click.option("--etcd", is_flag=True, help="With an etcd outside, by which hosts agree.")
@click.option("--far", default=0, help="How many hosts, the last ones, are behind a router.")
@click.option("--bare", is_flag=True, help="Hosts only; start the daemons with `lab start`.")
def up(
    name: str,
    hosts: int,
    engine: str | None,
    no_plugin: bool,
    first: str,
    live_restore: bool,
    etcd: bool,
    far: int,
    bare: bool,
) -> None:
    """Make a lab and start its hosts: h1, h2, …"""
    signal.signal(signal.SIGTERM, _terminated)
    made = Lab.up(
        name,
        hosts=hosts,
        engine=engine,
        plugin=not no_plugin,
        first=first,
        live_restore=live_restore,
        etcd=etcd,
        far=far,
        start=not bare,
    )
    names = ", ".join(host.name for host in made.hosts)
    click.echo(f"{names}, switch and outside are up")


def _terminated(*_: object) -> NoReturn:
    # As an exception, it makes `up` take away what it has made so far.
    sys.exit(128 + signal.SIGTERM)


@main.command("exec", context_settings={"ignore_unknown_options": True})
@_name
@click.argument("machine")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_(name: str, machine: str, command: tuple[str, ...]) -> None:
    """Run a command in a host, in `switch` or in `outside`; its exit code is this one's."""
    Lab.open(name).machine(machine).become(*command)


# What follows the machine belongs to the command, also --name.
exec_.allow_interspersed_args = False


@main.command()
@_name
@click.argument("host")
@_daemon
def start(name: str, host: str, daemon: str) -> None:
    """Start a daemon of a host."""
    _find(name, host, daemon).start()


@main.command()
@_name
@click.argument("host")
@_daemon
@click.option("--kill", is_flag=True, help="As a crash would: with signal 9.")
def stop(name: str, host: str, daemon: str, kill: bool) -> None:
    """Stop a daemon of a host."""
    found = _find(name, host, daemon)
    if kill:
        found.kill()
    else:
        found.stop()


@main.command()
@_name
@click.argument("host")
@_daemon
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written later.")
def logs(name: str, host: str, daemon: str, follow: bool) -> None:
    """Show the log of a daemon of a host."""
    log = _find(name, host, daemon).log
    if not log.exists():
        raise LabError(f"{daemon} of {host} has never been started")
    words = ["tail", "-n", "+1", *(["-F"] if follow else []), "--", str(log)]
    os.execvp(words[0], words)


def _find(name: str, host: str, daemon: str) -> Daemon:
    return Lab.open(name).host(host).daemons[daemon]


@main.command()
@_name
def status(name: str) -> None:
    """Show the hosts of a lab."""
    from rich.console import Console
    from rich.table import Table

    opened = Lab.open(name)
    table = Table("host", "IPv4", "IPv6", "engine", "dockerd", "pyflat", "containers")
    for host in opened.hosts:
        table.add_row(*_row(host))
    Console().print(table)


def _row(host: Host) -> list[str]:
    running = sockets.get(host.path("/run/docker.sock"), "/containers/json")
    return [
        host.name,
        host.address4,
        host.address6,
        host.engine.name,
        _shown(host.dockerd),
        _shown(host.pyflat),
        "-" if running is None else str(len(running)),
    ]


def _shown(daemon: Daemon) -> str:
    process = daemon.process
    if process is None:
        return "-"
    return f"{process.pid}" if daemon.ready() else f"{process.pid} does not answer"


@main.command("list")
def list_() -> None:
    """Show the names of all labs."""
    for name in Lab.names():
        click.echo(name)


@main.command()
@_name
@click.option("--all", "everything", is_flag=True, help="Every lab on this machine.")
def down(name: str, everything: bool) -> None:
    """Take a lab away, also one that did not come up or has crashed in part."""
    for each in Lab.names() if everything else [name]:
        lab.remove(each)


@main.command()
@click.argument("names", nargs=-1)
def fetch(names: tuple[str, ...]) -> None:
    """Get engines, firewalls, etcd and a registry and make images beforehand; all unless named.

    What the machine itself lacks is installed first.
    """
    packages.ensure()
    for name in names or (*engines.available(), *images.ALL, *firewalls.ALL, "etcd", "registry"):
        if name == "etcd":
            etcd_.fetch()
        elif name == "registry":
            registry.fetch()
        elif name in images.ALL:
            images.archive(images.get(name))
        elif name in firewalls.ALL:
            firewalls.fetch(name)
        else:
            engines.get(name)


@main.command("images")
def images_() -> None:
    """Show the images that can be loaded into a host."""
    for image in images.ALL.values():
        made = "made" if images.cached(image) else "not made yet"
        click.echo(f"{image.name:12} {made:14} {image.about}")


@main.command()
@_name
@click.argument("host")
@click.argument("image")
def load(name: str, host: str, image: str) -> None:
    """Give a host's engine an image."""
    Lab.open(name).host(host).load_image(image)
