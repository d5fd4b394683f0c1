"""How hypothesis runs here: no deadlines, because machines are busy; repeatable in CI."""

import os

from hypothesis import settings

settings.register_profile("pyflat", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("pyflat")
