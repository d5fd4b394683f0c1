"""Published SCTP ports. Few kernels have sockets for it, so the packets are made here."""

import socket
import struct

import pytest
from tests.support import dockerd
from tests.support.dockerd import docker_id
from tests.support.inhabited import settle
from tests.support.machine import Machine
from tests.support.namespaces import within

pytestmark = pytest.mark.quick

LAN, WEB = docker_id("lan"), docker_id("web")
OWN, OWN6 = "172.30.0.2/24", "fd00::2/64"
INIT = struct.pack("!BBHIIHHI", 1, 0, 20, 7, 4096, 1, 1, 7)  # RFC 9260, 3.3.2


def packet(source: int, destination: int) -> bytes:
    head = struct.pack("!HHI", source, destination, 0)
    checksum = struct.pack("<I", crc32c(head + bytes(4) + INIT))
    return head + checksum + INIT


def crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, "172.30.0.1"),
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET6, "fd00::1"),
    ],
)
def test_a_packet_to_the_port_is_translated_with_its_checksum(
    machine: Machine, container: str, family: socket.AddressFamily, address: str
) -> None:
    machine.send(
        dockerd.create_network(LAN, "172.30.0.0/24", "fd00::/64"),
        *dockerd.run(LAN, WEB, OWN, "9999:7777/sctp", v6=OWN6),
    )
    settle(container, WEB, OWN, OWN6)
    with within(container):
        server = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_SCTP)
    with server, socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_SCTP) as client:
        server.settimeout(3)
        client.sendto(packet(5000, 9999), (address, 0))
        assert server.recv(2048).endswith(packet(5000, 7777))
