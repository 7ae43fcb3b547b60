"""GraphQL over HTTP: graphql-http's server audit, Apollo Client, urql."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("case", ["withKey", "withoutKey"])
def test_audit_meets_every_must(client, case, record_property):
    results = client("graphql_audit", case)
    assert len(results) >= 60
    assert [result for result in results if result["status"] == "error"] == []
    for level in ("warn", "notice"):  # SHOULD and MAY: reported, see `-rA` and junit
        missed = [f"{result['name']}: {result['reason']}" for result in results if result["status"] == level]
        record_property(level, missed)
        print(f"{level}: {len(missed)}", *missed, sep="\n  ")


def test_apollo_queries_and_mutates(client):
    assert client("apollo", "queriesAndMutations") == {
        "typename": "Flow",
        "steps": [{"id": "one", "component": "Form"}],
        "isListed": True,
    }


def test_apollo_queries_by_get(client):
    assert client("apollo", "queriesByGet") == {"version": "v1", "isList": True}


def test_apollo_tells_errors(client):
    errors = client("apollo", "errors")
    assert errors["name"] == "CombinedGraphQLErrors"
    assert errors["message"] == "Cannot query field 'nothing' on type 'Query'."
    assert errors["unauthorized"]


def test_urql_queries(client):
    assert client("urql", "queries") == {"email": "owner@example.com", "sameByGet": True, "error": None}


def test_urql_tells_errors(client):
    errors = client("urql", "errors")
    assert errors["unknown"] == "[GraphQL] Cannot query field 'nothing' on type 'Query'."
    assert "$limit" in errors["variables"]
    assert errors["anonymous"]
