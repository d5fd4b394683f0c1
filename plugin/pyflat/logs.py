"""How a line of the log is written: as text, or as JSON.

What a line is about stands beside its message: ``log.info("…", extra={"about": {"network": …}})``.
Values are texts, numbers, or tuples of texts.
"""

import json
import logging
import sys
import time
from collections.abc import Mapping
from typing import Any

#: Characters of an id that people are shown.
SHORT = 12


class Text(logging.Formatter):
    """``LEVEL logger: message key=value key=value``; one line, but for a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        words = (f"{key}={_word(value)}" for key, value in _about(record).items())
        message = _printable(record.getMessage())
        line = " ".join((f"{record.levelname} {record.name}: {message}", *words))
        return f"{line}\n{trace}" if (trace := self._trace(record)) else line

    def _trace(self, record: logging.LogRecord) -> str:
        return self.formatException(record.exc_info) if record.exc_info else ""


class Json(Text):
    """One object in a line: ``time`` (UTC), ``level``, ``logger``, ``message``, and the values."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        known = {
            "time": f"{seconds}.{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        trace = self._trace(record)
        return json.dumps({**_about(record), **known, **({"exception": trace} if trace else {})})


FORMATS = {"text": Text, "json": Json}


def set_up(level: str, name: str) -> None:
    """Have this process write its log, and what is not pyflat's from warnings on.

    ``level`` and ``name`` are those of the settings ``log_level`` and ``log_format``.
    """
    outputs = _outputs()
    for output in outputs:
        output.setFormatter(FORMATS[name]())
    logging.basicConfig(level="WARNING", handlers=outputs)
    logging.getLogger("pyflat").setLevel(level.upper())


def _outputs() -> list[logging.Handler]:
    """Give what is wrong to stderr and the rest to stdout: dockerd logs one as its own errors."""
    wrong, rest = logging.StreamHandler(sys.stderr), logging.StreamHandler(sys.stdout)
    wrong.setLevel(logging.WARNING)
    rest.addFilter(lambda record: record.levelno < logging.WARNING)
    return [wrong, rest]


def short(identifier: str) -> str:
    """Give as much of an id as people are shown."""
    return identifier[:SHORT]


def _about(record: logging.LogRecord) -> Mapping[str, Any]:
    about: Mapping[str, Any] = getattr(record, "about", {})
    return about


def _word(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    plain = text.isprintable() and text and not set(text) & set(' "=')
    return text if plain else json.dumps(text)


def _printable(text: str) -> str:
    """Leave no character that could end the line: messages quote what strangers sent."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]
