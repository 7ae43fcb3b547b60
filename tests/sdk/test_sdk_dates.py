"""What a compatibility date and its flags change for Python code."""

import pytest
from dated import Dated

from workers import Response

ENTRY = "dated/entry.py"


def on(*rows):
    cases = [pytest.param(Dated(ENTRY, *row[:2]), row[2], id=" ".join([row[0], *row[1]])) for row in rows]
    return pytest.mark.parametrize(("worker_config", "expected"), cases, indirect=["worker_config"])


@on(
    ("2025-09-28", (), "0.26.0a2"),
    ("2025-09-29", (), "0.28.2"),
    ("2025-09-28", ("python_workers_20250116",), "0.28.2"),
    ("2025-10-01", ("no_python_workers_20250116",), "0.26.0a2"),
    ("2026-09-07", (), "0.28.2"),
    ("2026-09-08", (), "314.0.6"),
    ("2026-08-01", ("python_workers_314",), "314.0.6"),
)
async def test_pyodides_version(worker, expected):
    assert await worker.version() == expected


@on(
    ("2025-11-02", (), ["LiteralMap", 1, "LiteralMap", {"a": {"b": 1}, "c": [{"d": 2}]}, 2]),
    ("2026-09-08", (), ["Object", 1, "Object", {"a": {"b": 1}, "c": [{"d": 2}]}, None]),
)
async def test_to_js_of_a_dict(worker, expected):
    assert await worker.literal() == expected


HEADERS = [("x-a", "1, 2"), ("x-b", "3"), ("x-b", "4"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]


@on(
    ("2026-02-16", (), ["a=1", "b=2"]),
    ("2026-02-17", (), ["a=1", "b=2"]),
    ("2026-02-16", ("python_request_headers_preserve_commas",), ["a=1", "b=2"]),
    ("2026-09-08", ("disable_python_request_headers_preserve_commas",), ["a=1", "b=2"]),
)
async def test_repeated_set_cookie_headers(worker, expected):
    response = Response(None, headers=HEADERS)
    assert response.headers.get_all("set-cookie") == expected
    assert response.headers.get_all("x-b") == ["3, 4"]
    assert await (await worker.fetch("/", headers=HEADERS)).text() == "x-a: 1, 2\nx-b: 3, 4"


@on(
    ("2025-08-13", (), {"python_no_global_handlers": False, "python_workflows": False}),
    (
        "2026-09-10",
        (),
        {
            "python_no_global_handlers": True,
            "python_workflows": True,
            "python_workflows_implicit_dependencies": True,
            "python_request_headers_preserve_commas": True,
            "enable_python_external_sdk": True,
            "python_process_pth_files": True,
            "python_workers_force_new_vendor_path": True,
            "python_dedicated_snapshot": True,
            "python_check_rng_state": True,
            "a_flag_of_tomorrow": False,
        },
    ),
    ("2026-02-24", (), {"python_workflows_implicit_dependencies": False}),
    ("2026-04-20", (), {"enable_python_external_sdk": False}),
)
async def test_flags_as_python_reads_them(worker, expected):
    assert {name: await worker.flag(name) for name in expected} == expected


def test_flags_outside_of_any_worker_are_the_newest():
    import _cloudflare_compat_flags

    assert _cloudflare_compat_flags.python_no_global_handlers is True
    assert not hasattr(_cloudflare_compat_flags, "__wrapped__")
