"""Which failures of a soak a kill explains."""

import pytest

from dockersoak.journal import FailedError, Journal


def fails() -> None:
    raise ConnectionResetError("gone")


def test_what_succeeds_is_counted() -> None:
    journal = Journal()
    journal.do("start", len, "")
    assert journal.done == {"start": 1}


def test_a_failure_while_a_daemon_is_away_or_just_back_is_explained() -> None:
    journal = Journal()
    with journal.outage("worker"), pytest.raises(FailedError):
        journal.do("start", fails)
    with pytest.raises(FailedError):
        journal.do("start", fails)
    assert (journal.kills, journal.refused, journal.unexplained) == (
        {"worker": 1},
        {"start": 2},
        [],
    )


def test_a_failure_while_all_are_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dockersoak.journal.AFTERMATH", 0.0)
    journal = Journal()
    with journal.outage("worker"):
        pass
    with pytest.raises(FailedError):
        journal.do("start", fails)
    assert (journal.refused, journal.unexplained) == ({}, ["start: ConnectionResetError: gone"])
