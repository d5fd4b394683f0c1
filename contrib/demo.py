"""Shows pyflat at work on a Docker host of its own, and leaves nothing behind.

Everything on the screen is real: the commands are run, their output is shown as it is.
"""

import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from dockerlab import Lab
from dockerlab.errors import LabError
from dockerlab.host import Host

console = Console(highlight=False)

WEB = "mkdir /www; echo 'Hello from a pyflat network!' >/www/index.html; httpd -f -h /www"


def main() -> None:
    """Run the demonstration; a lab that cannot be made is one line and status 1."""
    start = time.monotonic()
    chapter("A Docker host of its own, beside yours: nothing here touches your Docker")
    try:
        with Lab.up(f"demo{os.getpid()}") as lab:
            show(lab.host("h1"))
            chapter("Taking it all away")
    except LabError as error:
        sys.exit(f"demo: {error}")
    say(f"Done in {time.monotonic() - start:.0f} s. Your turn: contrib/lab/lab up")


def show(host: Host) -> None:
    """Walk through a network's life on a host."""
    say(f"Engine {docker(host, 'version', '--format', '{{.Server.Version}}', quiet=True)}, pyflat")
    chapter("A network, two containers, and they know each other's names")
    docker(host, "network", "create", "-d", "pyflat", "lan")
    docker(host, "run", "-d", "--name", "web", "--network", "lan", "-p", "8080:80",
           "busybox", "sh", "-c", WEB)  # fmt: skip
    docker(host, "run", "-d", "--name", "client", "--network", "lan", "busybox", "sleep", "1d")
    docker(host, "exec", "client", "ping", "-c", "2", "web")
    docker(host, "exec", "web", "ping", "-c", "2", "client")
    chapter("The published port, from the host itself")
    run(host, "wget", "-q", "-O", "-", "http://127.0.0.1:8080/")
    chapter("What pyflat made in the kernel for that")
    show_kernel(host)
    chapter("And when it is removed, it is gone")
    docker(host, "rm", "-f", "web", "client")
    docker(host, "network", "rm", "lan")
    left = [link["ifname"] for link in links(host) if link["ifname"].startswith(("pf-", "pv-"))]
    say(f"Interfaces of pyflat on the host: {', '.join(left) or 'none'}")


def show_kernel(host: Host) -> None:
    """Show the bridge, the veth pairs, the routes and the port map of the host."""
    network = json.loads(docker(host, "network", "inspect", "lan", quiet=True))[0]
    bridge = next(link for link in links(host) if link["ifname"].startswith("pf-"))
    mac = bridge["address"]
    tree = Tree(
        f"[bold]{bridge['ifname']}[/]  the bridge  {gateway(host, bridge['ifname'])}  {mac}"
    )
    for container in network["Containers"].values():
        inner = inner_link(host, container["Name"])
        port = next(link for link in links(host) if link["ifindex"] == inner["link_index"])
        cable = f"{port['ifname']} (number {port['ifindex']})  ═══  "
        cable += f"{inner['ifname']} (number {inner['ifindex']}) in [bold]{container['Name']}[/]"
        tree.add(cable).add(f"{container['IPv4Address']}  {container['MacAddress']}")
    console.print(Padding(tree, (0, 2)))
    say("═══ is a veth pair: a cable in software, from a port of the bridge to eth0.")
    run(host, "ip", "route", "show", "dev", bridge["ifname"])
    docker(host, "exec", "client", "ip", "route")
    ports = Table(title="published ports: one map, however many there are", title_justify="left")
    for heading in ("protocol", "port of the host", "leads to"):
        ports.add_column(heading)
    for row in port_map(host):
        ports.add_row(*row)
    console.print(Padding(ports, (0, 2)))


def inner_link(host: Host, container: str) -> dict[str, Any]:
    """Give a container's eth0 as the kernel describes it."""
    pid = docker(host, "inspect", "--format", "{{.State.Pid}}", container, quiet=True)
    words = ("nsenter", "--target", pid, "--net", "ip", "-j", "link", "show", "eth0")
    found: dict[str, Any] = json.loads(host.run(*words, check=True).stdout)[0]
    return found


def links(host: Host) -> list[dict[str, Any]]:
    """Give the host's interfaces."""
    found: list[dict[str, Any]] = json.loads(host.run("ip", "-j", "link", check=True).stdout)
    return found


def gateway(host: Host, bridge: str) -> str:
    """Give the bridge's IPv4 address with its prefix length."""
    text = host.run("ip", "-j", "-4", "addr", "show", "dev", bridge, check=True).stdout
    info = json.loads(text)[0]["addr_info"][0]
    return f"{info['local']}/{info['prefixlen']}"


def port_map(host: Host) -> Iterator[tuple[str, str, str]]:
    """Read the published ports out of the kernel's map."""
    words = ("nft", "-j", "list", "map", "inet", "pyflat", "anyport4")
    for entry in json.loads(host.run(*words, check=True).stdout)["nftables"]:
        for key, value in entry.get("map", {}).get("elem", ()):
            (protocol, port), (address, inner) = key["concat"], value["concat"]
            yield protocol, f"any address : {port}", f"{address} : {inner}"


def docker(host: Host, *words: str, quiet: bool = False) -> str:
    """Run the host's docker command and show it, unless quiet."""
    return run(host, "docker", *words, quiet=quiet)


def run(host: Host, *words: str, quiet: bool = False) -> str:
    """Run a command in the host and show it with its output, unless quiet."""
    if not quiet:
        console.print(Text("  $ ", style="dim") + Text(shlex.join(words), style="bold"))
    output = host.run(*words, check=True, timeout=60).stdout.strip()
    if not quiet and output:
        console.print(Padding(Text(output, style="cyan"), (0, 4)))
    return output


def chapter(title: str) -> None:
    """Begin a part of the story."""
    console.print()
    console.print(Rule(Text(title, style="bold green"), align="left"))


def say(text: str) -> None:
    """Tell something."""
    console.print(f"  {text}")


if __name__ == "__main__":
    main()
