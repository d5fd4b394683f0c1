"""What pyflat's own rules drop packets for. Pure."""

from pyflat.dataplane.ruleset import TABLES

_INTERNAL = "the network is internal: nothing enters or leaves it"
_SPOOFED = "antispoof: a container sends from the MAC and the addresses only that Docker gave it"
_GATEWAY = "each host has its own gateway: nothing about it goes through the tunnel"

#: A chain, what its rule has in its text, and what the rule is for; the first that fits counts.
_REASONS = (
    ("raw", "127.0.0", "127.0.0.1 is never on a wire"),
    ("raw", "::1", "::1 is never on a wire"),
    ("tunnel", "fib", "only the overlay's own hosts may send into its tunnel"),
    ("own", "@private", "that name server answers its own network only"),
    ("enter", "@internal", _INTERNAL),
    ("enter", "", "what is not published is closed, and networks are closed to each other"),
    ("same", "@noicc", "enable_icc=false: containers of the network do not reach each other"),
    ("away", "@remote", "containers on other hosts are reached by their own network only"),
    ("leave", "@internal", _INTERNAL),
    ("foreign", "", "another bridge of the host: only what is published there is reached"),
    ("transit", "", "the host forwards by that interface for pyflat's networks only"),
    ("forward", "@quiet", "enable_icc=false: containers of the network do not reach each other"),
    ("forward", "@mirror", "a port does not hear its own broadcasts"),
    ("guard", "", _SPOOFED),
    ("guard4", "67", "antispoof: a container is no DHCP server"),
    ("guard4", "", _SPOOFED),
    ("guard6", "547", "antispoof: a container is no DHCP server"),
    ("guard6", "nd-router-advert", "antispoof: a container is no router"),
    ("guard6", "", _SPOOFED),
    ("guardarp", "", _SPOOFED),
    ("postrouting", "@gateway", _GATEWAY),
    ("unlearnt", "", _GATEWAY),
)
_OURS = {tuple(words.split()) for words in TABLES.values()}


def is_ours(family: str, table: str) -> bool:
    """Say whether a table is pyflat's."""
    return (family, table) in _OURS


def reason(chain: str, rule: str) -> str:
    """Say what a rule of pyflat's drops for; "" if it is not known."""
    found = (why for place, part, why in _REASONS if place == chain and part in rule)
    return next(found, "")
