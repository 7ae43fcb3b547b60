"""The API worker where the streaming worker does not run."""

import pytest


@pytest.fixture
def worker_config(worker_config):
    project = worker_config[0].parent / "pyproject.toml"
    project.write_text(project.read_text(encoding="utf-8").replace("workers/*", "none/*"), encoding="utf-8")
    return worker_config


async def test_streams_are_unavailable(worker):
    response = await worker.fetch("/stream/chat", method="POST", body="{}", headers={"x-inference-key": ""})
    assert (response.status, response.headers["retry-after"]) == (503, "1")
    assert await response.json() == {"error": "The streaming service is unavailable"}
    assert response.headers["access-control-allow-origin"] == "*"


async def test_health_says_so(worker):
    response = await worker.fetch("/health")
    found = await response.json()
    assert (response.status, found["status"]) == (503, "unhealthy")
    assert [name for name, check in found["checks"].items() if not check["ok"]] == [
        "STREAMING",
        "METRICS",
        "EVENTS",
    ]


async def test_the_rest_works(worker):
    response = await worker.fetch("/events", method="POST", body='{"event":"a"}')
    assert (await response.json())["processed"] == 1


async def test_live_figures_are_unavailable(worker, account):
    response = await worker.fetch("/live", headers=account.headers)
    assert (response.status, await response.json()) == (503, {"error": "The analytics service is unavailable"})
