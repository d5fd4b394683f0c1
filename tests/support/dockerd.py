"""The requests of dockerd, byte for byte as its engines write them."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from netaddr import IPNetwork

GENERIC = "com.docker.network.generic"

_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}


@dataclass(frozen=True, slots=True)
class Call:
    """One request: a path and a body, which is empty where no argument is needed."""

    path: str
    body: bytes = b""

    def __repr__(self) -> str:
        """Write it as a falsified example shows it best."""
        return f"{self.path[1:]} {self.body.decode(errors='replace').strip()}"


def call(method: str, **fields: Any) -> Call:
    """Encode a request as Go's encoding/json does: a newline at the end, no < > & within."""
    text = json.dumps(fields, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Call(f"/{method}", text.encode() + b"\n")


def docker_id(name: str) -> str:
    """Make an id of 64 hexadecimal digits, always the same one of a name."""
    return hashlib.sha256(name.encode()).hexdigest()


def swarm_id(name: str) -> str:
    """Make an id of 25 base36 characters, as swarmkit does."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    number = int(docker_id(name), 16)
    return "".join(digits[number // 36**place % 36] for place in range(25))


def port(text: str) -> dict[str, Any]:
    """Write ``-p [ADDRESS:][PORT[-PORT]:]PORT[/PROTOCOL]`` as an entry of the port map."""
    words, _, protocol = text.partition("/")
    rest, _, container = words.rpartition(":")
    address, _, published = rest.rpartition(":")
    first, _, last = published.partition("-")
    return {
        "Proto": _PROTOCOLS[protocol or "tcp"],
        "IP": "",
        "Port": int(container),
        "HostIP": address.strip("[]"),
        "HostPort": int(first or 0),
        "HostPortEnd": int(last or first or 0),
    }


def each(text: str) -> Iterator[str]:
    """Take a range of container ports apart, as the docker command does before it asks."""
    words, slash, protocol = text.partition("/")
    rest, _, containers = words.rpartition(":")
    address, colon, published = rest.rpartition(":")
    if "-" not in containers:
        yield text
        return
    for host, container in zip(_range(published), _range(containers), strict=True):
        yield f"{address}{colon}{host}:{container}{slash}{protocol}"


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last) + 1)


def subnet(pool: str, **keys: Any) -> dict[str, Any]:
    """Describe a subnet whose first address is the gateway."""
    cidr = IPNetwork(pool)
    gateway = f"{cidr[1]}/{cidr.prefixlen}"
    return {"AddressSpace": "PyflatLocal", "Pool": pool, "Gateway": gateway} | keys


def create_network(
    network: str, *pools: str, internal: bool = False, labels: dict[str, str] | None = None
) -> Call:
    """NetworkDriver.CreateNetwork; ``labels`` are the ``-o`` options."""
    families: dict[int, list[dict[str, Any]]] = {4: [], 6: []}
    for pool in pools:
        families[IPNetwork(pool).version].append(subnet(pool))
    return call(
        "NetworkDriver.CreateNetwork",
        NetworkID=network,
        Options=network_options(
            labels or {},
            internal=internal,
            ipv4=bool(families[4] or not families[6]),
            ipv6=bool(families[6]),
        ),
        IPv4Data=families[4],
        IPv6Data=families[6],
    )


def network_options(
    labels: dict[str, str], *, internal: bool = False, ipv4: bool = True, ipv6: bool = False
) -> dict[str, Any]:
    """Give the options of CreateNetwork and GwAllocCheck."""
    options: dict[str, Any] = {
        "com.docker.network.enable_ipv4": ipv4,
        "com.docker.network.enable_ipv6": ipv6,
        GENERIC: labels,
    }
    return options | ({"com.docker.network.internal": True} if internal else {})


def delete_network(network: str) -> Call:
    """NetworkDriver.DeleteNetwork."""
    return call("NetworkDriver.DeleteNetwork", NetworkID=network)


def create_endpoint(
    network: str,
    endpoint: str,
    v4: str = "",
    v6: str = "",
    *,
    mac: str = "",
    servers: tuple[str, ...] = (),
) -> Call:
    """NetworkDriver.CreateEndpoint; ``servers`` are those of ``--dns``."""
    named = {"com.docker.network.endpoint.dnsservers": list(servers)} if servers else {}
    return call(
        "NetworkDriver.CreateEndpoint",
        NetworkID=network,
        EndpointID=endpoint,
        Interface={"Address": v4, "AddressIPv6": v6, "MacAddress": mac},
        Options=_port_options(()) | named,
    )


def delete_endpoint(network: str, endpoint: str) -> Call:
    """NetworkDriver.DeleteEndpoint."""
    return _on_endpoint("DeleteEndpoint", network, endpoint)


def endpoint_info(network: str, endpoint: str) -> Call:
    """NetworkDriver.EndpointOperInfo."""
    return _on_endpoint("EndpointOperInfo", network, endpoint)


def join(network: str, endpoint: str, *ports: str) -> Call:
    """NetworkDriver.Join."""
    return call(
        "NetworkDriver.Join",
        NetworkID=network,
        EndpointID=endpoint,
        SandboxKey=f"/var/run/docker/netns/{endpoint[-12:]}",
        Options=_port_options(ports),
    )


def leave(network: str, endpoint: str) -> Call:
    """NetworkDriver.Leave."""
    return _on_endpoint("Leave", network, endpoint)


def program(network: str, endpoint: str, *ports: str) -> Call:
    """NetworkDriver.ProgramExternalConnectivity."""
    return call(
        "NetworkDriver.ProgramExternalConnectivity",
        NetworkID=network,
        EndpointID=endpoint,
        Options=_port_options(ports),
    )


def revoke(network: str, endpoint: str) -> Call:
    """NetworkDriver.RevokeExternalConnectivity."""
    return _on_endpoint("RevokeExternalConnectivity", network, endpoint)


def allocate_network(network: str, *pools: str, **labels: str) -> Call:
    """NetworkDriver.AllocateNetwork, of the leader of a swarm; ``labels`` as in create_network."""
    data = [subnet(pool, AddressSpace="") for pool in pools]
    return call(
        "NetworkDriver.AllocateNetwork",
        NetworkID=network,
        Options=labels,
        IPv4Data=data,
        IPv6Data=None,
    )


def free_network(network: str) -> Call:
    """NetworkDriver.FreeNetwork."""
    return call("NetworkDriver.FreeNetwork", NetworkID=network)


def discover(address: str, *, own: bool = False, gone: bool = False) -> Call:
    """NetworkDriver.DiscoverNew of a node of the swarm, or DiscoverDelete."""
    data = {"Address": address, "BindAddress": address if own else "", "Self": own}
    method = "DiscoverDelete" if gone else "DiscoverNew"
    return call(f"NetworkDriver.{method}", DiscoveryType=1, DiscoveryData=data)


def request_pool(
    pool: str = "", part: str = "", *, ipv6: bool = False, space: str = "PyflatLocal"
) -> Call:
    """IpamDriver.RequestPool."""
    return call(
        "IpamDriver.RequestPool",
        AddressSpace=space,
        Pool=pool,
        SubPool=part,
        Options=None,
        V6=ipv6,
    )


def release_pool(pool: str) -> Call:
    """IpamDriver.ReleasePool."""
    return call("IpamDriver.ReleasePool", PoolID=pool)


def request_address(pool: str, address: str = "", options: dict[str, str] | None = None) -> Call:
    """IpamDriver.RequestAddress."""
    return call("IpamDriver.RequestAddress", PoolID=pool, Address=address, Options=options)


def release_address(pool: str, address: str) -> Call:
    """IpamDriver.ReleaseAddress."""
    return call("IpamDriver.ReleaseAddress", PoolID=pool, Address=address)


def run(network: str, endpoint: str, v4: str, *ports: str, v6: str = "") -> tuple[Call, ...]:
    """Give what ``docker run -p`` says to the network driver."""
    return (
        create_endpoint(network, endpoint, v4, v6),
        join(network, endpoint, *ports),
        program(network, endpoint, *ports),
    )


def stop(network: str, endpoint: str) -> tuple[Call, ...]:
    """Give what ``docker stop`` says to the network driver."""
    return (
        revoke(network, endpoint),
        leave(network, endpoint),
        delete_endpoint(network, endpoint),
    )


def _on_endpoint(method: str, network: str, endpoint: str) -> Call:
    return call(f"NetworkDriver.{method}", NetworkID=network, EndpointID=endpoint)


def _port_options(ports: tuple[str, ...]) -> dict[str, Any]:
    bindings = [port(single) for text in ports for single in each(text)]
    exposed = [{"Proto": b["Proto"], "Port": b["Port"]} for b in bindings]
    return {
        "com.docker.network.endpoint.exposedports": exposed,
        "com.docker.network.portmap": bindings,
    }
