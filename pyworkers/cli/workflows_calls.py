"""How `pyworkers workflows` reaches workflows: in the state's files, or through the running server."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

from pyworkers.cli.output import note
from pyworkers.cli.place import Place, not_found
from pyworkers.config.model import WorkerConfig
from pyworkers.errors import PyworkersError
from pyworkers.runtime.stores import Stores
from pyworkers.runtime.workflows import Workflows
from pyworkers.server.workflows import WORKFLOWS_ROOT, Call, answer

_TIMEOUT_S: Final = 10.0


class Caller:
    """Makes calls that change something: of the server where one answers, else in the files.

    Args:
        port: where the server would be, on this machine; None is where it is found.
    """

    def __init__(self, place: Place, port: int | None) -> None:
        self._place = place
        self._port = place.server_port(port)

    def __call__(self, call: Call) -> Any:
        """Return a call's result.

        Raises:
            UsageError: there is no such workflow.
            PyworkersError: the call failed.
        """
        import httpx  # only what changes something needs it

        path = "/".join(quote(part, safe="") for part in call.path)
        url = f"http://localhost:{self._port}{WORKFLOWS_ROOT}/{path}"
        headers = {"Content-Type": "application/json"}
        try:
            with httpx.Client(trust_env=False, timeout=_TIMEOUT_S) as client:
                response = client.request(call.method, url, params=dict(call.query), content=call.body, headers=headers)
        except httpx.ConnectError:
            result = call_files(self._place, call)
            note(f"No server on port {self._port}: done in {self._place.state_dir}; the next `pyworkers dev` goes on")
            return result
        except httpx.HTTPError as error:
            raise PyworkersError(
                f"the server on port {self._port} did not answer: {error}", hint="name another one with --port"
            ) from error
        try:
            envelope = response.json()
            return _result(envelope)
        except (ValueError, KeyError, TypeError):
            raise PyworkersError(
                f"what listens on port {self._port} is no `pyworkers dev`: it answered {response.status_code}",
                hint="name the server's port with --port",
            ) from None


def call_files(place: Place, call: Call) -> Any:
    """Return a call's result from the state's files.

    Raises:
        UsageError: there is no such workflow.
        PyworkersError: the call failed.
    """
    names = [binding.name for worker in place.project.workers for binding in worker.workflows]
    if call.path and call.path[0] not in names:
        raise not_found("Workflow", call.path[0], place.project, names, key="workflows")

    async def work(stores: Stores) -> tuple[int, str]:
        workflows = Workflows(stores, _no_isolate, aliases=place.project.aliases, clock=stores.clock, is_live=False)
        for worker in place.project.workers:
            _bind(workflows, worker)
        return await answer(workflows, call)

    _, text = place.run(work)
    return _result(json.loads(text))


def _bind(workflows: Workflows, worker: WorkerConfig) -> None:
    for binding in worker.workflows:
        workflows.binding(worker, binding)


def _no_isolate(_name: str) -> None:
    return None


def _result(envelope: Any) -> Any:
    if not envelope["success"]:
        raise PyworkersError(
            envelope["errors"][0]["message"], hint="pyworkers workflows instances list shows what is there"
        )
    return envelope["result"]
