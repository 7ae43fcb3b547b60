"""What the server says when it starts: the workers, their bindings, and what stands behind each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pyworkers.config.model import Project, WorkerConfig
from pyworkers.errors import WorkerLoadError
from pyworkers.runtime.cron_schedule import read_crons
from pyworkers.runtime.environment import later_bindings, local_connection_string, no_database
from pyworkers.runtime.stores import Stores
from pyworkers.server.errors import describe_load_error
from pyworkers.server.terminal import Style

# Keys that are about the editor, the account or the deployment: nobody looks for an effect of theirs here.
_ONLY_DEPLOYED: Final = frozenset(
    ("$schema", "account_id", "keep_vars", "preview_urls", "send_metrics", "upload_source_maps")
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        binding: its name in ``env``.
        kind: such as ``KV``.
        target: what it is connected to.
        is_wrong: whether it will not work.
    """

    binding: str
    kind: str
    target: str
    is_wrong: bool = False


def describe_project(
    project: Project, stores: Stores, load_errors: Mapping[str, WorkerLoadError], style: Style
) -> list[str]:
    """Return the lines: each worker with its bindings, then warnings and what could not be loaded."""
    tables = [(config, list(_rows(config, project, stores))) for config in project.workers]
    rows = [row for _, table in tables for row in table]
    widths = max((len(row.binding) for row in rows), default=0), max((len(row.kind) for row in rows), default=0)
    lines: list[str] = []
    for index, (config, table) in enumerate(tables):
        lines.append(_title(config, project, style, is_primary=index == 0 and len(tables) > 1))
        for row in table:
            target = style(row.target, "yellow") if row.is_wrong else row.target
            lines.append(f"  {row.binding:{widths[0]}}  {style(f'{row.kind:{widths[1]}}', 'dim')}  {target}".rstrip())
    lines += [style(warning, "yellow") for warning in _warnings(project)]
    lines += [style(describe_load_error(error).rstrip(), "red") for error in load_errors.values()]
    return lines


def _title(config: WorkerConfig, project: Project, style: Style, *, is_primary: bool) -> str:
    place = os.path.relpath(config.main or config.config_path, project.root)
    environment = f", environment {config.environment}" if config.environment else ""
    answers = ", answers HTTP" if is_primary else ""
    return f"{style(config.name, 'bold')}  {style(f'({place}{environment}{answers})', 'dim')}"


def _rows(config: WorkerConfig, project: Project, stores: Stores) -> Iterator[Row]:
    for name in sorted(config.vars.keys() - config.secrets.keys()):
        yield Row(name, "var", _value(config.vars[name]))
    for name, secret in sorted(config.secrets.items()):
        yield Row(name, "secret", f"from {secret.file.name}" if secret.file else "from the environment")
    for kv in config.kv_namespaces:
        yield Row(kv.binding, "KV", stores.describe("kv", kv))
    for database in config.d1_databases:
        yield Row(database.binding, "D1", stores.describe("d1", database))
    for bucket in config.r2_buckets:
        yield Row(bucket.binding, "R2", stores.describe("r2", bucket))
    for dataset in config.analytics_engine_datasets:
        yield Row(dataset.binding, "Analytics", stores.describe("analytics_engine", dataset))
    for producer in config.queues.producers:
        yield Row(producer.binding, "queue", stores.describe("queues", producer))
    for cron in read_crons(config):
        due_ms = cron.next_after(stores.clock.now_ms())
        yield Row("-", "cron", f"{cron.text}  next {_time(due_ms)}", is_wrong=due_ms is None)
    for email in config.send_email:
        folder = "memory" if stores.state_dir is None else os.path.relpath(stores.state_dir / "email")
        yield Row(email.name, "e-mail", f"what is sent is kept in {folder}")
    if config.ai is not None:
        yield Row(config.ai.binding, "AI", stores.describe("ai", config.ai))
    yield from _durable_objects(config, project, stores)
    yield from _workflows(config, project, stores)
    yield from _services(config, project)
    yield from _small_rows(config)
    for other in config.other_bindings:
        yield Row(other.binding, other.kind, other.note, is_wrong=True)
    for name, kind in later_bindings(config):
        yield Row(name, kind, "not emulated yet: its use throws; see docs/gaps.md", is_wrong=True)


def _small_rows(config: WorkerConfig) -> Iterator[Row]:
    if config.assets is not None and config.assets.directory is not None:
        folder = config.root / config.assets.directory
        place = os.path.relpath(folder)
        target = place if folder.is_dir() else f"{place} is not there: nothing is served"
        yield Row(config.assets.binding or "-", "assets", target, is_wrong=not folder.is_dir())
    for limit in config.ratelimits:
        yield Row(limit.name, "rate limit", f"{limit.simple.limit} calls in {limit.simple.period} s")
    for secret in config.secrets_store_secrets:
        is_there = secret.secret_name in config.secrets or secret.binding in config.secrets
        target = secret.secret_name if is_there else f"{secret.secret_name} is not in .dev.vars: get() throws"
        yield Row(secret.binding, "secret", target, is_wrong=not is_there)
    for hyperdrive in config.hyperdrive:
        is_there = local_connection_string(hyperdrive) is not None
        target = "the local database" if is_there else f"its use throws: {no_database(hyperdrive)}"
        yield Row(hyperdrive.binding, "Hyperdrive", target, is_wrong=not is_there)


def _durable_objects(config: WorkerConfig, project: Project, stores: Stores) -> Iterator[Row]:
    missing = {entry.binding: entry for entry in project.missing if entry.worker == config.name}
    for binding in config.durable_objects:
        entry = missing.get(binding.name)
        if entry is not None:
            near = f"; did you mean {entry.nearest}?" if entry.nearest else ""
            yield Row(binding.name, "Durable Object", f"{entry.service} is not there: calls fail{near}", is_wrong=True)
            continue
        owner = f"{binding.script_name}'s " if binding.script_name else ""
        yield Row(binding.name, "Durable Object", f"{owner}{binding.class_name}  {stores.describe_durable_objects()}")


def _workflows(config: WorkerConfig, project: Project, stores: Stores) -> Iterator[Row]:
    missing = {entry.binding: entry for entry in project.missing if entry.worker == config.name}
    for binding in config.workflows:
        entry = missing.get(binding.binding)
        if entry is None:
            yield Row(binding.binding, "Workflow", stores.describe("workflows", binding))
            continue
        near = f"; did you mean {entry.nearest}?" if entry.nearest else ""
        yield Row(binding.binding, "Workflow", f"{entry.service} is not there: instances fail{near}", is_wrong=True)


def _services(config: WorkerConfig, project: Project) -> Iterator[Row]:
    missing = {entry.binding: entry for entry in project.missing if entry.worker == config.name}
    for service in config.services:
        name = project.aliases.get(service.service, service.service)
        entrypoint = f"#{service.entrypoint}" if service.entrypoint else ""
        entry = missing.get(service.binding)
        if entry is None:
            yield Row(service.binding, "service", f"{name}{entrypoint}")
            continue
        near = f"; did you mean {entry.nearest}?" if entry.nearest else ""
        yield Row(service.binding, "service", f"{name} is not there: calls answer 503{near}", is_wrong=True)


def _time(time_ms: int | None) -> str:
    return "never" if time_ms is None else f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _value(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _warnings(project: Project) -> Iterator[str]:
    yield from project.warnings
    for config in project.workers:
        for warning in config.warnings:
            yield f"{config.name}: {warning}"
        for key in config.no_effect:
            if key.key not in _ONLY_DEPLOYED:
                yield f"{config.name}: {key}"
