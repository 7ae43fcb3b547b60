"""How every command looks and listens: its help, and the arguments it understands as wrangler does."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

import click

from pyworkers.cli.elsewhere import ELSEWHERE
from pyworkers.errors import UsageError

# Options that every command of one kind has come last in its help, under this title.
SHARED_TITLE: Final = "Where"
_BOOLEANS: Final = {"true": True, "false": False}


class SharedOption(click.Option):
    """An option that many commands have."""


class Command(click.Command):
    """A command.

    Args:
        examples: lines of the help, each a command without the prompt.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self._examples = examples

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; flags may be written as wrangler takes them."""
        return super().parse_args(ctx, list(_plain_flags(args, self.get_params(ctx))))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then those it shares."""
        own: list[tuple[str, str]] = []
        shared: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                (shared if isinstance(param, SharedOption) else own).append(record)
        for title, records in (("Options", own), (SHARED_TITLE, shared)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        _write_examples(formatter, self._examples)
        super().format_epilog(ctx, formatter)


class Group(click.Group):
    """A command of commands; a mistyped one is answered with the nearest.

    Args:
        examples: lines of the help, each a command without the prompt.
    """

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, examples: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self._examples = examples

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which the commands were written."""
        del ctx
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first argument names."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            raise UnknownCommand(name, self.list_commands(ctx), ctx)
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        _write_examples(formatter, self._examples)
        super().format_epilog(ctx, formatter)


class LazyGroup(Group):
    """A group whose commands are imported when they are called: start-up time is every command's.

    Args:
        sections: title → name of the command → ``module:attribute``.
    """

    def __init__(self, *args: Any, sections: Mapping[str, Mapping[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self._sections = sections
        self._targets = {name: target for section in sections.values() for name, target in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names."""
        del ctx
        return list(self._targets)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        target = self._targets.get(cmd_name)
        if target is None:
            return None
        module, _, name = target.partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, section by section."""
        width = max(map(len, self._targets))
        for title, names in self._sections.items():
            with formatter.section(title):
                rows = [(name, self.get_command(ctx, name)) for name in names]
                formatter.write_dl(
                    [(name.ljust(width), command.get_short_help_str(80)) for name, command in rows if command]
                )


def check_local(*, remote: bool) -> None:
    """Refuse ``--remote``, wrangler's flag for what is at Cloudflare.

    Raises:
        UsageError: naming the tool that has it.
    """
    if remote:
        raise UsageError('there is no --remote here: leave it out, or run the command with "npx wrangler" instead')


class UnknownCommand(click.UsageError):
    """There is no such command."""

    def __init__(self, name: str, known: Sequence[str], ctx: click.Context) -> None:
        near = difflib.get_close_matches(name, known, n=1)
        path = " ".join([*ctx.command_path.split()[1:], name])
        if path in ELSEWHERE:
            meant = f"; {ELSEWHERE[path]}"
        else:
            meant = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
        super().__init__(f'{ctx.command_path} has no command "{name}"{meant}', ctx)


def _plain_flags(args: Iterable[str], params: Iterable[click.Parameter]) -> Iterator[str]:
    """Rewrite ``--flag true``, ``--flag=false`` and ``--no-flag``, which wrangler takes, as click's flags."""
    options = [param for param in params if isinstance(param, click.Option)]
    flags = {name: option for option in options if option.is_flag for name in option.opts}
    valued = {name for option in options if not option.is_flag for name in option.opts}
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            yield from (word, *rest)
            return
        name, separator, value = word.partition("=")
        if word in valued and rest:
            yield from (word, rest.pop(0))
        elif name in flags and separator and value in _BOOLEANS:
            yield from _flag(flags[name], name, is_on=_BOOLEANS[value])
        elif word in flags and rest and rest[0] in _BOOLEANS:
            yield from _flag(flags[word], word, is_on=_BOOLEANS[rest.pop(0)])
        elif word.startswith("--no-") and (plain := f"--{word[5:]}") in flags and word not in flags:
            yield from _flag(flags[plain], plain, is_on=False)
        else:
            yield word


def _flag(option: click.Option, name: str, *, is_on: bool) -> Iterator[str]:
    if is_on:
        yield name
    elif option.secondary_opts:
        yield option.secondary_opts[0]


def _write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    if examples:
        with formatter.section("Examples"):
            for line in examples:
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
