"""`python -m dockerlab`."""

import os

# The launcher's PYTHONPATH is for this process only: a plugin run in a host must not see it.
os.environ.pop("PYTHONPATH", None)

try:
    from dockerlab.cli import main
except ModuleNotFoundError as missing:
    raise SystemExit(f"lab: the Python package {missing.name} is missing") from None

main(prog_name="lab")
