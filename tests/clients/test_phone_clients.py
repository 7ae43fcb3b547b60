"""`inference-ui-events` and `inference-ui-ai-engine`, written for phones: their parts that talk to the server."""

from __future__ import annotations


def test_queue_of_1000_events_is_stored_once(client):
    assert client("inference_ui_events", "queue") == {
        "sizeAfter": 0,
        "answers": [
            {"processed": 1000, "errors": 0, "duplicates": 0},
            {"processed": 3, "errors": 0, "duplicates": 3},
        ],
    }


def run(client, task):
    result = client("inference_ui_ai_engine", task)
    assert result.get("error") is None
    assert result["executedAt"] == "edge"
    assert result["modelUsed"].startswith("@cf/")
    return result["output"]


def test_sentiment_is_a_label_with_its_confidence(client):
    output = run(client, "sentiment")
    assert output["label"] in ("positive", "negative")
    assert 0 <= output["confidence"] <= 1


def test_intent_is_text(client):
    assert run(client, "intent")


def test_autocomplete_is_a_list_of_texts(client):
    output = run(client, "autocomplete")
    assert 1 <= len(output) <= 5
    assert all(isinstance(suggestion, str) for suggestion in output)


def test_validation_tells_of_each_field(client):
    output = run(client, "validation")
    assert list(output) == ["email"]
    assert isinstance(output["email"]["valid"], bool)


def test_accessibility_is_a_score_with_issues(client):
    output = run(client, "accessibility")
    assert 0 <= output["score"] <= 100
    assert isinstance(output["issues"], list)
