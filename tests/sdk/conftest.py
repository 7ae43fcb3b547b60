"""Workers for these tests: folders of tests/sdk/workers, and single source files with a compatibility date."""

from __future__ import annotations

import pytest
from dated import Dated


@pytest.fixture
def worker_config(request, tmp_path):
    """What the test's ``worker_config`` marker names: folders of tests/sdk/workers, and `Dated` sources."""
    given = getattr(request, "param", None) or request.node.get_closest_marker("worker_config").args
    given = given if isinstance(given, tuple) else (given,)
    paths = []
    for index, each in enumerate(given):
        if isinstance(each, Dated):
            folder = tmp_path / f"worker{index}"
            folder.mkdir()
            paths.append(each.write(folder))
        else:
            paths.append(request.config.rootpath / each)
    return paths
