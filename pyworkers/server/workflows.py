"""The local API of Workflows, under ``/cdn-cgi/explorer/api/workflows``, as ``wrangler workflows --local`` calls it.

The answers are Cloudflare's envelope: ``{success, errors, messages, result}``.

Source: miniflare 4.20260426, ``local-explorer/resources/workflows.ts``; wrangler 4.86, ``src/workflows/local.ts``
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote

from pyworkers.bindings.workflows import InstanceImpl, WorkflowImpl
from pyworkers.bindings.workflows.failures import NOT_FOUND
from pyworkers.engines.workflows import InstanceRecord
from pyworkers.engines.workflows.protocol import STATUSES
from pyworkers.js.json import parse, stringify
from pyworkers.js.objects import JsArray
from pyworkers.js.values import JsException, JsObject
from pyworkers.runtime.workflows import Workflow, Workflows
from pyworkers.runtime.workflows.history import iso_time
from pyworkers.server.egress import send_bytes
from pyworkers.server.ingress import Receive, Scope, Send

if TYPE_CHECKING:
    from pyworkers.js.promise import JsPromise
    from pyworkers.runtime.runtime import Runtime

WORKFLOWS_ROOT: Final = "/cdn-cgi/explorer/api/workflows"
DEFAULT_PER_PAGE: Final = 25
ACTIONS: Final = ("pause", "resume", "restart", "terminate")

_JSON: Final = b"application/json"
_NOT_FOUND_CODE: Final = 10501
_ERROR_CODE: Final = 10001


class ApiError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API.

    Attributes:
        path: what follows `WORKFLOWS_ROOT`, decoded.
        body: text of JSON, or nothing.
    """

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


class WorkflowsRoute:
    """Serves the API.

    Args:
        runtime: whose workflows it tells of and acts on.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = await _read(receive)
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        parts = raw.decode("latin-1").removeprefix(WORKFLOWS_ROOT).strip("/").split("/")
        query = parse_qs(scope["query_string"].decode("latin-1"))
        call = Call(
            scope["method"],
            tuple(unquote(part) for part in parts if part),
            {name: values[-1] for name, values in query.items()},
            body.decode(errors="replace"),
        )
        status, text = await answer(self._runtime.workflows, call)
        await send_bytes(send, status, _JSON, text.encode())


async def _read(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def answer(workflows: Workflows, call: Call) -> tuple[int, str]:
    """Return the status and the JSON of one call's answer."""
    try:
        result = await _find(call)(workflows, call)
    except ApiError as error:
        return error.status, _failure(error.code, str(error))
    except JsException as error:
        return 500, _failure(_ERROR_CODE, error.message)
    return 200, stringify(JsObject({"success": True, "errors": JsArray(), "messages": JsArray(), **result})) or ""


def _failure(code: int, message: str) -> str:
    errors = [{"code": code, "message": message}]
    return json.dumps({"success": False, "errors": errors, "messages": [], "result": None})


def _find(call: Call) -> Callable[[Workflows, Call], Any]:
    """Return what answers a call.

    Raises:
        ApiError: nothing does.
    """
    match call.method, call.path:
        case "GET", ():
            return _list
        case "GET", (_,):
            return _describe
        case "DELETE", (_,):
            return _delete
        case "GET", (_, "instances"):
            return _list_instances
        case "POST", (_, "instances"):
            return _create
        case "GET", (_, "instances", _):
            return _describe_instance
        case "DELETE", (_, "instances", _):
            return _delete_instance
        case "PATCH", (_, "instances", _, "status"):
            return _change
        case "POST", (_, "instances", _, "events", _):
            return _send_event
    raise ApiError(404, _ERROR_CODE, f"No route {call.method} {WORKFLOWS_ROOT}/{'/'.join(call.path)}")


# ---- workflows


async def _list(workflows: Workflows, _call: Call) -> dict[str, Any]:
    found = [JsObject(_identity(workflow)) for workflow in workflows]
    return {"result": JsArray(found), "result_info": JsObject({"count": len(found)})}


async def _describe(workflows: Workflows, call: Call) -> dict[str, Any]:
    workflow = _workflow(workflows, call)
    return {"result": JsObject({**_identity(workflow), "instances": _counts(workflow)})}


async def _delete(workflows: Workflows, call: Call) -> dict[str, Any]:
    workflow = _workflow(workflows, call)
    for record in workflow.engine.instances():
        workflow.delete(record.instance_id)
    return {"result": JsObject({"status": "ok", "success": True})}


def _identity(workflow: Workflow) -> dict[str, Any]:
    return {"name": workflow.name, "class_name": workflow.class_name, "script_name": workflow.worker}


def _counts(workflow: Workflow) -> JsObject:
    return JsObject({**dict.fromkeys(sorted(STATUSES), 0), **workflow.engine.counts()})


# ---- instances


async def _list_instances(workflows: Workflows, call: Call) -> dict[str, Any]:
    workflow = _workflow(workflows, call)
    page, per_page = _number(call, "page", 1), _number(call, "per_page", DEFAULT_PER_PAGE)
    status = call.query.get("status")
    counts = workflow.engine.counts()
    total = sum(counts.values()) if status is None else counts.get(status, 0)
    found = workflow.engine.instances(status=status, limit=per_page, offset=(page - 1) * per_page)
    info = {
        "page": page,
        "per_page": per_page,
        "total_count": total,
        "total_pages": max(1, -(-total // per_page)),
        "status_counts": JsObject(counts),
    }
    return {"result": JsArray([_shown(record) for record in found]), "result_info": JsObject(info)}


async def _describe_instance(workflows: Workflows, call: Call) -> dict[str, Any]:
    workflow = _workflow(workflows, call)
    _instance(workflow, call)
    return {"result": workflow.details(call.path[2])}


async def _create(workflows: Workflows, call: Call) -> dict[str, Any]:
    workflow = _workflow(workflows, call)
    body = _body(call)
    given = body.own_properties() if isinstance(body, JsObject) else {}
    options: dict[str, object] = {name: given[name] for name in ("id", "params") if name in given}
    instance = await WorkflowImpl(workflow).create(JsObject(options))
    return {"result": JsObject({"id": instance.id})}


async def _delete_instance(workflows: Workflows, call: Call) -> dict[str, Any]:
    workflow = _workflow(workflows, call)
    _instance(workflow, call)
    workflow.delete(call.path[2])
    return {"result": JsObject({"success": True})}


async def _change(workflows: Workflows, call: Call) -> dict[str, Any]:
    workflow = _workflow(workflows, call)
    body = _body(call)
    action = body.own_properties().get("action") if isinstance(body, JsObject) else None
    if action not in ACTIONS:
        raise ApiError(400, _ERROR_CODE, f"Invalid action '{action}'. Must be one of: {', '.join(ACTIONS)}.")
    instance = _instance(workflow, call)
    promise: JsPromise = getattr(instance, str(action))()
    await promise
    return {"result": JsObject({"success": True})}


async def _send_event(workflows: Workflows, call: Call) -> dict[str, Any]:
    workflow = _workflow(workflows, call)
    event = JsObject({"type": call.path[4], "payload": _body(call)})
    await _instance(workflow, call).sendEvent(event)
    return {"result": JsObject({"success": True})}


def _shown(record: InstanceRecord) -> JsObject:
    return JsObject({"id": record.instance_id, "status": record.status, "created_on": iso_time(record.created_ms)})


# ---- what a call names


def _workflow(workflows: Workflows, call: Call) -> Workflow:
    found = workflows.get(call.path[0])
    if found is None:
        raise ApiError(404, _NOT_FOUND_CODE, f"Workflow '{call.path[0]}' not found.")
    return found


def _instance(workflow: Workflow, call: Call) -> InstanceImpl:
    instance = InstanceImpl(call.path[2], workflow)
    try:
        instance.find()
    except JsException as error:
        if error.message != NOT_FOUND:
            raise
        raise ApiError(404, _NOT_FOUND_CODE, f"Workflow instance '{call.path[2]}' not found.") from None
    return instance


def _body(call: Call) -> Any:
    """Return the body's value; one that is no JSON is as good as none."""
    try:
        return parse(call.body)
    except JsException:
        return None


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name)
    if text is None:
        return default
    if not text.isdecimal() or int(text) < 1:
        message = f'{name}: Expected query param to be number but received "{text}"'
        raise ApiError(400, _ERROR_CODE, message)
    return int(text)
