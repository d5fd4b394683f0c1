"""A container's own resolver: its files, asked from its own network namespace."""

from collections.abc import Iterator
from pathlib import Path

from netaddr import IPAddress

from pyflat.dataplane.namespace import visit
from pyflat.errors import BackendError, NotFound
from pyflat.report.why.places import read_address

#: Seconds that name servers may take.
PATIENCE = 3.0


def resolve(name: str, namespace: Path) -> tuple[IPAddress, str]:
    """Give the address that a container has for a name, and who has said so.

    IPv4 before IPv6. Raises NotFound, with what the resolver says.
    """
    root = _root_of(namespace)
    for address in _in_hosts(root / "etc/hosts", name):
        return address, "its /etc/hosts"
    return visit(namespace, lambda: _ask(root / "etc/resolv.conf", name))


def _ask(file: Path, name: str) -> tuple[IPAddress, str]:
    import dns.exception
    import dns.resolver

    if not file.exists():
        raise NotFound("it has no resolv.conf")
    with file.open() as lines:  # what dnspython takes for a name would be looked up
        resolver = dns.resolver.Resolver(lines)
    resolver.lifetime = PATIENCE
    servers = ", ".join(map(str, resolver.nameservers))
    said = ""
    for kind in ("A", "AAAA"):
        try:
            answer = resolver.resolve(name, kind, search=True)
        except dns.resolver.NXDOMAIN:
            said = said or f"{servers} knows no such name"
        except dns.exception.Timeout:
            said = said or f"{servers} does not answer"
        except dns.exception.DNSException:
            said = said or f"{servers} has no answer"
        else:
            return IPAddress(answer[0].address), str(answer.nameserver)
    raise NotFound(said)


def _root_of(namespace: Path) -> Path:
    """Find the file system of a container, by a process that lives in its network namespace.

    Raises BackendError.
    """
    own, here = namespace.stat(), Path("/").stat()
    for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            found, root = (process / "ns/net").stat(), (process / "root").stat()
        except OSError:
            continue  # gone meanwhile
        is_elsewhere = (root.st_dev, root.st_ino) != (here.st_dev, here.st_ino)
        if (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino) and is_elsewhere:
            return process / "root"
    raise BackendError(f"no process of a container lives in {namespace}")


def _in_hosts(file: Path, name: str) -> Iterator[IPAddress]:
    for line in file.read_text().splitlines() if file.exists() else ():
        address, *names = line.partition("#")[0].split() or ("",)
        if name in names and (found := read_address(address)):
            yield found
