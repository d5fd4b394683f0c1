"""What the benchmark's cases ask for, and the instrument that they count with."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from dockerbench import asking, echo, places, remotes, traffic
from dockerbench.publish import in_a_row, scattered
from dockerbench.shapes import ADDRESSES, HASH, SHAPES, Shape
from pyflat.overlay.records import place_of, read_remote


def test_ports_in_a_row_keep_their_numbers() -> None:
    assert in_a_row(3) == [(20000, 20000), (20001, 20001), (20002, 20002)]


def test_scattered_ports_change_their_numbers_and_have_no_neighbours() -> None:
    ports = scattered(1000)
    hosts = {host for _, host in ports}
    assert len({own for own, _ in ports}) == len(hosts) == 1000
    assert all(own != host and host + 1 not in hosts for own, host in ports)


def test_an_element_of_a_map_is_added_with_its_data_and_deleted_without() -> None:
    assert HASH.add("this", range(4999, 5001)) == (
        "add element inet bench this { tcp . 10.0.0.0 . 5000 : 10.0.19.135 . 80,"
        " tcp . 10.0.0.1 . 1 : 10.0.19.136 . 80 }"
    )
    assert HASH.delete("this", range(1)) == (
        "delete element inet bench this { tcp . 10.0.0.0 . 1 }"
    )
    assert HASH.declare("this").startswith("add map inet bench this {")


def test_an_element_of_a_set_is_its_key() -> None:
    assert ADDRESSES.add("this", range(2)) == (
        "add element inet bench this { 10.0.0.0/24, 10.0.1.0/24 }"
    )
    assert ADDRESSES.declare("this").startswith("add set inet bench this {")


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_no_two_keys_are_the_same(shape: Shape) -> None:
    assert len({shape.key(number) for number in range(10001)}) == 10001


RULES = """-N DOCKER
-A DOCKER ! -i br -p tcp -m tcp --dport 190 -j DNAT --to-destination 10.0.0.3:190
-A DOCKER ! -i br -p tcp -m tcp --dport 19000 -j DNAT --to-destination 10.0.0.3:9000
"""


def test_rules_for_more_ports_come_before_the_one_they_are_like() -> None:
    assert traffic.like_rule(RULES, 19000, [5, 7]) == (
        "*nat\n"
        "-I DOCKER ! -i br -p tcp -m tcp --dport 5 -j DNAT --to-destination 10.0.0.3:9000\n"
        "-I DOCKER ! -i br -p tcp -m tcp --dport 7 -j DNAT --to-destination 10.0.0.3:9000\n"
        "COMMIT\n"
    )


def test_without_a_rule_there_is_nothing_to_be_like() -> None:
    with pytest.raises(ValueError, match="unpack"):
        traffic.like_rule(RULES, 1900, [5])


def test_a_stream_is_what_has_been_received() -> None:
    end = {"sum_sent": {"bits_per_second": 9e9}, "sum_received": {"bits_per_second": 8e9}}
    assert places.received({"end": end}) == 8.0


def test_an_endpoint_that_is_made_up_is_one_that_pyflat_understands() -> None:
    key, value = remotes.endpoint(7000)
    place = place_of(key)
    assert place is not None
    assert place[:2] == (remotes.VNI, "endpoints")
    remote = read_remote(remotes.VNI, place[2], value)
    assert remote is not None
    assert remote.mac == "02:74:00:00:1b:58"
    assert [str(address) for address in remote.addresses] == ["10.74.28.88"]


def test_a_remote_endpoint_is_an_entry_of_both_tables() -> None:
    kinds = [(kind, body[0]) for kind, _, body in asking.entries(3)]
    assert kinds == [(28, socket.AF_BRIDGE), (28, socket.AF_INET)] * 3


class Listener(socket.socket):
    """Listens on loopback, and counts who comes."""

    accepted = 0

    def __init__(self) -> None:
        super().__init__()
        self.bind(("127.0.0.1", 0))
        self.listen()

    def accept(self) -> tuple[socket.socket, Any]:
        found = super().accept()
        self.accepted += 1
        return found


@contextlib.contextmanager
def served() -> Iterator[Listener]:
    def answer() -> None:
        with contextlib.suppress(OSError):
            echo.serve(listener)

    with Listener() as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield listener
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_round_trips_are_made_on_one_connection() -> None:
    with served() as listener:
        assert echo.trips(listener.getsockname(), 0.05) > 20
        assert listener.accepted == 1


def test_each_connect_is_a_connection_that_the_server_has_seen() -> None:
    with served() as listener:
        rate = echo.connects(listener.getsockname(), 0.05)
        assert listener.accepted >= rate * 0.05 > 1


def test_who_answers_once_says_what_was_asked_and_no_more() -> None:
    with Listener() as listener:
        thread = threading.Thread(target=echo.once, args=(listener,))
        thread.start()
        with socket.create_connection(listener.getsockname(), 5) as connection:
            connection.sendall(b"k")
            assert connection.recv(2) == b"k"
            assert connection.recv(1) == b""
        thread.join()
        assert listener.accepted == 1


def test_a_connect_without_an_answer_does_not_count() -> None:
    def refuse() -> None:
        listener.accept()[0].close()

    with Listener() as listener:
        threading.Thread(target=refuse, daemon=True).start()
        with pytest.raises(ConnectionError):
            echo.connects(listener.getsockname(), 1)
