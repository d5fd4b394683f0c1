"""What a check has found, and what it comes to. Pure."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """How it stands; a check is skipped where it has no meaning or cannot look."""

    OK = "ok"
    SKIPPED = "skipped"
    WARN = "warn"
    FAIL = "fail"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a check has seen; ``remedy`` says what helps, "" if nothing has to."""

    check: str = ""
    verdict: Verdict
    evidence: str
    remedy: str = ""


def ok(evidence: str) -> Finding:
    """All is well."""
    return Finding(verdict=Verdict.OK, evidence=evidence)


def skipped(reason: str) -> Finding:
    """There was nothing to look at."""
    return Finding(verdict=Verdict.SKIPPED, evidence=reason)


def warn(evidence: str, remedy: str) -> Finding:
    """It may harm, or harms some traffic."""
    return Finding(verdict=Verdict.WARN, evidence=evidence, remedy=remedy)


def fail(evidence: str, remedy: str) -> Finding:
    """Traffic is lost."""
    return Finding(verdict=Verdict.FAIL, evidence=evidence, remedy=remedy)


def worst(findings: Iterable[Finding]) -> Verdict:
    """Give what findings come to all in all: ok, warn or fail."""
    verdicts = {finding.verdict for finding in findings}
    ranked = (Verdict.FAIL, Verdict.WARN)
    return next((verdict for verdict in ranked if verdict in verdicts), Verdict.OK)
