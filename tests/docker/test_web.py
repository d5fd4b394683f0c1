"""What is seen of real containers: their traffic, the page, and the log of a real run."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.conftest import NEWEST
from tests.docker.client import Docker
from tests.docker.pages import REPOSITORY, chapters, follow
from tests.docker.starting import bare_lab, start
from tests.support.browser import Window
from tests.support.namespaces import within
from tests.support.tcp_http import fetch, samples

from dockerlab import Lab, packages
from dockerlab.browser import chromium
from dockerlab.host import Host
from dockerlab.processes import wait_until
from pyflat.dataplane.watch import DELAY

pytestmark = pytest.mark.engine("28.5")
PAGES = (("docs/metrics.md", ""),)
PLACE = ("127.0.0.1", 9470)
SETTINGS = {
    "PYFLAT_WEB": "127.0.0.1:9470",
    "PYFLAT_LOG_FORMAT": "json",
    "PYFLAT_LOG_LEVEL": "debug",
}


@pytest.fixture(scope="module")
def lab(engine: str) -> Iterator[Lab]:
    """A host whose pyflat shows itself."""
    with bare_lab(engine, pyflat_env=SETTINGS) as lab:
        start(lab.host("h1"))
        yield lab


def metrics(host: Host) -> str:
    with within(host.netns):
        return fetch(PLACE, "/metrics").text


def looks(host: Host) -> float:
    (count,) = samples(metrics(host), "pyflat_converge_seconds_count").values()
    return count


def sent(host: Host) -> dict[str, float]:
    """The bytes that each container has sent, by its name."""
    found = samples(metrics(host), "pyflat_endpoint_transmit_bytes_total")
    return {labels[0]: value for labels, value in found.items()}


def log(host: Host) -> list[dict[str, Any]]:
    return [json.loads(line) for line in host.pyflat.log.read_text().splitlines()]


@pytest.mark.parametrize(("page", "chapter"), PAGES)
def test_it_answers_as_the_page_says(host: Host, page: str, chapter: str) -> None:
    packages.ensure(["curl"])
    assert follow(chapters(REPOSITORY / page)[chapter], {"": host.popen}) == []


def test_traffic_is_that_of_the_container_that_sent_it(docker: Docker, host: Host) -> None:
    docker.network("blue")
    web = docker.run("web", "--network", "blue")
    near, _ = (docker.run(name, "--network", "blue") for name in ("near", "idle"))
    assert wait_until(lambda: set(sent(host)) == {"web", "near", "idle"}, 5)
    near.run("ping", "-q", "-c", "100", "-i", "0.01", "-s", "1000", web.address("blue"))
    found = sent(host)
    assert found["near"] > 100_000
    assert found["web"] > 100_000  # its answers
    assert found["idle"] < 10_000
    networks = samples(metrics(host), "pyflat_endpoints")
    assert [labels[1] for labels in networks] == ["blue"]


def test_what_pyflat_removes_itself_causes_no_look_at_everything(
    docker: Docker, host: Host, engine: str
) -> None:
    # One is due each minute; up to Engine 27 dockerd writes to DOCKER-USER with each network.
    allowed = 1 if engine == NEWEST else 1 + 3
    before = looks(host)
    for _ in range(3):
        docker.network("blue")
        docker.run("web", "--network", "blue", "-p", "8080:80")
        docker("rm", "-f", "web")
        docker("network", "rm", "blue")
        time.sleep(3 * DELAY)
    assert looks(host) - before <= allowed


@pytest.mark.quick
def test_the_page_shows_by_itself_what_comes_and_goes(docker: Docker, host: Host) -> None:
    docker.network("blue")
    with chromium(host) as browser:
        window = Window(browser, "http://127.0.0.1:9470", 1400)
        expect(window.page.locator("h2")).to_have_text("blue", timeout=8000)
        docker.run("web", "--network", "blue", "-p", "8080:80")
        expect(window.page.locator("h3")).to_have_text("web", timeout=8000)
        assert ":8080 → 80" in window.texts(".box")[0]
        docker("rm", "-f", "web")
        expect(window.page.locator("h3")).to_have_count(0, timeout=8000)
        assert window.complaints == []


def test_the_log_of_a_run_says_what_was_made_and_removed(docker: Docker, host: Host) -> None:
    before = len(log(host))
    docker.network("blue", "--subnet", "10.90.0.0/24")
    web = docker.run("web", "--network", "blue", "-p", "127.0.0.1:8080:80")
    endpoint = web.on("blue")["EndpointID"][:12]
    network = web.on("blue")["NetworkID"][:12]
    docker("rm", "-f", "web")
    docker("network", "rm", "blue")
    lines = log(host)[before:]
    changes = [line for line in lines if line["logger"] == "pyflat.report.audit"]
    assert [line["message"] for line in changes] == [
        *("network made", "endpoint made", "endpoint joined", "ports published"),
        *("ports withdrawn", "endpoint left", "endpoint removed", "network removed"),
    ]
    assert {line["level"] for line in changes} == {"info"}
    assert {line["endpoint"] for line in changes if "endpoint" in line} == {endpoint}
    assert {line["network"] for line in changes if "network" in line} == {network}
    assert changes[3]["ports"] == ["127.0.0.1:8080->10.90.0.2:80/tcp"]
    calls = [line for line in lines if line["logger"] == "pyflat.api.http"]
    assert {"NetworkDriver.CreateNetwork", "NetworkDriver.Join"} <= {c["method"] for c in calls}
    assert all(0 < call["ms"] < 10_000 for call in calls)
    (join,) = (call for call in calls if call["method"] == "NetworkDriver.Join")
    assert (join["level"], join["endpoint"], join["network"]) == ("debug", endpoint, network)
