"""A thousand published ports of one container."""

from collections.abc import Mapping

import pytest
from tests.docker.client import Docker
from tests.docker.labels import DUAL
from tests.docker.portmap import published
from tests.docker.reach import Answer, Question, ask_all, serving
from tests.docker.traces import assert_same, traces

from dockerlab import Lab
from dockerlab.underlay import OUTSIDE

pytestmark = [pytest.mark.engine("28.5"), pytest.mark.placements]

RANGE = {port: port for port in range(20000, 21000)}
SCATTERED = {port: port + 7 for port in range(20000, 23000, 3)}


@pytest.mark.parametrize(
    ("words", "ports"),
    [
        (("20000-20999:20000-20999",), RANGE),
        (tuple(f"{outer}:{inner}" for outer, inner in SCATTERED.items()), SCATTERED),
    ],
    ids=["range", "scattered"],
)
def test_a_thousand_ports_come_answer_and_go(
    docker: Docker, lab: Lab, words: tuple[str, ...], ports: Mapping[int, int]
) -> None:
    host = docker.host
    blue = docker.network("blue", *DUAL)
    before = traces(host)
    options = [word for each in words for word in ("-p", each)]
    many = docker.run("many", "--network", blue, *options)
    for version in (4, 6):
        own = many.address(blue, version)
        expected = {f"tcp {outer}": f"{own} {inner}" for outer, inner in ports.items()}
        assert published(host, version) == expected
    sample = [*list(ports)[::20], list(ports)[-1]]
    with serving(many, {ports[port]: str(ports[port]) for port in sample}):
        for address, client in zip((host.address4, host.address6), OUTSIDE, strict=True):
            questions = {Question("tcp", address, port): 6.0 for port in sample}
            expected_answers = {each: Answer(str(ports[each.port]), client) for each in questions}
            assert ask_all(lab.outside, questions) == expected_answers
    docker("rm", "-f", many.name)
    assert_same(host, before)
