"""`inference-ui-react`: its hooks and components, in a document."""

from __future__ import annotations


def test_chat_shows_tokens_as_they_come(client):
    chat = client("inference_ui_react", "chat")
    assert chat["roles"] == ["user", "assistant", "user", "assistant"]
    assert chat["parts"] == [{"type": "text", "text": chat["shown"]}]
    assert chat["shown"].endswith(".")
    assert chat["renderings"] >= 2
    assert (chat["status"], chat["errors"]) == ("ready", [])


def test_chat_needs_no_key(client):
    chat = client("inference_ui_react", "chatAnonymous")
    assert chat["roles"] == ["user", "assistant"]
    assert chat["shown"]
    assert chat["grows"] is True
    assert (chat["status"], chat["errors"]) == ("ready", [])


def test_stopped_chat_keeps_its_tokens(client):
    chat = client("inference_ui_react", "chatStopped")
    assert chat["roles"] == ["user", "assistant"]
    assert chat["wasCut"] is True
    assert chat["errors"] == []


def test_refused_chat_tells_the_reason_phrase(client):
    assert client("inference_ui_react", "chatRefused") == {"errors": ["HTTP 400: Bad Request"], "status": "error"}


def test_completion_returns_and_shows_its_text(client):
    completion = client("inference_ui_react", "completion")
    assert completion["returned"]
    assert completion["shown"] == completion["returned"]
    assert completion["renderings"] >= 2


def test_object_fits_the_zod_schema(client):
    made = client("inference_ui_react", "object")
    assert made["error"] is None
    assert made["isValid"] is True, made["object"]
    assert sorted(made["object"]) == ["inner", "isNew", "name", "size", "tags"]
    assert made["renderings"] >= 2


def test_components_are_drawn(client):
    assert client("inference_ui_react", "components") == {"inputs": 2, "hasText": True}
