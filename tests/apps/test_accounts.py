"""Who may call the API worker: keys, scopes, sessions, tenants, and the limits of each."""

import asyncio
import json

import js
import pytest
from conftest import Account, Caller, make_account

T0 = 1_760_000_000_000
DOCS = "https://inference-ui.dev/docs/authentication"


async def post(worker, path, body, **headers):
    text = body if isinstance(body, str) else json.dumps(body)
    sent = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await worker.fetch(path, method="POST", body=text, headers=sent)


async def ask(worker, query, variables=None, **headers):
    response = await post(worker, "/graphql", {"query": query, "variables": variables}, **headers)
    return response.status, await response.json()


async def data(worker, query, variables=None, **headers):
    status, body = await ask(worker, query, variables, **headers)
    assert (status, body.get("errors")) == (200, None)
    return body["data"]


# -- credentials


@pytest.mark.parametrize("place", ["authorization", "x-api-key", "x-inference-key", "query"])
async def test_a_key_may_be_sent_in_four_places(worker, account, place):
    value = f"Bearer {account.key}" if place == "authorization" else account.key
    path = f"/events?api_key={account.key}" if place == "query" else "/events"
    headers = {} if place == "query" else {place: value}
    response = await worker.fetch(path, method="POST", body='{"event":"a"}', headers=headers)
    assert response.status == 200
    assert (await data(Caller(worker, account), "{ eventCount }"))["eventCount"] == 1


@pytest.mark.parametrize(
    "credential", ["x", "sk_live_", "sk_test_" + "A" * 32, "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "' OR 1=1 --"]
)
@pytest.mark.parametrize("path", ["/events", "/stream/chat", "/graphql", "/assets/x"])
async def test_wrong_credentials_are_refused_everywhere(worker, credential, path):
    method = "GET" if path == "/assets/x" else "POST"
    body = {} if method == "GET" else {"body": '{"event":"a","query":"{ version }"}'}
    response = await worker.fetch(path, method=method, headers={"authorization": f"Bearer {credential}"}, **body)
    assert response.status == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="Inference UI API"'
    assert response.headers["access-control-allow-origin"] == "*"
    assert await response.json() == {
        "error": "Unauthorized",
        "code": "UNAUTHENTICATED",
        "message": "The API key or token is not valid. Include your API key in the Authorization header: "
        '"Bearer sk_xxx"',
        "docs": DOCS,
    }


async def test_graphql_without_a_key_answers_introspection_only(worker):
    assert (await data(worker, "{ __schema { queryType { name } } version }"))["version"] == "v1"
    status, body = await ask(worker, "{ ...F } fragment F on Query { me { id } }")
    how = 'Valid API key required. Include your API key in the Authorization header: "Bearer sk_xxx"'
    assert (status, body["errors"]) == (
        401,
        [{"message": f"Unauthorized: {how}", "extensions": {"code": "UNAUTHENTICATED"}}],
    )
    assert (body["error"], body["message"], body["docs"]) == ("Unauthorized", how, DOCS)
    accept = "application/graphql-response+json"
    assert list((await ask(worker, "{ me { id } }", accept=accept))[1]) == ["errors"]
    assert (await ask(worker, "{ nope }"))[0] == 200  # a wrong query is told to be wrong before a key is asked for


async def test_keys_are_made_listed_and_revoked_as_the_published_clients_do(worker, account, env):
    owner = Caller(worker, account)
    create = """mutation CreateApiKey($name: String!, $expiresInDays: Int) {
      createApiKey(input: {name: $name, expiresInDays: $expiresInDays}) { apiKey keyPrefix createdAt expiresAt } }"""
    made = (await data(owner, create, {"name": "web", "expiresInDays": 30}))["createApiKey"]
    assert made["keyPrefix"] == made["apiKey"][:16]
    other = Caller(worker, Account("", "", made["apiKey"]))
    assert (await data(other, "{ me { email } }")) == {"me": {"email": "acme@example.com"}}
    listed = (await data(owner, "{ apiKeys { keyPrefix name scopes lastUsedAt revokedAt expiresAt } }"))["apiKeys"]
    assert [key["name"] for key in listed] == ["web", "first"]
    assert listed[0]["scopes"] == ["read", "write", "events", "stream", "assets"]
    assert listed[0]["expiresAt"] == made["expiresAt"]
    assert listed[0]["lastUsedAt"] is not None
    revoke = "mutation($keyPrefix: String!) { revokeApiKey(keyPrefix: $keyPrefix) { success } }"
    prefix = {"keyPrefix": made["keyPrefix"]}
    assert (await ask(other, revoke, prefix))[1]["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert (await data(owner, revoke, prefix)) == {"revokeApiKey": {"success": True}}
    assert (await data(owner, revoke, prefix)) == {"revokeApiKey": {"success": False}}
    assert (await ask(other, "{ me { email } }"))[0] == 401  # at once
    stored = await env.DB.prepare("SELECT * FROM api_keys").all()
    assert made["apiKey"] not in json.dumps([dict(row) for row in stored.results])


async def test_a_key_ends_with_its_time(worker, account, clock):
    owner = Caller(worker, account)
    create = 'mutation { createApiKey(input: {name: "a", expiresInDays: 1, test: true}) { apiKey } }'
    key = (await data(owner, create))["createApiKey"]["apiKey"]
    assert key.startswith("sk_test_")
    other = Caller(worker, Account("", "", key))
    await clock.advance(86_399)
    assert (await ask(other, "{ me { id } }"))[0] == 200
    await clock.advance(1)
    assert (await ask(other, "{ me { id } }"))[0] == 401


@pytest.mark.parametrize(
    ("input_", "message"),
    [
        ('{name: " "}', "name must have 1 to 256 characters"),
        ('{name: "a", expiresInDays: 0}', "expiresInDays must be from 1 to 3650"),
        (
            '{name: "a", scopes: ["root"]}',
            'unknown scope "root"; known are read, write, events, stream, assets, admin',
        ),
        ('{name: "a", scopes: ["operator"]}', 'you do not have the scope "operator" yourself'),
    ],
)
async def test_a_wrong_key_is_not_made(worker, account, input_, message):
    _, body = await ask(Caller(worker, account), f"mutation {{ createApiKey(input: {input_}) {{ apiKey }} }}")
    assert body["errors"][0]["message"] == message


async def test_scopes_bound_what_a_key_may_do(worker, env):
    account = await make_account(env, scopes=["events"])
    browser = Caller(worker, account)
    assert (await post(browser, "/events", {"event": "a"})).status == 200
    response = await post(browser, "/stream/chat", {})
    assert (response.status, (await response.json())["error"]) == (
        403,
        'Forbidden: this API key does not have the scope "stream"',
    )
    for query, scope in (("{ events { id } }", "read"), ('mutation { deleteFlow(id: "x") { success } }', "write")):
        _, body = await ask(browser, query)
        assert body["errors"][0]["message"] == f'Forbidden: this API key does not have the scope "{scope}"'


async def test_guessing_keys_is_slowed_down_for_the_address_that_does_it(worker, account, clock):
    async def call(key, address):
        headers = {"authorization": f"Bearer {key}", "cf-connecting-ip": address}
        return await worker.fetch("/events", method="POST", body='{"event":"a"}', headers=headers)

    for number in range(20):
        assert (await call(f"sk_test_{number:032d}", "203.0.113.1")).status == 401
    for key in (f"sk_test_{99:032d}", account.key):
        response = await call(key, "203.0.113.1")
        assert (response.status, (await response.json())["code"]) == (429, "RATE_LIMITED")
        assert int(response.headers["retry-after"]) in range(1, 61)
    assert (await call(account.key, "203.0.113.2")).status == 200
    await clock.advance(60)
    assert (await call(account.key, "203.0.113.1")).status == 200


# -- limits


async def test_a_key_has_its_tiers_rate_and_is_told_what_is_left(worker, env, clock):
    account = await make_account(env, tier="free")
    caller = Caller(worker, account)
    await clock.advance(60 - clock.now_ms() % 60_000 / 1000)
    response = await ask_raw(caller)
    assert response.headers["ratelimit-policy"] == '"default";q=120;w=60'
    assert response.headers["ratelimit"] == '"default";r=119;t=60'
    for _ in range(119):
        response = await ask_raw(caller)
    assert (response.status, response.headers["ratelimit"]) == (200, '"default";r=0;t=60')
    await clock.advance(18.5)
    response = await ask_raw(caller)
    assert (response.status, response.headers["retry-after"]) == (429, "42")
    assert response.headers["access-control-allow-origin"] == "*"
    assert await response.json() == {
        "error": "Too many requests: at most 120 in 60 s. Try again in 42 s.",
        "code": "RATE_LIMITED",
        "retryAfter": 42,
    }
    await clock.advance(42)
    assert (await ask_raw(caller)).status == 200


async def ask_raw(caller):
    return await caller.fetch("/graphql", method="POST", body='{"query":"{ version }"}', headers=JSON)


JSON = {"content-type": "application/json"}


async def test_addresses_have_limits_of_their_own_and_ipv6_counts_by_network(worker, runtime):
    async def call(address):
        response = await post(worker, "/stream/chat", "{}", cf_connecting_ip=address)
        return response.status

    assert [await call("2001:db8::1") for _ in range(30)] == [400] * 30
    assert await call("2001:db8::ffff:2") == 429
    assert await call("2001:db8:0:1::1") == 400
    assert await call("198.51.100.7") == 400


async def test_anonymous_tokens_are_capped(worker, env):
    response = await post(worker, "/stream/chat", {"messages": [{"role": "user", "content": "x"}], "maxTokens": 8000})
    assert response.status == 200
    await response.text()


async def test_old_counters_and_sessions_are_forgotten_by_cron(worker, env, clock):
    await post(worker, "/events", {"event": "a"})
    await clock.advance(2 * 86_400)
    await worker.scheduled(cron="17 * * * *")
    assert (await env.DB.prepare("SELECT count(*) AS n FROM rate_limits").first())["n"] == 0


# -- quotas


async def test_events_over_the_months_quota_are_refused_whole(worker, env, clock):
    caller = Caller(worker, await make_account(env, tier="free"))
    events = [{"id": str(number), "event": "a"} for number in range(600)]
    assert (await post(caller, "/events", events)).status == 200
    more = [{"id": str(number), "event": "a"} for number in range(500, 1100)]
    response = await post(caller, "/events", more)
    found = await response.json()
    assert (response.status, found) == (
        429,
        {
            "error": "events limit exceeded. Current: 600, Limit: 1000. Please upgrade your plan.",
            "code": "USAGE_LIMIT_EXCEEDED",
            "type": "events",
            "current": 600,
            "limit": 1000,
            "tier": "upgrade_required",
            "upgradeUrl": "/upgrade",
        },
    )
    assert int(response.headers["retry-after"]) > 0
    assert (await (await post(caller, "/events", more[:500])).json())["duplicates"] == 100
    assert (await (await post(caller, "/events", events)).json())["duplicates"] == 600  # costs nothing
    assert (await data(caller, "{ usageMetrics { eventsThisMonth percentages { events } warnings { events } } }")) == {
        "usageMetrics": {
            "eventsThisMonth": 1000,
            "percentages": {"events": 100.0},
            "warnings": {"events": "EXCEEDED"},
        }
    }
    await clock.advance(31 * 86_400)
    assert (await post(caller, "/events", {"event": "next month"})).status == 200


async def test_two_requests_at_once_do_not_both_get_the_last_place(worker, env):
    caller = Caller(worker, await make_account(env, tier="free"))
    await post(caller, "/events", [{"event": "a"}] * 995)
    answers = await asyncio.gather(*(post(caller, "/events", {"event": "b"}) for _ in range(12)))
    assert sorted(answer.status for answer in answers) == [200] * 5 + [429] * 7


async def test_generations_are_reserved_and_given_back(worker, env):
    account = await make_account(env, tier="free")
    caller = Caller(worker, account)
    assert (await post(caller, "/stream/chat", {})).status == 400
    await worker.settle()
    assert (await data(caller, "{ usageMetrics { aiRequestsThisMonth } }"))["usageMetrics"] == {
        "aiRequestsThisMonth": 0
    }
    await env.DB.prepare("UPDATE usage SET ai_requests_count = 99").run()
    chat = {"messages": [{"role": "user", "content": "Hi"}]}
    response = await post(caller, "/stream/chat", chat)
    assert response.status == 200
    await response.text()
    response = await post(caller, "/stream/chat", chat)
    assert (response.status, (await response.json())["type"]) == (429, "ai_requests")


async def test_flows_have_a_limit(worker, env):
    caller = Caller(worker, await make_account(env, tier="free"))
    create = 'mutation { createFlow(input: {name: "a", steps: []}) { id } }'
    for _ in range(10):
        await data(caller, create)
    _, body = await ask(caller, create)
    assert body["errors"][0]["message"] == "flows limit exceeded. Current: 10, Limit: 10. Please upgrade your plan."
    assert body["errors"][0]["extensions"]["code"] == "USAGE_LIMIT_EXCEEDED"


async def test_what_a_tier_has(worker, env):
    caller = Caller(worker, await make_account(env, tier="developer"))
    query = """{ tierLimits { tier dataRetentionDays limits { eventsPerMonth maxFlows aiRequestsPerMonth }
      features { basicMetrics advancedAnalytics aiInsights } } me { tier usage { eventsThisMonth flowsCount } } }"""
    assert await data(caller, query) == {
        "tierLimits": {
            "tier": "DEVELOPER",
            "dataRetentionDays": 90,
            "limits": {"eventsPerMonth": 50_000, "maxFlows": 100, "aiRequestsPerMonth": 5000},
            "features": {"basicMetrics": True, "advancedAnalytics": True, "aiInsights": False},
        },
        "me": {"tier": "DEVELOPER", "usage": {"eventsThisMonth": 0, "flowsCount": 0}},
    }


# -- sessions


PASSWORD = "correct horse battery"


async def signed_up(worker, account):
    create = 'mutation($p: String!) { createUser(input: {email: "Ada@Example.com", password: $p}) { id scopes } }'
    return (await data(Caller(worker, account), create, {"p": PASSWORD}))["createUser"]


async def log_in(worker, password=PASSWORD, email="ada@example.com"):
    response = await post(worker, "/auth/login", {"email": email, "password": password})
    return response.status, await response.json()


def bearer(tokens):
    return {"authorization": f"Bearer {tokens['accessToken']}"}


async def test_a_session_is_opened_used_refreshed_and_ended(worker, account, clock):
    user = await signed_up(worker, account)
    assert user["scopes"] == ["read", "write", "events", "stream", "assets"]
    status, tokens = await log_in(worker)
    assert (status, tokens["tokenType"], tokens["expiresIn"]) == (200, "Bearer", 900)
    assert (await data(worker, "{ me { id email } }", **bearer(tokens))) == {
        "me": {"id": user["id"], "email": "ada@example.com"}
    }
    await clock.advance(900)
    assert (await ask(worker, "{ me { id } }", **bearer(tokens)))[0] == 401
    fresh = await (await post(worker, "/auth/refresh", {"refreshToken": tokens["refreshToken"]})).json()
    assert (await ask(worker, "{ me { id } }", **bearer(fresh)))[0] == 200
    assert (await post(worker, "/auth/logout", {}, **bearer(fresh))).status == 200
    assert (await ask(worker, "{ me { id } }", **bearer(fresh)))[0] == 401  # at once
    assert (await post(worker, "/auth/refresh", {"refreshToken": fresh["refreshToken"]})).status == 401


async def test_a_session_ends_by_its_refresh_token_once_the_access_token_has_expired(worker, account, clock):
    await signed_up(worker, account)
    _, tokens = await log_in(worker)
    await clock.advance(900)
    body = js.Response.new(json.dumps({"refreshToken": tokens["refreshToken"]})).body  # of no known length
    response = await worker.fetch("/auth/logout", method="POST", body=body)
    assert (response.status, await response.json()) == (200, {"success": True})
    assert (await post(worker, "/auth/refresh", {"refreshToken": tokens["refreshToken"]})).status == 401
    response = await worker.fetch("/auth/logout", method="POST")
    assert (response.status, await response.json()) == (
        400,
        {"error": "Send the access token of the session to end, or its refreshToken", "field": "authorization"},
    )


async def test_a_refresh_token_that_comes_twice_ends_the_session(worker, account):
    await signed_up(worker, account)
    _, tokens = await log_in(worker)
    fresh = await (await post(worker, "/auth/refresh", {"refreshToken": tokens["refreshToken"]})).json()
    response = await post(worker, "/auth/refresh", {"refreshToken": tokens["refreshToken"]})
    assert (response.status, await response.json()) == (
        401,
        {"error": "The refresh token is not valid", "code": "UNAUTHENTICATED"},
    )
    assert (await ask(worker, "{ me { id } }", **bearer(fresh)))[0] == 401


async def test_a_wrong_password_and_an_unknown_user_look_the_same(worker, account):
    await signed_up(worker, account)
    wrong = (401, {"error": "Invalid email or password", "code": "UNAUTHENTICATED"})
    assert await log_in(worker, "not the password") == wrong
    assert await log_in(worker, email="nobody@example.com") == wrong
    for _ in range(9):
        await log_in(worker, "not the password")
    assert (await log_in(worker))[0] == 429  # this account, whatever the address


@pytest.mark.parametrize(
    ("body", "field", "error"),
    [
        ({}, "email", "Invalid request: email required"),
        ({"email": "a@b"}, "password", "Invalid request: password required"),
        ({"email": 1, "password": "x"}, "email", "Invalid request: email must be a string of at most 256 characters"),
        ([], "body", "Invalid request: body must be a JSON object"),
    ],
)
async def test_a_wrong_login_names_the_field(worker, body, field, error):
    response = await post(worker, "/auth/login", body)
    assert (response.status, await response.json()) == (400, {"error": error, "field": field})


async def test_a_user_that_is_deleted_is_signed_out(worker, account):
    user = await signed_up(worker, account)
    _, tokens = await log_in(worker)
    delete = "mutation($id: ID!) { deleteUser(id: $id) { success } }"
    owner = Caller(worker, account)
    assert (await data(owner, delete, {"id": user["id"]})) == {"deleteUser": {"success": True}}
    assert (await ask(worker, "{ me { id } }", **bearer(tokens)))[0] == 401
    _, body = await ask(owner, delete, {"id": account.user_id})
    assert body["errors"][0]["message"] == "you cannot delete yourself"


async def test_an_address_has_one_account(worker, account):
    await signed_up(worker, account)
    create = 'mutation { createUser(input: {email: "ada@example.com", password: "0123456789"}) { id } }'
    _, body = await ask(Caller(worker, account), create)
    assert body["errors"][0]["message"] == "this email cannot be used"


# -- tenants


async def test_tenants_are_made_and_changed_by_their_operator(worker, env):
    operator = Caller(worker, await make_account(env, "platform", scopes=["operator"]))
    create = """mutation { createTenant(input: {name: "Beta", email: "b@example.com"}) {
      tenant { id name tier } userId apiKey } }"""
    made = (await data(operator, create))["createTenant"]
    beta = Caller(worker, Account(made["tenant"]["id"], made["userId"], made["apiKey"]))
    assert (await data(beta, "{ me { email tier } }")) == {"me": {"email": "b@example.com", "tier": "FREE"}}
    update = "mutation($id: ID!) { updateTenant(id: $id, input: {tier: BUSINESS}) { tier } }"
    assert await data(operator, update, {"id": made["tenant"]["id"]}) == {"updateTenant": {"tier": "BUSINESS"}}
    assert (await data(beta, "{ me { tier } }")) == {"me": {"tier": "BUSINESS"}}  # at once
    names = [tenant["name"] for tenant in (await data(operator, "{ tenants { name } }"))["tenants"]]
    assert names == ["platform", "Beta"]
    for query in ("{ tenants { id } }", update.replace("$id: ID!", "$id: ID = 1")):
        _, body = await ask(beta, query)
        assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"
