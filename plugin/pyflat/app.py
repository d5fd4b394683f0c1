"""Wires the parts together: settings → store → engine → HTTP. Nothing imports this module."""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask

from pyflat import __version__, docker_api
from pyflat.api.calls import Claims
from pyflat.api.http import add_forgetting, create_http
from pyflat.dataplane.linux import LinuxKernel
from pyflat.dataplane.objects import Bridge
from pyflat.dataplane.overlay_objects import Gateway
from pyflat.dataplane.watch import Watch
from pyflat.deadline import LIMIT, Deadline
from pyflat.engine import Engine
from pyflat.errors import InvalidRequest, StartupError
from pyflat.folder import alone, identity, last_alive, lock_for_worker
from pyflat.model import Network
from pyflat.names.learn import Learning
from pyflat.names.serve import Answering
from pyflat.overlay.access import Access, Addresses, check_host, read_access
from pyflat.overlay.probe import Probe
from pyflat.overlay.roster import Rosters
from pyflat.overlay.swarm import Nodes
from pyflat.rebuild import rebuild
from pyflat.report.audit import Audit
from pyflat.report.http import add_reports
from pyflat.report.topology import ClusterView, Topology, topology
from pyflat.settings import Settings
from pyflat.site import Site
from pyflat.state import State
from pyflat.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pyflat.overlay.cluster import Cluster

log = logging.getLogger(__name__)

_LATE = (
    "Docker was started before pyflat: containers of its networks could not be started; "
    "docker start them, and see that pyflat is there first (pyflat install-service)"
)


def create_app(settings: Settings) -> Flask:
    """Make the application, with State recovered and the kernel equal to it.

    Takes the state folder for this process alone first, waiting for a predecessor to end: a
    worker that is replaced and its successor never overlap. Raises PyflatError.
    """
    lock = lock_for_worker(settings.state_dir)
    kernel = _kernel(settings)
    access = _access(settings)
    addresses = Addresses(access.endpoints) if access else None
    ends = ExitStack()
    engine = _start(settings, kernel, addresses, ends)
    answering = Answering(engine)
    answering.start()
    Learning(engine).start()
    Rosters(engine).start()
    Probe(engine).start()
    Nodes(engine).start()
    joined = _join(settings, access, addresses, engine) if access and addresses else None
    claims, cluster = joined or (None, None)
    app = create_http(engine, settings.pools, claims)
    add_forgetting(app, cluster.forget if cluster else _forget_nobody)
    since = time.time()
    shown = partial(_topology, settings, engine, since, cluster)
    add_reports(app, engine, shown)
    if settings.web:
        _show(settings.web, shown, engine, kernel)
    app.wsgi_app = Deadline(app.wsgi_app, LIMIT)  # type: ignore[method-assign]
    ends.callback(answering.end)
    app.extensions["pyflat-ends"] = ends
    app.extensions["pyflat-lock"] = lock  # open as long as the process: its end unlocks it
    return app


def _start(
    settings: Settings, kernel: LinuxKernel, cluster: Addresses | None, ends: ExitStack
) -> Engine:
    """Make the engine, with State read and the kernel watched until the end. Raises PyflatError."""
    bare = not any(isinstance(item, Bridge | Gateway) for item in kernel.remains())
    if not bare and not SqliteStore.exists(settings.state_dir):
        raise StartupError(
            f"state {settings.state_dir}: nothing is there, but this host has networks of pyflat; "
            "pyflat rebuild asks Docker for what is lost"
        )
    engine = Engine(SqliteStore(settings.state_dir), kernel, cluster, settings.scope)
    watch = Watch(engine)
    kernel.follow_inside(watch.add)
    engine.start()
    ends.callback(engine.stop)
    engine.subscribe(Audit(engine).follow)
    # Where nothing of ours is in the kernel, it was not there since the boot.
    away = 0.0 if bare else last_alive(settings.state_dir)
    if any(engine.state.all(Network)) and docker_api.started() > away:
        log.warning("%s", _LATE)
    watch.start()
    ends.callback(watch.end)
    return engine


def rebuild_state(settings: Settings, driver: str) -> State:
    """Replace the stored State by what Docker and the kernel know; give it.

    The old one is kept under another name. Raises PyflatError, also if the plugin runs.
    """
    access = _access(settings)
    with alone(settings.state_dir):
        kernel = _kernel(settings)
        state = rebuild(
            docker_api.networks_of(driver),
            docker_api.running_containers(),
            kernel.remains(),
            driver=driver,
            now=time.time(),
            site=Site(kernel, Addresses(access.endpoints) if access else None),
        )
        kernel.close()
        SqliteStore.set_aside(settings.state_dir, time.strftime("%Y%m%d-%H%M%S"))
        store = SqliteStore(settings.state_dir)
        store.commit({key: state.lookup(key) for key in state.touched})
        store.close()
    return state


def _access(settings: Settings) -> Access | None:
    """Read where the cluster is, if there is to be one. Raises StartupError."""
    if not settings.cluster:
        return None
    check_host(settings.host)
    return read_access(
        settings.cluster,
        ca=settings.cluster_ca,
        certificate=settings.cluster_cert,
        key=settings.cluster_key,
        user=settings.cluster_user,
        password_file=settings.cluster_password_file,
    )


def _join(
    settings: Settings, access: Access, addresses: Addresses, engine: Engine
) -> tuple[Claims, "Cluster"]:
    """Begin to tell the cluster of this host, and to hear of others; give what claims of it."""
    # Late: without a cluster nobody needs what they import.
    from pyflat.overlay.cluster import Cluster
    from pyflat.overlay.etcd import Etcd
    from pyflat.overlay.upkeep import Upkeep

    etcd = Etcd(access)
    own = identity(settings.state_dir)
    cluster = Cluster(etcd, addresses, settings.host, own, engine, engine.announce)
    upkeep = Upkeep(etcd, engine, settings.host, cluster.lease)
    engine.site.leased = upkeep.leased
    engine.subscribe(upkeep.follow)
    cluster.start()
    upkeep.start()
    return upkeep.claims, cluster


def _forget_nobody(_: str) -> None:
    raise InvalidRequest("this host belongs to no cluster: PYFLAT_CLUSTER is not set")


def _show(
    address: tuple[str, int],
    shown: Callable[[], Topology],
    engine: Engine,
    kernel: LinuxKernel,
) -> None:
    """Begin to show on a TCP address how things stand."""
    # Late: without the setting nobody needs what they import.
    from pyflat.report.listener import listen
    from pyflat.report.live import Live, Meter, Naming
    from pyflat.report.web import Web

    meter = Meter()
    kernel.follow_inside(meter.add)
    live = Live(topology=shown, last=lambda: engine.last, traffic=meter.read, names=Naming().read)
    listen(address, Web(live, address[0]))


def _topology(
    settings: Settings, engine: Engine, since: float, cluster: "Cluster | None"
) -> Topology:
    return topology(
        engine.state,
        host=settings.host,
        version=__version__,
        namespace=settings.namespace,
        since=since,
        cluster=_standing(cluster) if cluster else None,
    )


def _standing(cluster: "Cluster") -> ClusterView:
    status = cluster.status()
    return ClusterView(
        name=status.cluster,
        leased=status.leased,
        telling=status.telling,
        hearing=status.hearing,
    )


def _kernel(settings: Settings) -> LinuxKernel:
    return LinuxKernel(
        mark=settings.mark,
        sysctl_root=settings.sysctl_root,
        namespace=Path(settings.namespace) if settings.namespace else None,
        uplinks=settings.uplinks,
    )
