"""The command ``pyflat``."""

import os
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
from netaddr import INET_PTON, AddrFormatError, IPAddress, IPNetwork

from pyflat import __version__
from pyflat.cli.doctor import doctor
from pyflat.cli.forget import forget
from pyflat.cli.graph import graph
from pyflat.cli.listing import endpoints, networks, options, peers, pools, ports
from pyflat.cli.plan import plan
from pyflat.cli.rebuild import rebuild
from pyflat.cli.service import install_service, uninstall_service
from pyflat.cli.status import status
from pyflat.cli.why import why
from pyflat.errors import PyflatError
from pyflat.ipam.pools import Source
from pyflat.logs import FORMATS
from pyflat.naming import is_interface_name
from pyflat.settings import MEANINGS, Settings


class _Bit(click.ParamType[int]):
    """A number with exactly one of 32 bits set, decimal or with 0x."""

    name = "bit"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """Read the number."""
        try:
            number = value if isinstance(value, int) else int(value, 0)
        except ValueError:
            number = 0
        if number.bit_count() != 1 or not 0 < number < 2**32:
            self.fail(f"{value!r} is not one bit of a 32-bit mark, as 0x20000000", param, ctx)
        return number


class _Names(click.ParamType[tuple[str, ...]]):
    """Interface names with commas between them."""

    name = "names"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        """Split the text."""
        names = value if isinstance(value, tuple) else tuple(filter(None, value.split(",")))
        for name in names:
            if not is_interface_name(name):
                self.fail(f"{name!r} is not an interface name", param, ctx)
        return names


class _Pools(click.ParamType[tuple[Source, ...]]):
    """Blocks and the prefix length they are cut into, as 10.0.0.0/8:24,fd00:1::/48:64."""

    name = "pools"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[Source, ...]:
        """Read the text."""
        if isinstance(value, tuple):
            return value
        return tuple(self._source(word, param, ctx) for word in filter(None, value.split(",")))

    def _source(self, word: str, param: Any, ctx: Any) -> Source:
        block, _, length = word.rpartition(":")
        try:
            source = Source(block=IPNetwork(block).cidr, length=int(length))
        except (AddrFormatError, ValueError):
            self.fail(f"{word!r} is not a block and a prefix length, as 10.0.0.0/8:24", param, ctx)
        widest = 30 if source.block.version == 4 else 126
        if not source.block.prefixlen <= source.length <= widest:
            self.fail(f"{word!r}: the length must be from the block's to {widest}", param, ctx)
        return source


class _Place(click.ParamType[tuple[str, int] | None]):
    """An address and a port, as 127.0.0.1:9470 or [::1]:9470; empty is none."""

    name = "address"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, int] | None:
        """Read the text."""
        if not isinstance(value, str):
            place: tuple[str, int] | None = value
            return place
        if not value:
            return None
        address, _, port = value.rpartition(":")
        try:
            found = IPAddress(address.removeprefix("[").removesuffix("]"), flags=INET_PTON)
            if (":" in address) == address.startswith("[") and 0 < int(port) < 2**16:
                return str(found), int(port)
        except (AddrFormatError, ValueError):
            pass
        return self.fail(f"{value!r} is not an address and a port, as 127.0.0.1:9470", param, ctx)


class _Emptiable(click.Option):
    """A setting that may be empty: click takes an empty variable for one that is not set."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Read the variable."""
        assert isinstance(self.envvar, str)
        return os.environ.get(self.envvar)


_LEVELS = click.Choice(["debug", "info", "warning", "error"])
_TYPES = {
    "socket": click.Path(path_type=Path),
    "state_dir": click.Path(path_type=Path),
    "sysctl_root": click.Path(path_type=Path),
    "log_level": _LEVELS,
    "log_format": click.Choice(list(FORMATS)),
    "web": _Place(),
    "mark": _Bit(),
    "pools": _Pools(),
    "uplinks": _Names(),
    "namespace": str,
    "scope": click.Choice(["local", "global"]),
    **{field.name: str for field in fields(Settings) if field.name.startswith("cluster")},
    "host": str,
}


def _settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one flag and one variable for each setting."""
    defaults = Settings()
    for field in reversed(fields(Settings)):
        command = click.option(
            f"--{field.name.replace('_', '-')}",
            field.name,
            cls=_Emptiable if field.name == "namespace" else click.Option,
            type=_TYPES[field.name],
            default=getattr(defaults, field.name),
            show_default=_show(getattr(defaults, field.name)),
            envvar=f"PYFLAT_{field.name.upper()}",
            show_envvar=True,
            help=MEANINGS[field.name],
        )(command)
    return command


def _show(default: object) -> str:
    match default:
        case None:
            return "none"
        case int():
            return hex(default)
        case tuple():
            return ",".join(map(str, default)) or "none"
        case _:
            return str(default)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pyflat")
def commands() -> None:
    """Docker networks that you can see."""


@commands.command()
@_settings_options
def serve(**values: Any) -> None:
    """Run the plugin in the foreground, until a signal ends it."""
    from pyflat.serve import serve as run

    run(Settings(**values))


for command in (
    *(status, networks, endpoints, ports, peers, pools, options, graph, plan, doctor, why),
    *(forget, rebuild, install_service, uninstall_service),
):
    commands.add_command(command)


def main() -> None:
    """Run the command line; an error of ours is one line and status 1."""
    try:
        commands()
    except PyflatError as error:
        click.echo(f"pyflat: {error}", err=True)
        sys.exit(1)
