"""Tests on real Docker Engines."""

import pytest

pytest.register_assert_rewrite("docker.client", "docker.reach", "docker.traces")
