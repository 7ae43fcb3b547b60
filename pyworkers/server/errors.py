"""What a client gets when no response came out of a worker.

A browser gets a page, everything else text: the traceback with the worker's own frames.
"""

from __future__ import annotations

import linecache
import traceback
from html import escape
from typing import Final

from pyworkers.errors import PyworkersError, WorkerLoadError
from pyworkers.js.values import JsException
from pyworkers.runtime.failures import format_traceback, where, worker_frames

TEXT: Final = b"text/plain;charset=UTF-8"
HTML: Final = b"text/html;charset=utf-8"
TITLE: Final = "An error has occurred"
_CONTEXT_LINES: Final = 4
# Clients that take any type and whose users read text: curl as in wrangler, and Python's.
_TOOLS: Final = (b"curl/", b"wget/", b"httpie/", b"python", b"aiohttp/")
_MARKED: Final = ' class="here"'


def describe_failure(error: BaseException, *, full: bool = False) -> str:
    """Return what escaped a worker as text: a JavaScript error as the runtime prints it, a Python one's traceback.

    Args:
        full: show every frame, ours too.
    """
    if full:
        return "".join(traceback.format_exception(error))
    if isinstance(error, WorkerLoadError):
        return describe_load_error(error)
    if isinstance(error, JsException):
        frames = reversed(worker_frames(error))
        stack = "".join(f"\n    at {frame.name} ({frame.filename}:{frame.lineno})" for frame in frames)
        # The runtime reports a PythonError by its message, which is a traceback already.
        head = error.message.rstrip() if error.name == "PythonError" else _title(error)
        return f"{head}{stack}"
    if isinstance(error, PyworkersError):
        return f"{type(error).__name__}: {error.message}\n" + (f"{error.next_step}\n" if error.hint else "")
    return format_traceback(error)


def describe_load_error(error: WorkerLoadError) -> str:
    """Return why a worker's code is not loaded: message, file and line, the line's text, what to do."""
    place = f'  File "{error.file}", line {error.line}\n' if error.file and error.line else ""
    if place and error.file is not None and error.line is not None:
        place += _source_line(str(error.file), error.line)
    hint = f"{error.next_step}\n" if error.hint else ""
    return f"{error.worker} could not be loaded\n{place}{error.message}\n{hint}"


def error_body(error: BaseException, accept: bytes, *, agent: bytes = b"", full: bool = False) -> tuple[bytes, bytes]:
    """Return content type and body of the answer to a request that failed.

    Args:
        accept: the request's Accept header.
        agent: its User-Agent.

    Source: miniflare, src/plugins/core/errors: what takes any type gets the page, too, command line tools apart
    """
    text = describe_failure(error, full=full)
    takes_page = any(kind in accept.lower() for kind in (b"text/html", b"text/*", b"*/*"))
    if not takes_page or (b"text/html" not in accept and any(tool in agent.lower() for tool in _TOOLS)):
        return TEXT, text.encode(errors="replace")
    head, detail = _split(error, text)
    page = _PAGE.format(title=TITLE, head=escape(head), detail=escape(detail), source=_source_section(error))
    return HTML, page.encode(errors="replace")


def _title(error: JsException) -> str:
    return f"{error.name}: {error.message}" if error.message else error.name


def _split(error: BaseException, text: str) -> tuple[str, str]:
    if isinstance(error, WorkerLoadError):
        return f"{error.worker} could not be loaded", text
    if isinstance(error, JsException):
        return text.split("\n", 1)[0], text
    return text.rstrip().rsplit("\n", 1)[-1], text


def _source_section(error: BaseException) -> str:
    """Return the lines around the place that an error points at, as HTML; empty where the source is not there."""
    place = (error.file, error.line) if isinstance(error, WorkerLoadError) else where(error)
    file, line = place or (None, None)
    if file is None or line is None:
        return ""
    linecache.checkcache(str(file))
    numbered = list(enumerate(linecache.getlines(str(file)), 1))[
        max(0, line - 1 - _CONTEXT_LINES) : line + _CONTEXT_LINES
    ]
    if not numbered:
        return ""
    rows = "\n".join(
        f'<li value="{number}"{_MARKED if number == line else ""}>{escape(text.rstrip())}</li>'
        for number, text in numbered
    )
    return f"<h2>{escape(str(file))}, line {line}</h2>\n<ol>\n{rows}\n</ol>\n"


def _source_line(file: str, line: int) -> str:
    linecache.checkcache(file)
    text = linecache.getline(file, line).strip()
    return f"    {text}\n" if text else ""


_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --accent: #c62828; --panel: #f5f5f4; --line: #d6d3d1; }}
@media (prefers-color-scheme: dark) {{ :root {{ --accent: #ff8a80; --panel: #1f1f1f; --line: #444; }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 3rem auto; padding: 0 1.25rem; }}
p {{ margin: 0; color: GrayText; }}
h1 {{ font-size: 1.25rem; color: var(--accent); overflow-wrap: anywhere; margin: .25rem 0 1.25rem; }}
h2 {{ font-size: .875rem; font-weight: 500; color: GrayText; overflow-wrap: anywhere; margin: 1.5rem 0 .5rem; }}
pre, ol {{ font: 13px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: var(--panel);
          border: 1px solid var(--line); border-radius: 6px; padding: 1rem; margin: 0; overflow-x: auto; tab-size: 4; }}
ol {{ padding-inline-start: 4rem; }}
li {{ white-space: pre; padding-inline-start: .5rem; }}
li::marker {{ color: GrayText; font-variant-numeric: tabular-nums; }}
li.here {{ color: var(--accent); font-weight: 600; }}
li.here::marker {{ color: var(--accent); }}
footer {{ font-size: .875rem; color: GrayText; margin-top: 1.5rem; }}
footer p + p {{ margin-top: .25rem; }}
code {{ font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }}
@media (max-width: 40rem) {{ body {{ margin: 1.5rem auto; }} pre, ol {{ padding: .75rem; font-size: 12px; }} }}
@media print {{ body {{ margin: 0; max-width: none; }} pre, ol {{ overflow: visible; white-space: pre-wrap; }} }}
</style>
</head>
<body>
<p>{title}</p>
<h1>{head}</h1>
<pre>{detail}</pre>
{source}<footer>
<p>Save the file to load the worker again; this page does not reload by itself.</p>
<p>Clients whose <code>Accept</code> does not take HTML, and command line tools, get the text above.</p>
</footer>
</body>
</html>
"""
