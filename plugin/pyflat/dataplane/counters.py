"""What the kernel has counted of protocols since the boot."""

from pathlib import Path


def wrong_checksums(counters: Path) -> int:
    """Read how many UDP packets of either family had a wrong checksum since the boot."""
    rows = [line.split() for line in _read(counters / "snmp") if line.startswith("Udp:")]
    ipv4 = dict(zip(*rows, strict=True)) if len(rows) == len(("names", "values")) else {}
    ipv6 = dict(line.split() for line in _read(counters / "snmp6"))
    return int(ipv4.get("InCsumErrors", 0)) + int(ipv6.get("Udp6InCsumErrors", 0))


def _read(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []
