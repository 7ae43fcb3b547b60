"""``wrangler.toml``, ``wrangler.jsonc`` and ``.dev.vars``."""

from __future__ import annotations

import atexit
import json
import math
import shutil
import tempfile
import tomllib
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from fuzz_source import Source

from pyworkers.config.envfiles import expand_env, parse_env
from pyworkers.config.jsonc import JsoncError, parse_jsonc
from pyworkers.config.load import load_worker
from pyworkers.config.toml_lines import toml_lines
from pyworkers.errors import ConfigError

_TOML: Final = (
    *(
        b'name = "w"\n',
        b'main = "e.py"\n',
        b"[vars]\n",
        b"[[kv_namespaces]]\n",
        b'binding = "B"\n',
        b"\n",
        b"[env.x]\n",
    ),
    *(b"compatibility_date = ", b'"2026-01-01"\n', b"compatibility_flags = [", b"]", b'"python_workers"', b"routes = "),
    *(
        b"[triggers]\ncrons = [",
        b'"* * * * *"',
        b"[[d1_databases]]\n",
        b"[durable_objects]\n",
        b"bindings = [{",
        b"}",
        b"{",
    ),
    *(
        b'id = "i"\n',
        b"=",
        b'"',
        b"'",
        b"'''",
        b'"""',
        b"#",
        b",",
        b"1",
        b"-1",
        b"1.5",
        b"true",
        b"2026-01-01",
        b"nan",
        b"inf",
    ),
    *(
        b"[assets]\ndirectory = ",
        b'"."',
        b"[limits]\ncpu_ms = ",
        b"[[migrations]]\n",
        b'tag = "v1"\n',
        b"new_classes = [",
    ),
    *(
        b"[queues]\n",
        b"[[queues.consumers]]\n",
        b"queue = ",
        b"max_batch_size = ",
        b"[[workflows]]\n",
        b"[site]\n",
        b".",
    ),
    *(
        b"[env.x.vars]\n",
        b"[[services]]\n",
        b"service = ",
        b"[ai]\n",
        b"[observability]\nenabled = ",
        b"\\u0041",
        b"\xc3\xa9",
    ),
)
_JSON: Final = (
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b'"name"',
        b'"vars"',
        b'"x"',
        b"1",
        b"-0",
        b"1.5e3",
        b"true",
        b"null",
        b"//c\n",
    ),
    *(
        b"/* */",
        b" ",
        b"\n",
        b'"\\u0041"',
        b'"\\ud800"',
        b'"a',
        b'"',
        b"\\",
        b"1e999",
        b'"env"',
        b'"triggers"',
        b'"crons"',
    ),
    *(b'{"name":"w","main":"e.py"', b'"kv_namespaces":[', b'{"binding":"B"}'),
)
_ENV: Final = (
    *(
        b"A=",
        b"B=",
        b"$A",
        b"${A}",
        b"${B:-x}",
        b"\n",
        b'"',
        b"'",
        b"`",
        b"#",
        b"export ",
        b"\\n",
        b"\\",
        b" ",
        b"=",
        b"$",
        b"{",
        b"}",
    ),
)


def fuzz(source: Source) -> None:
    """A file is read, or its error is the one that names the place; lines are known of what was read."""
    part = source.number(4)
    if part == 0:
        _jsonc(source.mixture(_JSON).decode("utf-8", "replace"))
    elif part == 1:
        values = parse_env(source.mixture(_ENV).decode("utf-8", "replace"))
        with suppress(ConfigError):  # they refer to themselves
            assert expand_env(values, {}).keys() == values.keys()
    else:
        is_toml = part == 2
        _load(source.mixture(_TOML if is_toml else _JSON), "wrangler.toml" if is_toml else "wrangler.jsonc")


def _jsonc(text: str) -> None:
    found = _read_jsonc(text)
    if isinstance(found, JsoncError):
        assert 1 <= found.line <= text.count("\n") + 1
        assert _strict(text) is None, text
        return
    value, lines = found
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())
    strict = _strict(text)
    assert strict is None or _plain(strict[0]) == _plain(value), (strict, value)


def _read_jsonc(text: str) -> Any:
    try:
        return parse_jsonc(text)
    except JsoncError as error:
        return error


def _strict(text: str) -> tuple[Any] | None:
    try:
        return (json.loads(text, parse_constant=_refuse),)
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> None:
    raise ValueError(name)


def _plain(value: Any) -> Any:
    return json.dumps(value, sort_keys=True) if not isinstance(value, float) or math.isfinite(value) else str(value)


def _load(data: bytes, name: str) -> None:
    path = _folder() / name
    path.write_bytes(data)
    if path.suffix == ".toml":
        try:
            text = data.decode("utf-8-sig")
            tomllib.loads(text)
        except (ValueError, RecursionError):
            pass
        else:
            assert all(line >= 1 for line in toml_lines(text).values())
    error: ConfigError | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            load_worker(path)
        except ConfigError as found:
            error = found
    assert error is None or (str(error) and (error.line is None or error.line >= 1)), error


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-config-"))
    atexit.register(shutil.rmtree, folder)
    (folder / "e.py").write_text("def fetch(): ...\n")
    return folder
