"""A real etcd, on the loopback of the namespace of the thread that starts it."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dockerlab.etcd import fetch

#: Where it is found; by the second address one host can be cut off from it.
NEAR, FAR = "127.0.0.1", "127.0.0.2"


class EtcdServer:
    """One etcd with its data in a folder, that listens at all addresses, or only ``at`` one.

    ``words`` are further ones for it, ``control`` those that etcdctl needs then.
    """

    def __init__(
        self,
        folder: Path,
        *words: str,
        at: str = "",
        scheme: str = "http",
        control: tuple[str, ...] = (),
    ) -> None:
        self._folder = folder
        self._etcd, self._etcdctl = (str(fetch() / name) for name in ("etcd", "etcdctl"))
        # One listener: the JSON gateway of etcd asks it by whichever there are, by chance.
        url = f"{scheme}://{at or NEAR}:2379"
        self._words = (
            f"--listen-client-urls={scheme}://{at or '0.0.0.0'}:2379",
            f"--advertise-client-urls={url}",
            *("--log-level=warn", "--unsafe-no-fsync", *words),
        )
        self._control = (f"--endpoints={url}", *control)
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
        # Its other threads go on until the one that takes the signal has had a processor.
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)
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
