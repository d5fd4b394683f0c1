"""The command ``pyflat``."""

import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from pyflat import __version__
from pyflat.errors import PyflatError
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
        if number.bit_count() != 1 or number >= 2**32:
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


_LEVELS = click.Choice(["debug", "info", "warning", "error"])
_TYPES = {
    "socket": click.Path(path_type=Path),
    "state_dir": click.Path(path_type=Path),
    "sysctl_root": click.Path(path_type=Path),
    "log_level": _LEVELS,
    "mark": _Bit(),
    "uplinks": _Names(),
}


def _settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one flag and one variable for each setting."""
    for field in reversed(fields(Settings)):
        command = click.option(
            f"--{field.name.replace('_', '-')}",
            field.name,
            type=_TYPES[field.name],
            default=field.default,
            show_default=_show(field.default),
            envvar=f"PYFLAT_{field.name.upper()}",
            show_envvar=True,
            help=MEANINGS[field.name],
        )(command)
    return command


def _show(default: object) -> str:
    return hex(default) if isinstance(default, int) else str(default or "none")


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


def main() -> None:
    """Run the command line; an error of ours is one line and status 1."""
    try:
        commands()
    except PyflatError as error:
        click.echo(f"pyflat: {error}", err=True)
        sys.exit(1)
