"""pyflat: a Docker network plugin."""

__version__ = "0.1.0"
