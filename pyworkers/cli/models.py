"""`pyworkers models`: get a model, list those that are here, say where they are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from pyworkers.cli.commands import Group
from pyworkers.engines.ai.download import Progress
from pyworkers.engines.ai.models import CATALOGUE, DEFAULT_MODEL, ModelStore, is_url
from pyworkers.errors import UsageError

__all__ = ["models"]


@click.group(cls=Group)
def models() -> None:
    """Get and list the language models that answer for `env.AI`."""


@models.command(examples=("pyworkers models pull", "pyworkers models pull smollm2"))
@click.argument("name", default=DEFAULT_MODEL)
def pull(name: str) -> None:
    """Download a model: a NAME of `pyworkers models list`, or the URL of a GGUF file."""
    store = ModelStore()
    path = store.path(name)
    if path.is_file():
        click.echo(f"{name} is here: {path}")
        return
    if name in CATALOGUE:
        click.echo(f"Downloading {CATALOGUE[name].title} ({CATALOGUE[name].license})")
    elif is_url(name):
        click.echo(f"Downloading {name}")
    with _shown_progress() as progress:
        path = store.pull(name, progress)
    click.echo(f"{name} is ready: {path}")


@models.command("list", examples=("pyworkers models list",))
def list_() -> None:
    """List the models that can be pulled, and whether they are here."""
    store = ModelStore()
    for name, model in CATALOGUE.items():
        state = "here" if store.has(name) else f"not here: pyworkers models pull {name}"
        click.echo(f"{name:10} {model.title:28} {model.size_bytes / 1e6:6.0f} MB  {model.license:12} {state}")
    known = {model.filename for model in CATALOGUE.values()}
    for path in sorted(store.folder.glob("*.gguf")):
        if path.name not in known:
            click.echo(f"{'':10} {path.name:28} {path.stat().st_size / 1e6:6.0f} MB  {'':12} here")


@models.command(examples=("llama-server -m $(pyworkers models path smollm2)",))
@click.argument("name", default=DEFAULT_MODEL)
def path(name: str) -> None:
    """Print where a model's file is, for scripts; fails when it is not here."""
    store = ModelStore()
    if not store.has(name):
        raise UsageError(f"the model {name} is not here", hint=f"run `pyworkers models pull {name}`")
    click.echo(store.path(name))


@contextmanager
def _shown_progress() -> Iterator[Progress]:
    """Draw a bar on a terminal; elsewhere, such as in CI, print a line for every tenth."""
    if sys.stdout.isatty():
        with click.progressbar(length=1, label="  ", width=40) as bar:

            def draw(done: int, total: int | None) -> None:
                bar.length = total or max(done, 1)
                bar.update(done - bar.pos)

            yield draw
        return
    printed = -1

    def print_line(done: int, total: int | None) -> None:
        nonlocal printed
        tenth = done * 10 // total if total else -1
        if tenth > printed:
            printed = tenth
            click.echo(f"  {tenth * 10:3} %  {done / 1e6:6.1f} MB")

    yield print_line
