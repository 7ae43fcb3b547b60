"""The command itself: help, mistakes in the arguments, statuses, completion."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from cli_call import CONFIG, Done, call
from dev_process import COMMAND, HANG_S, clean_environ

from pyworkers.cli import SECTIONS, cli
from pyworkers.cli.commands import Command

HELP = """Usage: pyworkers [OPTIONS] [COMMAND] [ARGS]...

  Run Cloudflare Workers written in Python on plain CPython.

  The data commands take wrangler's verbs and flags, and work while `pyworkers
  dev` runs.

Options:
  -v, --version  Show the version and exit.
  -h, --help     Show this message and exit.
"""


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner, (*path, name))


ALL = list(commands(cli))
# What wrangler has; more may come.
WRANGLERS = {
    "kv key put", "kv key get", "kv key list", "kv key delete", "kv bulk put", "kv bulk get", "kv bulk delete",
    "kv namespace list", "d1 execute", "d1 export", "d1 list", "d1 info", "d1 migrations create", "d1 migrations list",
    "d1 migrations apply", "r2 object put", "r2 object get", "r2 object delete", "r2 bucket list",
}  # fmt: skip


def test_the_help_is_grouped(tmp_path: Path) -> None:
    done = call(tmp_path, "--help")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(HELP)
    titles = [line.rstrip(":") for line in done.out.splitlines() if line[:1].isalpha() and line.endswith(":")]
    assert titles == ["Options", *SECTIONS, "Examples"]
    assert re.search(r"\n  kv +Keys and values of KV namespaces\.\n", done.out)
    assert call(tmp_path) == call(tmp_path, "-h") == done


def test_wranglers_verbs_are_there() -> None:
    assert {" ".join(path) for path, _ in ALL} >= WRANGLERS


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) or "pyworkers" for path, _ in ALL])
def test_every_command_has_a_help(path: tuple[str, ...], command: click.Command, tmp_path: Path) -> None:
    done = call(tmp_path, *path, "--help")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"Usage: {' '.join(('pyworkers', *path))} [OPTIONS]")
    assert command.help
    if not isinstance(command, click.Group):
        assert isinstance(command, Command)
        assert "\nExamples:\n  " in done.out
        assert f"pyworkers {' '.join(path)}" in done.out.partition("\nExamples:\n")[2]


def test_every_data_command_takes_the_same_options_for_where() -> None:
    names = {"--config", "--env", "--persist-to", "--cwd", "--env-file", "--local", "--remote"}
    for path, command in ALL:
        if path[:1] and path[0] in SECTIONS["Data"] and not isinstance(command, click.Group):
            assert names <= {name for param in command.params for name in param.opts}, path


@pytest.mark.parametrize(
    ("args", "err"),
    [
        (("kvv",), 'pyworkers has no command "kvv"; did you mean kv?\n'
         "  Usage: pyworkers [OPTIONS] [COMMAND] [ARGS]...\n  See: pyworkers --help\n"),
        (("kv", "key", "gte"), 'pyworkers kv key has no command "gte"; did you mean get?\n'
         "  Usage: pyworkers kv key [OPTIONS] COMMAND [ARGS]...\n  See: pyworkers kv key --help\n"),
        (("d1", "create", "x"), 'pyworkers d1 has no command "create"; nothing is made beforehand: name it in '
         "d1_databases of the wrangler file, its first use makes it\n"
         "  Usage: pyworkers d1 [OPTIONS] COMMAND [ARGS]...\n  See: pyworkers d1 --help\n"),
        (("deploy",), 'pyworkers has no command "deploy"; run "npx wrangler deploy", or Cloudflare\'s '
         '"pywrangler deploy"\n'
         "  Usage: pyworkers [OPTIONS] [COMMAND] [ARGS]...\n  See: pyworkers --help\n"),
        (("kv", "zebra"), 'pyworkers kv has no command "zebra"; there are key, namespace, bulk\n'
         "  Usage: pyworkers kv [OPTIONS] COMMAND [ARGS]...\n  See: pyworkers kv --help\n"),
        (("kv", "key", "get", "a", "--bindng", "KV"),
         "pyworkers kv key get has no option --bindng; did you mean --binding?\n"
         "  Usage: pyworkers kv key get [OPTIONS] KEY\n  See: pyworkers kv key get --help\n"),
        (("d1", "export", "DB"), "pyworkers d1 export needs --output\n"
         "  Usage: pyworkers d1 export [OPTIONS] DATABASE\n  See: pyworkers d1 export --help\n"),
        (("r2", "object", "get"), "pyworkers r2 object get needs BUCKET/KEY\n"
         "  Usage: pyworkers r2 object get [OPTIONS] BUCKET/KEY\n  See: pyworkers r2 object get --help\n"),
        (("kv", "key", "put", "a", "1", "--ttl", "soon"),
         "invalid value for '--ttl': 'soon' is not a valid integer\n"
         "  Usage: pyworkers kv key put [OPTIONS] KEY [VALUE]\n  See: pyworkers kv key put --help\n"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_arguments_says_what_was_meant(tmp_path: Path, args: tuple[str, ...], err: str) -> None:
    assert call(tmp_path, *args) == Done(2, "", f"Error: {err}")


@pytest.mark.parametrize("flag", [("--local",), ("--local", "true"), ("--local=true",), ("--no-local",), ()])
def test_flags_are_written_as_wrangler_takes_them(tmp_path: Path, flag: tuple[str, ...]) -> None:
    assert call(tmp_path, "kv", "key", "list", *flag, "--namespace-id", "x") == Done(0, "[]\n", "")


def test_a_value_that_reads_as_a_flag_stays_a_value(tmp_path: Path) -> None:
    put = ("kv", "key", "put", "--namespace-id", "x")
    assert call(tmp_path, *put, "--local", "a", "true").status == 0
    assert call(tmp_path, *put, "b", "--", "--local").status == 0
    assert call(tmp_path, "kv", "key", "get", "a", "--namespace-id", "x").out == "true"
    assert call(tmp_path, "kv", "key", "get", "b", "--namespace-id", "x").out == "--local"


def test_a_name_without_a_wrangler_file_says_where_it_is_looked_for(tmp_path: Path) -> None:
    assert call(tmp_path, "d1", "execute", "DB", "--command", "SELECT 1") == Done(
        2,
        "",
        'Error: D1 database "DB" cannot be looked up: there is no wrangler file in this folder or above it\n'
        "  run this in the worker's folder, or name its file with -c\n",
    )


def test_the_shell_completes_commands_options_and_names(tmp_path: Path) -> None:
    (tmp_path / "wrangler.toml").write_text(CONFIG)
    (tmp_path / "entry.py").touch()

    def complete(*words: str) -> list[str]:
        environ = {
            "_PYWORKERS_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
        }
        done = subprocess.run(
            [COMMAND],
            cwd=tmp_path,
            env=clean_environ(environ),
            capture_output=True,
            text=True,
            timeout=HANG_S,
            check=False,
        )
        assert done.stderr == ""
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert complete("pyworkers", "k") == ["kv"]
    assert complete("pyworkers", "d1", "migrations", "") == ["create", "list", "apply"]
    assert complete("pyworkers", "kv", "key", "put", "--exp") == ["--expiration"]
    assert complete("pyworkers", "kv", "key", "get", "--binding", "") == ["KV", "BOTH"]
    assert complete("pyworkers", "d1", "execute", "") == ["DB", "database"]
    assert complete("pyworkers", "r2", "object", "list", "b") == ["bucket"]
