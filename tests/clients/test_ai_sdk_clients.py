"""`ai` and `@ai-sdk/react`, majors 4 to 6: their hooks and transports on /stream."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("case", ["chat", "chatByHeader"])
def test_chat_by_the_ui_message_stream(client, case):
    chat = client("ai_sdk", case)
    assert chat["errors"] == []
    assert chat["roles"] == ["user", "assistant", "user", "assistant"]
    assert chat["types"] == ["step-start", "text"]
    assert chat["shown"]
    assert chat["isShownWhole"] is True
    assert chat["finishReasons"] == ["stop", "stop"]
    assert chat["status"] == "ready"


def test_chat_by_the_text_stream(client):
    chat = client("ai_sdk", "chatAsText")
    assert chat["errors"] == []
    assert chat["roles"] == ["user", "assistant", "user", "assistant"]
    assert "text" in chat["types"]
    assert chat["isShownWhole"] is True
    assert chat["status"] == "ready"


def test_chunks_are_in_the_order_of_the_protocol(client):
    read = client("ai_sdk", "chunks")
    assert read["types"] == ["start", "start-step", "text-start", "text-delta", "text-end", "finish-step", "finish"]
    assert read["role"] == "assistant"
    assert read["text"]


def test_there_is_nothing_to_resume(client):
    assert client("ai_sdk", "resume") is None


def test_refused_chat_tells_the_field(client):
    assert "temperature" in client("ai_sdk", "refused")


def test_completion_by_both_protocols(client):
    found = client("ai_sdk", "completion")
    assert [(name, result["isReturned"], result["errors"]) for name, result in found.items()] == [
        ("data", True, []),
        ("text", True, []),
    ]
    assert all(result["shown"] for result in found.values())


def test_object_fits_its_schema(client):
    assert client("ai_sdk", "object") == {"isValid": True, "validationError": None, "errors": []}


@pytest.mark.parametrize(
    ("case", "finish_reason"), [("chatFour", "stop"), ("chatFourAsText", "unknown")], ids=["data-v1", "text"]
)
def test_chat_of_major_4(client, case, finish_reason):
    chat = client("ai_sdk_older", case)
    assert chat["errors"] == []
    assert chat["roles"] == ["user", "assistant", "user", "assistant"]
    assert chat["hasText"] is True
    assert [end["finishReason"] for end in chat["finished"]] == [finish_reason, finish_reason]
    assert all(end["hasUsage"] is (finish_reason == "stop") for end in chat["finished"])


def test_completion_of_major_4(client):
    assert client("ai_sdk_older", "completionFour") == {"hasText": True, "isShown": True, "errors": []}


def test_chat_of_major_5(client):
    assert client("ai_sdk_older", "chatFive") == {
        "roles": ["user", "assistant", "user", "assistant"],
        "hasText": True,
        "errors": [],
    }
