"""The tables of docs/options.md, from what the program itself goes by."""

import click

from marked import table
from pyflat.cli import serve
from pyflat.driver.options import OPTIONS
from pyflat.settings import DEPENDING


def options() -> str:
    """Write the options of ``docker network create -o``."""
    rows = (
        (f"`{key}`", option.allowed, _code(option.default), option.meaning)
        for key, option in OPTIONS.items()
    )
    return table(("key", "value", "default", "meaning"), rows)


def settings() -> str:
    """Write the settings of ``pyflat serve``."""
    flags = (flag for flag in serve.params if isinstance(flag, click.Option))
    rows = (
        (f"`{flag.opts[0]}`", f"`{flag.envvar}`", _default(flag), str(flag.help)) for flag in flags
    )
    return table(("flag", "variable", "default", "meaning"), rows)


def _default(flag: click.Option) -> str:
    if text := DEPENDING.get(str(flag.name)):
        return text
    shown = flag.show_default
    return _code("" if shown == "none" else str(shown or ""))


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
