"""POST /ai: one task of a model, answered at once. The published AI engine asks so: `{"task", "model", "input"}`.

`input` is `{"messages"}` for a text model, whose answer is read as JSON where it is some, and `{"text"}` for a
classifier. The tasks whose answers programs read are held to their shape by a schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pyodide.ffi import JsException

from .ai_stream import ai_error
from .generation_requests import DEFAULT_MODEL, read_model
from .messages import read_messages
from .web import HttpError, invalid

CLASSIFIER: Final = "@cf/huggingface/distilbert-sst-2-int8"  # for `text`, where no model is named
MAX_TEXT_CHARACTERS = 32_768
MAX_TOKENS = 1024
MAX_FIELDS = 32  # of a form

_SENTENCE: Final = {"type": "string", "maxLength": 160}
_SUGGESTIONS: Final = {"type": "array", "items": {"type": "string", "maxLength": 60}, "minItems": 1, "maxItems": 5}
_ISSUE: Final = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "maxLength": 40},
        "severity": {"enum": ["info", "warning", "error"]},
        "message": _SENTENCE,
    },
    "required": ["type", "severity", "message"],
    "additionalProperties": False,
}
_ACCESSIBILITY: Final = {
    "type": "object",
    "properties": {
        "score": {"type": "integer", "minimum": 0, "maximum": 100},
        "issues": {"type": "array", "items": _ISSUE, "maxItems": 5},
    },
    "required": ["score", "issues"],
    "additionalProperties": False,
}
_FIELD: Final = {
    "type": "object",
    "properties": {"valid": {"type": "boolean"}, "message": _SENTENCE},
    "required": ["valid"],
    "additionalProperties": False,
}


async def answer_task(ai: Any, body: Any, *, token_cap: int) -> dict[str, Any]:
    """Return `{"output", "model"}`, with `confidence` where the model says one.

    Raises:
        HttpError: 400 the request is wrong; the model's error.
    """
    if not isinstance(body, Mapping):
        raise HttpError(400, "Invalid request: body must be a JSON object", field="body")
    if not isinstance(body.get("task"), str) or not body["task"]:
        raise invalid("task", "required")
    given = body.get("input")
    if not isinstance(given, Mapping):
        raise invalid("input", "must be an object")
    model = read_model(body.get("model") or (CLASSIFIER if "text" in given else None))
    if "text" in given:
        return await _classify(ai, model, given["text"])
    messages = read_messages(given.get("messages"))
    inputs: dict[str, Any] = {"messages": messages, "max_tokens": min(MAX_TOKENS, token_cap)}
    schema = _schema(body["task"], messages)
    if schema is not None:
        inputs["guided_json"] = schema
    result = await _run(ai, model, {**inputs, "temperature": 0})
    text = result.get("response", "") if isinstance(result, Mapping) else result
    return {"output": _value(text), "model": model}


def _schema(task: str, messages: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return what a task's answer has to satisfy; None: it is text."""
    if task == "autocomplete":
        return _SUGGESTIONS
    if task == "accessibility_check":
        return _ACCESSIBILITY
    if task == "form_validation":
        return _form_schema(messages)
    return None


def _form_schema(messages: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return `{field: {"valid", "message"?}}` for the fields of the form, which is the last message, as JSON."""
    form = _value(messages[-1].get("content")) if messages else None
    if not isinstance(form, Mapping) or not 0 < len(form) <= MAX_FIELDS:
        return None
    fields = [str(name) for name in form]
    properties = dict.fromkeys(fields, _FIELD)
    return {"type": "object", "properties": properties, "required": fields, "additionalProperties": False}


async def _classify(ai: Any, model: str, text: Any) -> dict[str, Any]:
    if not isinstance(text, str) or not text or len(text) > MAX_TEXT_CHARACTERS:
        raise invalid("input.text", f"must be a string of 1 to {MAX_TEXT_CHARACTERS} characters")
    found = await _run(ai, model, {"text": text})
    labels = [one for one in found if isinstance(one, Mapping) and "label" in one] if isinstance(found, list) else []
    if not labels:
        raise HttpError(502, f"AI error: {model} is no classifier; {DEFAULT_MODEL} takes messages", field="model")
    best = max(labels, key=lambda one: one.get("score", 0))
    output = {"label": str(best["label"]).lower(), "confidence": best.get("score", 0)}
    return {"output": output, "confidence": output["confidence"], "model": model}


async def _run(ai: Any, model: str, inputs: Mapping[str, Any]) -> Any:
    try:
        return await ai.run(model, inputs)
    except JsException as error:
        raise ai_error(error.message) from error


def _value(text: Any) -> Any:
    """Return what a model wrote, as a value where it is JSON, with or without a fence around it."""
    if not isinstance(text, str):
        return text
    bare = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    try:
        return json.loads(bare)
    except (ValueError, RecursionError):
        return text
