"""How hypothesis runs here: briefly, as part of every check; ``long`` is for a night of its own.

No deadlines, because machines are busy; repeatable in CI.
"""

import os

from hypothesis import settings

settings.register_profile("pyflat", max_examples=40, deadline=None, derandomize="CI" in os.environ)
settings.register_profile("long", max_examples=5000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "pyflat"))
