"""`inference-ui-events` and `inference-ui-ai-engine`, written for phones: their parts that talk to the server."""

from __future__ import annotations

import pytest


def test_queue_of_1000_events_is_stored_once(client):
    assert client("inference_ui_events", "queue") == {
        "sizeAfter": 0,
        "answers": [
            {"processed": 1000, "errors": 0, "duplicates": 0},
            {"processed": 3, "errors": 0, "duplicates": 3},
        ],
    }


@pytest.mark.parametrize("task", ["sentiment", "intent", "autocomplete", "validation"])
def test_edge_tasks_are_answered(client, task):
    result = client("inference_ui_ai_engine", task)
    assert result.get("error") is None
    assert result["executedAt"] == "edge"
    assert result["output"] is not None
    assert result["modelUsed"].startswith("@cf/")
