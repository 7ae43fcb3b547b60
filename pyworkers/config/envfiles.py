"""Values that are not committed: ``.dev.vars`` and ``.env`` files, read as wrangler reads them.

`.dev.vars.<environment>`, else `.dev.vars`, is read alone; where neither exists, the `.env` files are read together,
each winning over the one before it: `.env`, `.env.local`, `.env.<environment>`, `.env.<environment>.local`.

Source: wrangler 4.164.0, src/dev/dev-vars.ts and src/config/dot-env.ts, with dotenv 16 and dotenv-expand 12
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyworkers.config.model import Secret
from pyworkers.errors import ConfigError

_ENTRY = re.compile(
    r"^\s*(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)"
    r"(\s*'(?:\\'|[^'])*'|\s*\"(?:\\\"|[^\"])*\"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?\s*(?:\#.*)?$",
    re.MULTILINE | re.ASCII,
)
_QUOTED = re.compile(r"^(['\"`])([\s\S]*)\1$", re.MULTILINE)
_REFERENCE = re.compile(r"(?<!\\)\$\{([^{}]+)\}|(?<!\\)\$([A-Za-z_][A-Za-z0-9_]*)")
_MAX_REFERENCES = 200
_OPERATOR = re.compile(r":\+|\+|:-|-")


def load_secrets(
    folder: Path,
    environment: str | None,
    *,
    declared: bool,
    env_files: Sequence[Path] = (),
    environ: Mapping[str, str],
) -> dict[str, Secret]:
    """Return the local values of a worker by name, with the file each came from.

    Args:
        folder: where the configuration file is.
        declared: the configuration has a ``secrets`` table: the process environment counts, too.
        env_files: read those of these that exist, relative to ``folder``, and neither ``.dev.vars`` nor ``.env``.
        environ: the process environment.

    Raises:
        ConfigError: a file cannot be read.
    """
    dev_vars = None if env_files else _find_dev_vars(folder, environment)
    if dev_vars is not None:
        return {name: Secret(value, dev_vars) for name, value in parse_env(_read(dev_vars)).items()}
    if environ.get("CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV", "").lower() == "false":
        return {}
    include = declared or environ.get("CLOUDFLARE_INCLUDE_PROCESS_ENV", "").lower() == "true"
    files = [folder / file for file in env_files] or _default_files(folder, environment)
    return _merge([file for file in files if file.is_file()], environ if include else {})


def parse_env(text: str) -> dict[str, str]:
    """Return the assignments of a dotenv text: quotes, escapes, comments and ``export`` as in dotenv.

    A value in quotes may span lines; ``\\n`` and ``\\r`` are escapes in double quotes only; a line that is no
    assignment is skipped; of a repeated name the last value counts.
    """
    values = {}
    for match in _ENTRY.finditer(re.sub(r"\r\n?", "\n", text)):
        raw = (match[2] or "").strip()
        value = _QUOTED.sub(r"\2", raw)
        if raw.startswith('"'):
            value = value.replace("\\n", "\n").replace("\\r", "\r")
        values[match[1]] = value
    return values


def expand_env(values: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return ``values`` with ``$NAME``, ``${NAME}``, ``${NAME:-default}`` and ``${NAME:+other}`` put in.

    A name that ``environ`` holds keeps that value; ``\\$`` is a plain dollar sign.

    Raises:
        ConfigError: what is put in refers to itself, and there is no end of it.
    """
    expanded: dict[str, str] = {}
    for name, value in values.items():
        known = {**expanded, **environ}
        text = environ.get(name) or _expand(value, known, expanded.get(name))
        if text is None:
            raise ConfigError(
                f"The value of {name} has no end: what it refers to refers to itself.",
                key=name,
                hint="Remove the escaped dollar sign (\\$) from the values it refers to, or the reference to them.",
            )
        expanded[name] = text.replace("\\$", "$")
    return expanded


def _find_dev_vars(folder: Path, environment: str | None) -> Path | None:
    names = [f".dev.vars.{environment}", ".dev.vars"] if environment else [".dev.vars"]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _default_files(folder: Path, environment: str | None) -> list[Path]:
    names = [".env", ".env.local"]
    names += [f".env.{environment}", f".env.{environment}.local"] if environment else []
    return [folder / name for name in names]


def _merge(files: Sequence[Path], environ: Mapping[str, str]) -> dict[str, Secret]:
    parsed: dict[str, str] = {}
    origin: dict[str, Path] = {}
    for file in files:
        found = parse_env(_read(file))
        parsed.update(found)
        origin.update(dict.fromkeys(found, file))
    merged = {name: Secret(value, None) for name, value in environ.items()}
    try:
        expanded = expand_env(parsed, environ)
    except ConfigError as error:
        error.file = origin.get(error.key or "")
        raise
    for name, value in expanded.items():
        merged[name] = Secret(value, None if environ.get(name) else origin[name])
    return merged


def _expand(value: str, known: Mapping[str, str], current: str | None) -> str | None:
    """Return a value with everything put in, or None where that has no end."""
    result = value
    seen: set[str] = set()
    while (match := _REFERENCE.search(result)) is not None:
        if len(seen) == _MAX_REFERENCES:
            return None
        seen.add(result)
        replacement = _resolve(match[1] or match[2], known, seen)
        # The first occurrence of the text, wherever the match was: so does dotenv-expand.
        result = result.replace(match.group(), replacement, 1)
        if result == current or result in seen:
            break
    return result


def _resolve(expression: str, known: Mapping[str, str], seen: set[str]) -> str:
    operator = _OPERATOR.search(expression)
    if operator is None:
        name, other = expression, ""
    else:
        name, other = expression[: operator.start()], expression[operator.end() :]
    value = known.get(name, "")
    if operator is not None and operator.group().endswith("+"):
        return other if value else ""
    return other if not value or value in seen else value


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path.name} is not UTF-8 on line {line}.", file=path, line=line, hint="Save the file as UTF-8."
        ) from None
    except OSError as error:
        raise ConfigError(
            f"Could not read file: {path}: {error.strerror}.", file=path, hint="Check its permissions."
        ) from error
