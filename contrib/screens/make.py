"""Makes the pictures of docs/images: what the commands show on real hosts of a lab.

``make screens`` writes all of them anew; names and numbers in them are then others.
"""

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from playwright.sync_api import Browser, Page, ViewportSize, expect
from rich.console import Console
from rich.text import Text

from dockerlab import Lab
from dockerlab.browser import chromium
from dockerlab.errors import LabError
from dockerlab.host import Host

FOLDER = Path(__file__).parents[2] / "docs" / "images"
#: Characters of a line, as terminals have.
WIDTH = 80

Scheme: TypeAlias = Literal["light", "dark"]
#: Pictures of the page: width, height and colours.
SHOTS: dict[str, tuple[int, int, Scheme]] = {
    "page-light": (1280, 800, "light"),
    "page-dark": (1280, 800, "dark"),
    "page-phone": (360, 740, "dark"),
}
#: Seconds until its charts have something to show.
CHARTED = 40

SETTINGS = {"PYFLAT_WEB": "127.0.0.1:9470"}

_IDLE = ("busybox", "sleep", "1d")
_SERVE = ("busybox", "sh", "-c", "dd if=/dev/urandom of=/tmp/x bs=64k count=1; httpd -f -h /tmp")
_APPLICATION = FOLDER.parents[1] / "contrib/compose/flask-redis"
_COMPOSE = ("compose", "--project-directory", str(_APPLICATION))
_OWN = ("-d", "pyflat", "--ipam-driver", "pyflat")


@contextmanager
def inhabited() -> Iterator[Lab]:
    """Have two hosts with a network of one and an overlay of both."""
    with Lab.up(f"screens{os.getpid()}", hosts=2, etcd=True, pyflat_env=SETTINGS) as lab:
        for host in lab.hosts:
            docker(host, "network", "create", *_OWN, "--subnet", "10.42.0.0/16", "-o", "vni=42",
                   "blue")  # fmt: skip
        one, two = lab.hosts
        docker(one, "network", "create", *_OWN, "--ipv6", "lan")
        run(one, "web", "lan", "-p", "8080:80", "-p", "127.0.0.1:8443:443")
        run(one, "api", "lan", "-p", "7000-7009:7000-7009/udp")
        docker(one, "network", "connect", "blue", "api")
        run(one, "db", "blue")
        run(two, "cache", "blue")
        yield lab


def run(
    host: Host, name: str, network: str, *options: str, command: tuple[str, ...] = _IDLE
) -> None:
    """Start a container."""
    docker(host, "run", "-d", "--name", name, "--network", network, *options, *command)


def docker(host: Host, *words: str) -> None:
    """Run the host's docker command."""
    host.run("docker", *words, check=True)


def screen(host: Host, name: str, *words: str, lines: int | None = None) -> None:
    """Draw a terminal with a command and what it writes, or the first lines of that."""
    terminal = {"COLUMNS": str(WIDTH), "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    text = host.run(*words, env=terminal).stdout.rstrip("\n").split("\n")
    shown = text if lines is None else [*text[:lines], "…"]
    console = Console(record=True, width=WIDTH, file=io.StringIO(), color_system="truecolor")
    console.print(f"[bold green]#[/] [bold]{' '.join(words)}[/]", highlight=False)
    console.print(Text.from_ansi("\n".join(shown)))
    svg = console.export_svg(title=host.name, unique_id=name)
    (FOLDER / f"{name}.svg").write_text(svg)


def drawing(host: Host, name: str, *networks: str) -> None:
    """Have pyflat draw networks."""
    host.run("pyflat", "graph", "-o", str(FOLDER / name), *networks, check=True)


def commands(lab: Lab) -> None:
    """Draw every command that lists something."""
    host = lab.host("h1")
    for command in ("status", "networks", "endpoints", "ports", "peers", "pools"):
        screen(host, command, "pyflat", command)
    screen(host, "options", "pyflat", "options", lines=9)
    screen(host, "outline", "pyflat", "graph")


def page(lab: Lab) -> None:
    """Photograph the page in a browser, with traffic; leave the hosts as they were."""
    one, two = lab.hosts
    docker(one, "network", "create", *_OWN, "--ipv6", "shop")
    run(one, "front", "shop", "-p", "8090:80", "-p", "8444:443", command=_SERVE)
    run(one, "orders", "shop", command=_SERVE)
    run(one, "mail", "shop", "-p", "127.0.0.1:2525:25")
    run(one, "visitor", "shop", command=_asking("front", 2))
    run(one, "worker", "shop", command=_asking("orders", 5))
    run(two, "store", "blue", command=_SERVE)
    run(one, "sync", "blue", "--dns", "10.42.0.1", command=_asking("store", 3))
    with chromium(one) as browser:
        pages = {name: _open(browser, *how) for name, how in SHOTS.items()}
        time.sleep(CHARTED)
        for name, each in pages.items():
            each.screenshot(path=FOLDER / f"{name}.png")
    docker(two, "rm", "-f", "store")
    docker(one, "rm", "-f", "front", "orders", "mail", "visitor", "worker", "sync")
    docker(one, "network", "rm", "shop")


def _asking(server: str, tenths: int) -> tuple[str, ...]:
    loop = f"while true; do wget -qO /dev/null http://{server}/x; sleep 0.{tenths}; done"
    return "busybox", "sh", "-c", loop


def _open(browser: Browser, width: int, height: int, scheme: Scheme) -> Page:
    """Open the page, and wait until it shows what the other host has."""
    size = ViewportSize(width=width, height=height)
    opened = browser.new_page(viewport=size, color_scheme=scheme)
    opened.goto(f"http://{SETTINGS['PYFLAT_WEB']}")
    expect(opened.locator(".far li li", has_text="store")).to_be_visible(timeout=20000)
    return opened


def reasons(lab: Lab) -> None:
    """Draw what is said of a packet that arrives, and of a host on which others do not."""
    host = lab.host("h1")
    screen(host, "why", "pyflat", "why", "db", "cache")
    # As after another program has flushed rules.
    host.run("iptables", "-D", "FORWARD", "-j", "DOCKER-USER", check=True)
    screen(host, "doctor", "pyflat", "doctor")
    host.run("iptables", "-I", "FORWARD", "-j", "DOCKER-USER", check=True)


def pictures(lab: Lab) -> None:
    """Draw the host, and then a network of sixty containers."""
    host = lab.host("h1")
    drawing(host, "graph.svg")
    docker(host, "network", "create", *_OWN, "crowd")
    for number in range(1, 61):
        run(host, f"c{number}", "crowd")
    drawing(host, "crowd.svg", "crowd")


def tutorial(lab: Lab) -> None:
    """Draw what two chapters of the tutorial build: a bridge, and an application."""
    host = lab.host("h2")
    names = ("one", "two", "three")
    docker(host, "network", "create", *_OWN, "--subnet", "10.78.0.0/24", "lan")
    for name in names:
        run(host, name, "lan")
    drawing(host, "tutorial-bridge.svg", "lan")
    docker(host, "rm", "-f", *names)
    docker(host, "network", "rm", "lan")
    host.load_image("flask-redis")
    docker(host, *_COMPOSE, "up", "--detach")
    drawing(host, "tutorial-application.svg", "flask-redis_default")
    docker(host, *_COMPOSE, "down")


#: What is drawn, in this order: each finds the hosts as they were made, and what came before.
SCREENS: tuple[Callable[[Lab], None], ...] = (commands, reasons, page, tutorial, pictures)


def main() -> None:
    """Draw everything; a lab that cannot be made is one line and status 1."""
    FOLDER.mkdir(exist_ok=True)
    try:
        with inhabited() as lab:
            for draw in SCREENS:
                draw(lab)
    except LabError as error:
        sys.exit(f"screens: {error}")


if __name__ == "__main__":
    main()
