"""GET /live: the tenant's figures as they change, forwarded from the analytics worker."""

import json

import pytest
from conftest import make_account

REFUSED = "This feature requires developer tier or higher. Current tier: {0}"


@pytest.fixture
def worker_config(worker_config):
    configs = worker_config[0].parent / "workers"
    return [*worker_config, configs / "analytics" / "wrangler.toml"]


async def snapshot(reader):
    frame = (await reader.read()).value.to_bytes().decode()
    retry, _, name, data = frame.removesuffix("\n\n").split("\n")
    assert (retry, name) == ("retry: 2000", "event: snapshot")
    return json.loads(data.removeprefix("data: "))


@pytest.mark.parametrize("path", ["/live", "/v1/live", "/api/live", "/v1/api/live"])
async def test_the_figures_are_those_of_the_callers_tenant(worker, env, account, path):
    other = await make_account(env, "other")
    for owner, name in ((account, "mine"), (other, "theirs")):
        body = json.dumps({"event": name, "id": name, "sessionId": name})
        response = await worker.fetch("/events", method="POST", headers=owner.headers, body=body)
        assert response.status == 200
    headers = {**account.headers, "x-inference-ui-tenant": other.tenant_id}
    response = await worker.fetch(f"{path}?windowMinutes=7&intervalMs=100", headers=headers)
    assert (response.status, response.headers["content-type"]) == (200, "text/event-stream")
    assert response.headers["access-control-allow-origin"] == "*"
    reader = response.body.getReader()
    figures = await snapshot(reader)
    await reader.cancel()
    assert (figures["windowMinutes"], figures["topEvents"]) == (7, [{"event": "mine", "count": 1}])


async def test_what_is_wrong_is_said_by_the_analytics_worker(worker, account):
    response = await worker.fetch("/live?windowMinutes=0", headers=account.headers)
    assert (response.status, await response.json()) == (
        400,
        {"error": "Invalid request: windowMinutes must be a whole number from 1 to 1440", "field": "windowMinutes"},
    )


async def test_nobody_in_particular_has_no_figures(worker):
    response = await worker.fetch("/live")
    assert (response.status, (await response.json())["code"]) == (401, "UNAUTHENTICATED")


async def test_a_key_needs_the_scope_and_a_tier_that_has_live_figures(worker, env):
    writer = await make_account(env, "writer", scopes=("events",))
    response = await worker.fetch("/live", headers=writer.headers)
    assert (response.status, await response.json()) == (
        403,
        {"error": 'Forbidden: this API key does not have the scope "read"', "code": "FORBIDDEN"},
    )
    free = await make_account(env, "free", tier="free")
    response = await worker.fetch("/live", headers=free.headers)
    assert (response.status, await response.json()) == (
        403,
        {
            "error": REFUSED.format("free"),
            "code": "FORBIDDEN",
            "currentTier": "free",
            "requiredTier": "developer",
            "upgradeUrl": "/upgrade",
        },
    )


async def test_other_methods_are_refused(worker, account):
    response = await worker.fetch("/live", method="POST", headers=account.headers, body="{}")
    assert (response.status, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
