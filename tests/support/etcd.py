"""A real etcd, on the loopback of the namespace of the thread that starts it."""

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dockerlab.etcd import fetch

#: Where it is found; by the second address one host can be cut off from it.
NEAR, FAR = "127.0.0.1", "127.0.0.2"


class EtcdServer:
    """One etcd with its data in a folder, that listens ``at`` some addresses; ``words`` are
    further ones for it, ``control`` those that etcdctl needs then.
    """

    def __init__(
        self,
        folder: Path,
        *words: str,
        at: Sequence[str] = (NEAR, FAR),
        scheme: str = "http",
        control: tuple[str, ...] = (),
    ) -> None:
        self._folder = folder
        self._etcd, self._etcdctl = (str(fetch() / name) for name in ("etcd", "etcdctl"))
        urls = ",".join(f"{scheme}://{address}:2379" for address in at)
        self._words = (
            *(f"--listen-client-urls={urls}", f"--advertise-client-urls={scheme}://{at[0]}:2379"),
            *("--log-level=warn", "--unsafe-no-fsync", *words),
        )
        self._control = (f"--endpoints={scheme}://{at[0]}:2379", *control)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it; one of several answers when most of them are there."""
        data = f"--data-dir={self._folder / 'data'}"
        with (self._folder / "log").open("ab") as log:
            command = [self._etcd, data, *self._words]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def wait(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + 20
        while not self._is_healthy():
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """End it where it stands, as a power cut does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def wipe(self) -> None:
        """Start it anew with nothing in it."""
        self.kill()
        subprocess.run(["rm", "-r", self._folder / "data"], check=True)
        self.start()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Have it take connections and answer nothing for a while."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def control(self, *words: str) -> str:
        """Run etcdctl, and give what it wrote."""
        command = [self._etcdctl, *self._control, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def _is_healthy(self) -> bool:
        command = [self._etcdctl, *self._control, "endpoint", "health"]
        return subprocess.run(command, capture_output=True).returncode == 0
