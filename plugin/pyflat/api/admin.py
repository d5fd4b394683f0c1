"""Pyflat.*: what an administrator asks for, over the socket that dockerd uses."""

from pyflat.api import messages
from pyflat.api.calls import Method, Result, World
from pyflat.driver.forget import forget
from pyflat.state import State


def _forget(state: State, request: messages.Forget, world: World) -> Result:
    return forget(state, kind=request.Kind, name=request.Name, alive=world.alive), {}


METHODS = {"Forget": Method(messages.Forget, _forget)}
