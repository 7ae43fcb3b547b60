"""The workers of one project, running in this process on one event loop."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import cache, partial
from typing import Any

from pyworkers.bindings.durable import DurableObjectNamespace
from pyworkers.bindings.email import email_module
from pyworkers.clock import Clock, SystemClock
from pyworkers.config.compat import resolve_compat
from pyworkers.config.model import DurableObjectBinding, Project, ServiceBinding, WorkerConfig
from pyworkers.errors import WorkerLoadError
from pyworkers.js.realm import REALM, Console, Outbound, Realm, log_console
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.values import JsObject
from pyworkers.pyodide.suspension import NO_METER, suspendable
from pyworkers.runtime.assets import build_site
from pyworkers.runtime.cron_schedule import Crons
from pyworkers.runtime.durable import DurableObjects
from pyworkers.runtime.environment import Env, build_env, js_value
from pyworkers.runtime.events import EVENT
from pyworkers.runtime.isolate import Isolate
from pyworkers.runtime.mail import Mailbox
from pyworkers.runtime.metrics import Metrics
from pyworkers.runtime.modules import CloudflareWorkers, sdk_workflows_module
from pyworkers.runtime.queues import Queues
from pyworkers.runtime.services import Fetcher
from pyworkers.runtime.stores import Stores
from pyworkers.runtime.tail import Tails, note_console
from pyworkers.runtime.time_zone import UtcLocalTime
from pyworkers.runtime.triggers import Observer
from pyworkers.runtime.workflows import Workflows

_log = logging.getLogger("pyworkers.runtime")


class Runtime:
    """The isolates of a project, the stores they share, and the connections between them.

    Args:
        project: what to run.
        stores: where data lives; closed with the runtime.
        clock: what ``Date.now()`` reads.
        outbound: answers ``fetch`` of what no binding takes; None is the network, through httpx.
        console: gets ``console.*`` calls: the worker's name, the level, the arguments.

    Attributes:
        observer: is told of events that are no request: batches of queues, cron triggers, e-mail.

    Use it as an async context manager: entering loads every worker. A worker that cannot be loaded does not stop the
    others; `load_errors` has its error, and its events raise it.
    """

    def __init__(
        self,
        project: Project,
        stores: Stores,
        *,
        clock: Clock | None = None,
        outbound: Outbound | None = None,
        console: Callable[[str, str, tuple[object, ...]], None] | None = None,
    ) -> None:
        self.project = project
        self.stores = stores
        self.clock = clock or SystemClock()
        self.metrics = Metrics()
        self.isolates: dict[str, Isolate] = {}
        self.load_errors: dict[str, WorkerLoadError] = {}
        self._configs = {config.name: config for config in project.workers}
        self._own_outbound: Any = None
        self._outbound = outbound
        self._console = console
        self._retired: list[Isolate] = []
        self._previous_factory: Any = None
        self._local_time = UtcLocalTime()
        self.durable_objects = DurableObjects(stores, self._target, clock=self.clock, metrics=self.metrics)
        self.workflows = Workflows(
            stores, self._target, aliases=project.aliases, clock=self.clock, observer=lambda: self.observer
        )
        self.observer: Observer | None = None
        self.queues = Queues(stores, self._target, clock=self.clock, observer=lambda: self.observer)
        self.mailbox = Mailbox(stores, self.clock)
        self.tails = Tails(lambda name: self.isolate(name) if name in self._configs else None, clock=self.clock)
        self.crons = Crons(self._target, clock=self.clock, observer=lambda: self.observer)

    async def __aenter__(self) -> Runtime:
        self._local_time.enter()
        loop = asyncio.get_running_loop()
        self._previous_factory = loop.get_task_factory()
        loop.set_task_factory(_task_factory)
        try:
            await self._start()
        except BaseException:  # a configuration that cannot be run: leave nothing behind
            await self.close()
            raise
        return self

    async def _start(self) -> None:
        for name in self._configs:
            try:
                self.load(name)
            except WorkerLoadError as error:
                self.load_errors[name] = error
        self.durable_objects.start()
        self.workflows.start()
        await self.queues.start()
        self.crons.start()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, *, drain_s: float = 5.0) -> None:
        """Finish what ``waitUntil`` keeps alive, at most ``drain_s`` seconds, and close the stores."""
        await self.crons.close(drain_s=drain_s)
        await self.queues.close(drain_s=drain_s)
        await self.workflows.close()
        isolates = [*self.isolates.values(), *self._retired]
        await asyncio.gather(*(isolate.drain(drain_s) for isolate in isolates))
        await self.tails.close()
        await self.durable_objects.close()
        for isolate in isolates:
            isolate.dispose()
        self.isolates.clear()
        self._retired.clear()
        if self._own_outbound is not None:
            await self._own_outbound.aclose()
        await self.stores.close()
        self._local_time.leave()
        loop = asyncio.get_running_loop()
        if loop.get_task_factory() is _task_factory:
            loop.set_task_factory(self._previous_factory)

    # ---- workers

    @property
    def primary(self) -> Isolate:
        """The worker that requests from outside go to."""
        return self.isolate(self.project.primary.name)

    def isolate(self, name: str) -> Isolate:
        """Return a loaded worker.

        Raises:
            WorkerLoadError: it could not be loaded.
        """
        isolate = self.isolates.get(name)
        if isolate is None:
            raise self.load_errors[name]
        return isolate

    def load(self, name: str) -> Isolate:
        """Load a worker, or load it anew from its files; the code that ran so far goes on until its events are done.

        Raises:
            WorkerLoadError: the new code does not load; what was loaded before stays in force.
        """
        config = self._configs[name]
        try:
            isolate = self._make(config)
        except WorkerLoadError as error:
            self.load_errors[name] = error
            raise
        self.load_errors.pop(name, None)
        previous = self.isolates.get(name)
        self.isolates[name] = isolate
        if previous is not None:
            self._retire(previous)
        self.workflows.reload(name)
        return isolate

    def reconfigure(self, config: WorkerConfig) -> Isolate:
        """Load a worker with another configuration of the same name.

        Raises:
            WorkerLoadError: as `load`.
        """
        previous = self._configs[config.name]
        self._configs[config.name] = config
        try:
            return self.load(config.name)
        except WorkerLoadError:
            self._configs[config.name] = previous
            raise

    async def fetch(self, request: Request, *, worker: str | None = None) -> Response:
        """Send a request to a worker: the primary one where ``worker`` is None."""
        isolate = self.primary if worker is None else self.isolate(worker)
        return await isolate.fetch(request)

    # ---- how a worker is put together

    def _make(self, config: WorkerConfig) -> Isolate:
        realm = Realm(
            name=config.name,
            clock=self.clock,
            compat=resolve_compat(config.compatibility_date, config.compatibility_flags),
            outbound=self._fetch_outside,
            console=self._console_of(config.name),
            on_console=note_console,
        )
        realm.hosted["caches"] = cache(partial(self.stores.cache_storage, config.name))
        realm.hosted.update({name: partial(_cache_class, name) for name in ("Cache", "CacheStorage")})
        site = build_site(config, realm.compat)
        env = build_env(config, self.stores, self._connect, hosts=realm.hosts, site=site)
        self.durable_objects.configure(config)
        for binding in config.durable_objects:
            env.replace(binding.name, self._durable_object(config, binding))
        for workflow in config.workflows:
            env.replace(workflow.binding, self.workflows.binding(config, workflow))
        self.tails.configure(config, self.project.aliases)
        self.crons.configure(config)
        self.queues.configure(config)
        for producer in config.queues.producers:
            env.replace(producer.binding, self.queues.binding(producer, realm.compat))
        for email in config.send_email:
            env.replace(email.name, self.mailbox.binding(email))
        realm.modules["cloudflare:workers"] = CloudflareWorkers(env)
        realm.modules["cloudflare:email"] = email_module()
        realm.modules["python_modules/workers/workflows.js"] = sdk_workflows_module()
        isolate = Isolate(config, realm, env, self.metrics, site=site)
        isolate.exports = self._exports(isolate)
        self.tails.attach(isolate)
        return isolate

    def _connect(self, service: ServiceBinding) -> Fetcher:
        name = self.project.aliases.get(service.service, service.service)
        return Fetcher(
            lambda: self._target(name),
            service=service.service,
            binding=service.binding,
            metrics=self.metrics,
            entrypoint=service.entrypoint,
            props=js_value(service.props) if service.props else None,
        )

    def _durable_object(self, config: WorkerConfig, binding: DurableObjectBinding) -> DurableObjectNamespace:
        script = binding.script_name
        if script is not None:
            script = f"{script}-{binding.environment}" if binding.environment else script
            script = self.project.aliases.get(script, script)
        return self.durable_objects.namespace(script or config.name, binding.class_name, binding.name)

    def _target(self, name: str) -> Isolate | None:
        return self.isolate(name) if name in self._configs else None

    def _exports(self, isolate: Isolate) -> JsObject:
        """The worker's own entrypoints as bindings to itself: ``ctx.exports``."""
        names = {"default": None, **{name: name for name in isolate.handlers.entrypoints}}
        classes = isolate.handlers.durable_objects
        return JsObject(
            {name: self.durable_objects.loopback(isolate.name, name) for name in classes}
            | {
                name: Fetcher(
                    lambda: self.isolates.get(isolate.name),
                    service=isolate.name,
                    binding=f"exports.{name}",
                    metrics=self.metrics,
                    entrypoint=entrypoint,
                )
                for name, entrypoint in names.items()
            }
        )

    async def _fetch_outside(self, request: Request) -> Response:
        if self._outbound is not None:
            _count_subrequest()
            return await self._outbound(request)
        if self._own_outbound is None:
            from pyworkers.js.outbound import HttpxOutbound  # httpx is imported by the first request that needs it

            self._own_outbound = HttpxOutbound(before_send=_count_subrequest)
        return await self._own_outbound(request)

    def _console_of(self, worker: str) -> Console:
        if self._console is None:
            return log_console
        console = self._console
        return lambda level, args: console(worker, level, args)

    def _retire(self, isolate: Isolate) -> None:
        """Forget replaced code once its last event is done."""
        self._retired.append(isolate)
        asyncio.get_running_loop().create_task(self._dispose_when_idle(isolate), context=contextvars.Context())

    async def _dispose_when_idle(self, isolate: Isolate) -> None:
        await isolate.until_idle()
        if isolate in self._retired:
            self._retired.remove(isolate)
            isolate.dispose()


def _count_subrequest() -> None:
    event = EVENT.get()
    if event is not None:
        event.count_subrequest()


def override_vars(config: WorkerConfig, values: dict[str, Any]) -> WorkerConfig:
    """Return the configuration with other values for some vars."""
    return replace(config, vars={**config.vars, **values})


def _cache_class(name: str) -> Any:
    """Return the constructor of a class of the Cache API, which is loaded when it is asked for."""
    from pyworkers.bindings import cache as caches

    return getattr(caches, name).constructor


def _task_factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **kwargs: Any) -> asyncio.Task[Any]:
    """Make tasks that a worker's code creates able to ``run_sync``, and count their CPU time as its event's."""
    context: contextvars.Context | None = kwargs.get("context")
    realm = REALM.get(None) if context is None else context.get(REALM)
    if realm is not None:
        event = EVENT.get() if context is None else context.get(EVENT)
        coroutine = _suspendable(coroutine, event)
    return asyncio.Task(coroutine, loop=loop, **kwargs)


async def _suspendable(coroutine: Coroutine[Any, Any, Any], event: Any) -> Any:
    return await suspendable(coroutine, meter=NO_METER if event is None else event)


__all__ = ["Env", "Runtime", "override_vars"]
