"""``pyworkers export``: the class-style entry that deploys a module-style worker.

Cloudflare knows no module style. The entry is a class ``Default`` that calls the module's handlers with the arguments
they take; the module itself stays as it is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from pyworkers.cli.commands import Command
from pyworkers.config import load_project
from pyworkers.config.model import WorkerConfig
from pyworkers.errors import ConfigError, UsageError, WorkerLoadError

# A class handler's own parameters; the platform passes `env` and `ctx` to all but `fetch`, as undefined.
_PARAMETERS: Final = {
    "fetch": "request",
    "scheduled": "controller, env=None, ctx=None",
    "queue": "batch, env=None, ctx=None",
    "email": "message, env=None, ctx=None",
    "tail": "events, env=None, ctx=None",
    "trace": "traces, env=None, ctx=None",
    "test": "controller, env=None, ctx=None",
}
_EXPORTED_BASES: Final = frozenset(("DurableObject", "WorkerEntrypoint", "WorkflowEntrypoint"))
_MAX_ARGUMENTS: Final = 3


@dataclass(frozen=True, slots=True)
class Handler:
    """A module-level handler.

    Attributes:
        arguments: how many of (event, env, ctx) it takes, 0 to 3.
        is_async: whether its result is awaited.
    """

    name: str
    arguments: int
    is_async: bool


@click.command(cls=Command, examples=("pyworkers export", "pyworkers export -c workers/api --force"))
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The worker's wrangler file or folder. [the one of this folder]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The entry to write. [<main>_deploy.py beside the main module]",
)
@click.option("--force", is_flag=True, help="Write over a file that `export` did not write.")
def export(*, config: Path | None, output: Path | None, force: bool) -> None:
    """Write the class-style entry that deploys a module-style worker."""
    worker = load_project(Path.cwd(), (config,) if config is not None else ()).primary
    if worker.main is None:
        raise ConfigError("the worker has no main module", file=worker.config_path, key="main")
    target = worker.main.with_name(f"{worker.main.stem}_deploy.py") if output is None else Path.cwd() / output
    if target.parent.resolve() != worker.main.parent.resolve():
        raise UsageError(
            f"the entry must lie beside {worker.main.name}, which it imports",
            hint=f"write it into {worker.main.parent}",
        )
    text = render_entry(worker)
    if text is None:
        click.echo(f"{worker.main.name} has a class Default: it deploys as it is.")
        return
    if target.exists() and not force and _marker(worker.main.name) not in target.read_text(encoding="utf-8"):
        raise UsageError(f"{target} exists and was not written by export", hint="pass --force, or another --output")
    target.write_text(text, encoding="utf-8")
    main = target.resolve().relative_to(worker.root.resolve()).as_posix()
    click.echo(f"Wrote {target}")
    click.echo(f"To deploy, set this in {worker.config_path.name}:  {_setting(worker.config_path, main)}")


def render_entry(worker: WorkerConfig) -> str | None:
    """Return the entry's source, or None for a worker that is class-style already.

    Raises:
        WorkerLoadError: the main module is no Python, or has no handler.
    """
    assert worker.main is not None
    tree = _parse(worker)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    if any(node.name == "Default" for node in classes):
        return None
    handlers = list(_handlers(tree))
    if not handlers:
        raise WorkerLoadError(
            f"{worker.main.name} has no handler: neither a class Default(WorkerEntrypoint) nor a function fetch",
            worker=worker.name,
            file=worker.main,
            hint="add `async def fetch(request, env): ...`",
        )
    module = worker.main.stem
    exported = [node.name for node in classes if _is_exported(node, worker)]
    imports = ["from workers import WorkerEntrypoint", "", f"import {module}"]
    if exported:
        imports.append(f"from {module} import {', '.join(exported)}  # noqa: F401  # found here by the platform")
    methods = "\n".join(_method(module, handler) for handler in handlers)
    return "\n".join(
        [f'"""{_marker(worker.main.name)}"""', "", *imports, "", "", "class Default(WorkerEntrypoint):", methods]
    )


def _parse(worker: WorkerConfig) -> ast.Module:
    assert worker.main is not None
    try:
        return ast.parse(worker.main.read_bytes(), str(worker.main))
    except SyntaxError as error:
        raise WorkerLoadError(
            f"SyntaxError: {error.msg}", worker=worker.name, file=worker.main, line=error.lineno, hint="mend it first"
        ) from error


def _handlers(tree: ast.Module) -> Iterator[Handler]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in _PARAMETERS:
            positional = len(node.args.posonlyargs) + len(node.args.args)
            count = _MAX_ARGUMENTS if node.args.vararg else min(positional, _MAX_ARGUMENTS)
            yield Handler(node.name, count, isinstance(node, ast.AsyncFunctionDef))


def _is_exported(node: ast.ClassDef, worker: WorkerConfig) -> bool:
    named = {binding.class_name for binding in worker.durable_objects}
    named |= {binding.class_name for binding in worker.workflows}
    bases = {base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases}
    return node.name in named or bool(bases & _EXPORTED_BASES)


def _method(module: str, handler: Handler) -> str:
    parameters = _PARAMETERS[handler.name]
    event = parameters.partition(",")[0]
    arguments = ", ".join((event, "self.env", "self.ctx")[: handler.arguments])
    call = f"{module}.{handler.name}({arguments})"
    lines = [f"    async def {handler.name}(self, {parameters}):"]
    if handler.is_async:
        lines.append(f"        return await {call}")
    else:
        lines += [f"        result = {call}", '        return await result if hasattr(result, "__await__") else result']
    return "\n".join(lines) + "\n"


def _marker(main: str) -> str:
    return f"Deploys {main} to Cloudflare; written by `pyworkers export`."


def _setting(config_path: Path, main: str) -> str:
    return f'main = "{main}"' if config_path.suffix == ".toml" else f'"main": "{main}"'
