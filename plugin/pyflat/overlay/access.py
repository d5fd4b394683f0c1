"""Where a cluster is, as its setting has it."""

import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from netaddr import AddrFormatError, IPAddress, valid_ipv4

from pyflat.errors import StartupError

_PORT = 2379
_PREFIX = "/pyflat"
_FORM = "must be etcd://HOST:PORT,HOST:PORT/PREFIX, or etcds:// for TLS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach an etcd; ``prefix`` begins every key and ends in a slash.

    ``ca``, ``certificate`` and ``key`` are paths of PEM files, "" for none.
    """

    endpoints: tuple[tuple[str, int], ...]
    prefix: str
    tls: bool = False
    ca: str = ""
    certificate: str = ""
    key: str = ""
    user: str = ""
    password: str = ""

    def __str__(self) -> str:
        """Name it without secrets."""
        hosts = ",".join(f"{_bracketed(host)}:{port}" for host, port in self.endpoints)
        return f"{'etcds' if self.tls else 'etcd'}://{hosts}{self.prefix.rstrip('/')}"


def read_access(
    text: str, *, ca: str, certificate: str, key: str, user: str, password_file: str
) -> Access:
    """Read the settings of a cluster. Raises StartupError, which names the setting."""
    scheme, separator, rest = text.partition("://")
    hosts, _, path = rest.partition("/")
    if scheme not in {"etcd", "etcds"} or not separator or not hosts:
        raise StartupError(f"PYFLAT_CLUSTER {text!r} {_FORM}")
    tls = scheme == "etcds"
    if not tls and (ca or certificate or key):
        raise StartupError("PYFLAT_CLUSTER_CA, _CERT and _KEY are for etcds:// only")
    if bool(certificate) != bool(key):
        raise StartupError("PYFLAT_CLUSTER_CERT and PYFLAT_CLUSTER_KEY go together")
    if bool(user) != bool(password_file):
        raise StartupError("PYFLAT_CLUSTER_USER and PYFLAT_CLUSTER_PASSWORD_FILE go together")
    for name, file in (("CA", ca), ("CERT", certificate), ("KEY", key)):
        if file and not Path(file).is_file():
            raise StartupError(f"PYFLAT_CLUSTER_{name} {file!r}: there is no such file")
    return Access(
        endpoints=tuple(_endpoint(text, host) for host in hosts.split(",")),
        prefix=f"/{path.strip('/')}/" if path.strip("/") else f"{_PREFIX}/",
        tls=tls,
        ca=ca,
        certificate=certificate,
        key=key,
        user=user,
        password=_secret(password_file) if password_file else "",
    )


def check_host(name: str) -> None:
    """Raise StartupError for a name that other hosts could not know this one by.

    An address is what ``peers=`` has for a host, so no name may be one.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name) or valid_ipv4(name):
        raise StartupError(
            f"PYFLAT_HOST {name!r} must be a name of letters, digits, '_', '.' and '-', and no "
            "address"
        )


def _endpoint(text: str, host: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{host}")
        name, port = parts.hostname, parts.port or _PORT
    except ValueError as error:
        raise StartupError(f"PYFLAT_CLUSTER {text!r} {_FORM}") from error
    if not name or "@" in host:
        raise StartupError(f"PYFLAT_CLUSTER {text!r} {_FORM}")
    return name, port


def _secret(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"PYFLAT_CLUSTER_PASSWORD_FILE {path!r}: {error}") from error


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class Addresses:
    """The addresses of a cluster's endpoints, as far as they are known.

    Names are looked up by ``resolve`` only, which may take its time.
    """

    def __init__(self, endpoints: Iterable[tuple[str, int]]) -> None:
        self._hosts = [host for host, _ in endpoints]
        self._known: dict[str, IPAddress] = {}
        for host in self._hosts:
            with suppress(AddrFormatError, ValueError):
                self._known[host] = IPAddress(host)

    def __call__(self) -> tuple[IPAddress, ...]:
        """Give what is known."""
        return tuple(self._known[host] for host in self._hosts if host in self._known)

    def resolve(self) -> None:
        """Look up those that are not known yet; one that cannot be found is left for later."""
        for host in set(self._hosts) - self._known.keys():
            with suppress(OSError):
                found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
                self._known[host] = IPAddress(str(found[0][4][0]))
