"""GraphQL requests that few clients send: persisted queries, JSON in the text of a query."""

import json
from urllib.parse import urlencode

import pytest
from conftest import Caller

JSON_TYPE = "application/json"
GRAPHQL_TYPE = "application/graphql-response+json"


@pytest.fixture
def worker(worker, account):
    return Caller(worker, account)


async def ask(worker, accept=GRAPHQL_TYPE, **fields):
    headers = {"content-type": JSON_TYPE, "accept": accept}
    response = await worker.fetch("/graphql", method="POST", body=json.dumps(fields), headers=headers)
    return response.status, await response.json()


@pytest.mark.parametrize("accept", [JSON_TYPE, GRAPHQL_TYPE])
async def test_a_client_of_persisted_queries_is_told_to_send_the_query(worker, accept):
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}
    told = {"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}
    status = 400 if accept == GRAPHQL_TYPE else 200
    assert await ask(worker, accept, extensions=extensions) == (status, {"errors": [told]})
    url = "/graphql?" + urlencode({"extensions": json.dumps(extensions)})
    response = await worker.fetch(url, headers={"accept": accept})
    assert (response.status, await response.json()) == (status, {"errors": [told]})
    assert await ask(worker, accept, query="{ version }", extensions=extensions) == (200, {"data": {"version": "v1"}})


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 5000])
async def test_a_number_that_json_cannot_say_is_refused(worker, number):
    query = f'mutation {{ createFlow(input: {{name: "f", steps: [{{x: [{number}]}}]}}) {{ id }} }}'
    status, body = await ask(worker, query=query)
    assert status == 400
    assert [error["message"] for error in body["errors"]] == ["JSON cannot represent a number that is out of range"]


async def test_json_in_the_text_of_a_query_takes_variables(worker):
    query = 'mutation ($x: JSON) { createFlow(input: {name: "f", steps: [{x: $x, y: [1.5, null]}]}) { steps } }'
    created = {"createFlow": {"steps": [{"x": {"a": 1}, "y": [1.5, None]}]}}
    assert await ask(worker, query=query, variables={"x": {"a": 1}}) == (200, {"data": created})


async def test_funnels_and_cohorts_have_pages(worker):
    step = '[{name: "s", event: "a", orderIndex: 0}]'
    for name in ("a", "b", "c"):
        query = f"""mutation {{
          createFunnel(input: {{name: "{name}", steps: {step}}}) {{ name }}
          createCohort(input: {{name: "{name}", criteria: {{type: CUSTOM}}}}) {{ name }}
        }}"""
        assert (await ask(worker, query=query))[0] == 200
    pages = "one: %s(limit: 2) { name } two: %s(limit: 2, offset: 2) { name } all: %s { name }"
    for field in ("userFunnels", "userCohorts"):
        _, body = await ask(worker, query=f"{{ {pages.replace('%s', field)} }}")
        found = body["data"]
        assert [len(found[page]) for page in ("one", "two", "all")] == [2, 1, 3]
        assert found["one"] + found["two"] == found["all"]
        _, body = await ask(worker, query=f"{{ {field}(limit: 1001) {{ name }} }}")
        assert body["errors"][0]["message"] == "limit must be a whole number from 0 to 1000"
