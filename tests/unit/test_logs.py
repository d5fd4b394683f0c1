"""How a line of the log is written."""

import json
import logging
import sys

from pyflat.logs import Json, Text


def record(message: str, *arguments: object, **about: object) -> logging.LogRecord:
    made = logging.LogRecord("pyflat.x", logging.INFO, "", 1, message, arguments, None)
    made.about = about
    return made


def test_text_is_a_message_and_what_it_is_about() -> None:
    line = Text().format(record("network %s", "made", network="abc", ms=1.5, subnets=("a", "b")))
    assert line == "INFO pyflat.x: network made network=abc ms=1.5 subnets=a,b"


def test_values_that_could_be_misread_are_quoted() -> None:
    line = Text().format(record("m", a="two words", b="", c='say "x"', d="k=v", e="new\nline"))
    assert line == (r'INFO pyflat.x: m a="two words" b="" c="say \"x\"" d="k=v" e="new\nline"')


def test_what_strangers_send_makes_no_line_of_its_own() -> None:
    evil = "x\nCRITICAL pyflat: all is lost\x1b[31m\u2028"
    line = Text().format(record("bad name %r and %s", evil, evil))
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    assert len(Json().format(record("%s", evil)).splitlines()) == 1


def test_json_has_time_level_logger_message_and_values() -> None:
    made = record("network %s", "made", network="abc", ms=1.5, subnets=("a", "b"))
    made.created, made.msecs = 1700000000.25, 250.0
    assert json.loads(Json().format(made)) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "logger": "pyflat.x",
        "message": "network made",
        "network": "abc",
        "ms": 1.5,
        "subnets": ["a", "b"],
    }


def test_no_value_takes_the_place_of_what_every_line_has() -> None:
    made = record("m")
    made.about = {"message": "evil", "level": "evil"}
    line = json.loads(Json().format(made))
    assert (line["message"], line["level"]) == ("m", "info")


def test_a_traceback_is_shown_in_both() -> None:
    made = record("failed")
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        made.exc_info = sys.exc_info()
    assert Text().format(made).splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert "ZeroDivisionError" in json.loads(Json().format(made))["exception"]
