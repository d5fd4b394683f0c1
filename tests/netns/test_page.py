"""The page, in a real browser."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from tests.support import dockerd, witness
from tests.support.browser import Window
from tests.support.dockerd import docker_id
from tests.support.inhabited import inside, settle
from tests.support.namespaces import container_namespace, fresh_namespace
from tests.support.serving import Serving, serving

from dockerlab import packages
from dockerlab.browser import PACKAGES, chromium

URL = "http://127.0.0.1:9470"
MANY = 60
PORTS = {9: ("7000-7009:7000-7009/udp", "127.0.0.1:9000:90", "9001:91", "9003:93")}
LAN = docker_id("lan")
NO_RATE, RATE = re.compile(r"^\d{1,3} bit/s$"), re.compile(r"^[1-9]\d{1,2}(\.\d)? kbit/s$")


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    """The browser, while there is a way to where it comes from."""
    packages.ensure(PACKAGES)


@pytest.fixture(scope="module")
def plugin() -> Iterator[Serving]:
    """A plugin with a network of many containers."""
    with fresh_namespace(), serving() as plugin:
        plugin.up_with_log(web="127.0.0.1:9470")
        plugin.send(dockerd.create_network(LAN, "172.30.0.0/24"))
        for number in range(MANY):
            port = (f"{8000 + number}:80",) if number < 3 else PORTS.get(number, ())
            container = docker_id(f"c{number}")
            plugin.send(*dockerd.run(LAN, container, f"172.30.0.{number + 2}/24", *port))
        yield plugin


@pytest.fixture(scope="module")
def browser(plugin: Serving) -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_containers_are_legible(browser: Browser, width: int, scheme: str) -> None:
    window = Window(browser, URL, width, color_scheme=scheme)
    boxes = window.page.locator(".box")
    expect(boxes).to_have_count(MANY)
    assert not window.is_too_wide()
    assert window.complaints == []
    sizes = [box.bounding_box() for box in boxes.all()]
    assert all(
        size and size["width"] > 180 and size["x"] + size["width"] <= width for size in sizes
    )
    assert contrast(window) > 7


def contrast(window: Window) -> float:
    """Give the contrast of text in a network (WCAG 2, 1.4.3)."""
    colours = window.page.evaluate(
        "(() => { const style = getComputedStyle(document.querySelector('.network'));"
        " return [style.color, style.backgroundColor]; })()"
    )
    bright, dim = sorted(map(luminance, colours), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_it_shows_bridge_pairs_and_ports_with_indexes(browser: Browser) -> None:
    window = Window(browser, URL, 1400)
    expect(window.page.locator(".box")).to_have_count(MANY)
    links = witness.links()
    bridge, end = f"pf-{LAN[:12]}", f"pv-{docker_id('c0')[:12]}"
    assert f"{bridge} #{links[bridge]['ifindex']}" in window.texts(".node")[0]
    cable = window.page.locator(f"[data-cable*='{end}']")
    number = links[end]["ifindex"]
    assert cable.get_attribute("data-cable") == f"{end} #{number} ⇄ #{number - 1}"
    assert ":8000 → 80" in cable.inner_text()


def test_ports_are_named_once_and_ranges_by_their_ends(browser: Browser) -> None:
    window = Window(browser, URL, 1400)
    expect(window.page.locator(".box")).to_have_count(MANY)
    window.page.fill("#find", "172.30.0.11")
    assert window.texts(".ports li") == [
        ":7000-7009 → 7000-7009/udp",
        ":9001 → 91",
        ":9003 → 93",
        "127.0.0.1:9000 → 90",
    ]


def test_it_follows_what_changes(browser: Browser, plugin: Serving) -> None:
    window = Window(browser, URL, 1400)
    expect(window.page.locator("h2")).to_have_count(1)
    new = docker_id("new")
    plugin.send(dockerd.create_network(new, "172.31.0.0/24"))
    expect(window.page.locator("h2")).to_have_count(2, timeout=5000)
    plugin.send(dockerd.delete_network(new))
    expect(window.page.locator("h2")).to_have_count(1, timeout=5000)


def test_rates_are_what_goes_through(browser: Browser) -> None:
    with container_namespace() as one, container_namespace() as other:
        settle(one, docker_id("c0"), "172.30.0.2/24")
        settle(other, docker_id("c1"), "172.30.0.3/24")
        window = Window(browser, URL, 1400)
        rates = window.page.locator(f"[data-rates='pv-{docker_id('c0')[:12]}'] > span")
        expect(rates).to_have_text([NO_RATE, NO_RATE], timeout=8000)
        # 1042 bytes fifty times a second are 417 kbit/s.
        inside(one, "ping", "-q", "-c", "350", "-i", "0.02", "-s", "1000", "172.30.0.3")
        expect(rates).to_have_text([RATE, RATE], timeout=3000)
    assert window.complaints == []


def test_what_is_looked_for_is_found(browser: Browser) -> None:
    window = Window(browser, URL, 1400)
    expect(window.page.locator(".box")).to_have_count(MANY)
    window.page.fill("#find", "172.30.0.7")
    assert len(window.texts(".box")) == 1
    window.page.fill("#find", ":8001")
    (found,) = window.texts(".box")
    assert "172.30.0.3" in found


def test_a_name_is_text_whatever_it_holds(browser: Browser) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    names = {"networks": {LAN: evil}, "containers": {docker_id("c0"): evil}}
    page = browser.new_page()
    page.route("**/names.json", lambda route: route.fulfill(body=json.dumps(names)))
    page.goto(URL)
    expect(page.locator("h2")).to_have_text(evil)
    expect(page.locator("h3", has_text="onerror")).to_have_text(evil)
    assert (page.title(), page.locator("main img, main script").count()) == ("pyflat", 0)


def test_it_says_when_nobody_answers_and_recovers(browser: Browser) -> None:
    page = browser.new_page()
    page.goto(URL)
    expect(page.locator("#health")).to_have_text("healthy")
    page.route("**/*.json", lambda route: route.abort())
    expect(page.locator("#health")).to_have_text("no answer", timeout=8000)
    page.unroute("**/*.json")
    expect(page.locator("#health")).to_have_text("healthy", timeout=8000)


def test_trouble_is_shown(browser: Browser) -> None:
    page = browser.new_page()
    page.route("**/healthz", lambda route: route.fulfill(status=503, body="port tcp 8080: taken"))
    page.goto(URL)
    expect(page.locator("#health")).to_have_text("not healthy")
    expect(page.locator("#troubles")).to_have_text("port tcp 8080: taken")
