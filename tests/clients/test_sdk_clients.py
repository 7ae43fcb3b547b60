"""`@inference-ui/js` and `@inference-ui/node`: every method."""

from __future__ import annotations

import pytest

SDKS = pytest.mark.parametrize("sdk", ["js_sdk", "node_sdk"])


@SDKS
def test_user(client, sdk):
    user = client(sdk, "user")
    assert user.pop("createdAt")
    assert user == {"id": "user-clients", "email": "owner@example.com", "tier": "ENTERPRISE"}


@SDKS
def test_usage(client, sdk):
    usage = client(sdk, "usage")
    assert {name: usage[name] for name in ("userId", "tier", "eventsLimit", "aiRequestsLimit")} == {
        "userId": "user-clients",
        "tier": "ENTERPRISE",
        "eventsLimit": -1,
        "aiRequestsLimit": -1,
    }
    assert usage["eventsThisMonth"] >= 0
    assert usage["aiRequestsThisMonth"] >= 0


@SDKS
def test_keys_are_made_listed_and_revoked_at_once(client, sdk):
    keys = client(sdk, "keys")
    made, listed = keys["made"], keys["listed"]
    assert made["apiKey"].startswith(made["keyPrefix"])
    assert made["expiresAt"] is not None
    assert keys["works"]["email"] == "owner@example.com"
    assert (listed["name"], listed["revokedAt"], listed["expiresAt"]) == ("from the SDK", None, made["expiresAt"])
    assert keys["revoked"] is True
    assert "Unauthorized" in keys["after"]


@SDKS
def test_flows_are_made_read_and_deleted(client, sdk):
    flows = client(sdk, "flows")
    made = flows["made"]
    assert (made["name"], made["steps"], made["userId"]) == ("onboarding", flows["steps"], "user-clients")
    assert flows["got"] == made
    assert (flows["isListed"], flows["deleted"], flows["isListedAfter"]) == (True, True, False)


@SDKS
def test_events_are_stored_once_and_counted(client, sdk):
    found = client(sdk, "events")
    assert found["metrics"] == {"events": 4, "users": 1, "sessions": 1}
    assert found["breakdown"] == [{"key": "sdk_event", "value": 4}]


@SDKS
def test_wrong_key_is_told_in_words(client, sdk):
    assert "Unauthorized" in client(sdk, "wrongKey")


@SDKS
def test_wrong_argument_is_told_in_words(client, sdk):
    assert "name" in client(sdk, "badFlow")
