"""What is left of a host's networks when all of them are removed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dockerbench.api import ApiError, Engine, Plugin
from dockerbench.process import memory
from dockerlab.host import Host
from dockerlab.processes import family, wait_until
from dockerlab.traces import Traces, difference, records, traces

#: Where dockerd and the plugin listen.
SOCKET, PLUGIN_SOCKET = "/run/docker.sock", "/run/docker/plugins/pyflat.sock"
#: Seconds in which what is removed after an answer has to go.
GRACE = 2.0


@dataclass(frozen=True, slots=True)
class Weight:
    """What the plugin takes: memory of master and worker in MB (2**20 bytes), and open files."""

    memory: float
    files: int


def weigh(host: Host) -> Weight:
    """Weigh the plugin of a host."""
    folders = (Path(f"/proc/{pid}/fd") for pid in family(host.pyflat.pid))
    return Weight(memory(host), sum(len(list(folder.iterdir())) for folder in folders))


def clear(host: Host, engine: Engine) -> int:
    """Remove all containers and networks; give how many took another start of dockerd.

    ApiError for one that even then cannot be removed.
    """
    for container in engine.containers():
        engine.remove_container(container)
    return sum([not _removed(host, engine, network) for network in engine.networks()])


def orphans(host: Host) -> list[str]:
    """Remove what dockerd knows nothing of, when it has no networks any more; give what it was.

    A kill may cut off the answer to a request that was carried out, or dockerd before it takes
    note of one: then the plugin has a network or pool that nobody will remove.
    """
    plugin = Plugin(host.path(PLUGIN_SOCKET))
    found = [row.split()[:2] for row in records(host)]
    for kind, identifier in found:
        if kind == "network":
            plugin.call("NetworkDriver.DeleteNetwork", NetworkID=identifier)
        elif kind == "pool":
            plugin.call("IpamDriver.ReleasePool", PoolID=identifier)
    return [kind for kind, _ in found if kind in ("network", "pool")]


def leaks(host: Host, before: Traces) -> list[str]:
    """Give what there is more (+) or less (-) than before, when what goes late is gone."""
    wait_until(lambda: traces(host) == before, GRACE, 0.1)
    return difference(before, traces(host))


def _removed(host: Host, engine: Engine, network: str) -> bool:
    try:
        engine.remove_network(network)
    except ApiError:
        # It may have miscounted the endpoints; it counts them when it starts.
        host.dockerd.stop()
        host.dockerd.start()
        Engine(host.path(SOCKET)).remove_network(network)
        return False
    return True
