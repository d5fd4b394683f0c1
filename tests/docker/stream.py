"""Streams of bytes between a server and a client, and how much of them arrives."""

from tests.docker.reach import Place

from dockerlab.processes import wait_until

SIZE = 4 << 20
_SEND = f'head -c {SIZE} /dev/zero | nc -n -N "$@"'
_RECEIVE = 'nc -n -d "$@" | wc -c'


def exchanged(server: Place, client: Place, address: str, port: int, *, listen: int) -> list[int]:
    """How many bytes of SIZE come from a client to a server, which listens in its place, and
    how many of another connection come back."""
    heard = ("ss", "-Hltn", f"sport = {listen}")
    arrived = []
    for at_server, at_client in ((_RECEIVE, _SEND), (_SEND, _RECEIVE)):
        family = "-6" if ":" in address else "-4"
        listener = server.popen("sh", "-c", at_server, "sh", family, "-l", str(listen))
        try:
            assert wait_until(lambda: bool(server.run(*heard).stdout), 10), f"none on {listen}"
            here = client.run("sh", "-c", at_client, "sh", "-w10", address, str(port))
            there, _ = listener.communicate(timeout=30)
        finally:
            listener.kill()
        arrived.append(int(there or here.stdout))
    return arrived
