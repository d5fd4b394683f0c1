"""Measures pyflat against Docker's own bridge driver, on one real engine in one run."""
