"""Compatibility dates and flags, as workerd resolves them."""

from __future__ import annotations

import re

import pytest

from pyworkers.clock import ManualClock
from pyworkers.config.compat import CompatProblem, check_compat, flag_names, known_flags, resolve_compat

TODAY = ManualClock(1_795_392_000.0)  # 2026-11-23T00:00:00Z

PYTHON_DEFAULTS = [
    ("python_workers_force_new_vendor_path", "2025-08-11"),
    ("python_no_global_handlers", "2025-08-14"),
    ("python_workflows", "2025-09-20"),
    ("python_workers_20250116", "2025-09-29"),
    ("python_dedicated_snapshot", "2025-10-16"),
    ("python_check_rng_state", "2025-12-16"),
    ("python_request_headers_preserve_commas", "2026-02-17"),
    ("python_workflows_implicit_dependencies", "2026-02-25"),
    ("enable_python_external_sdk", "2026-04-21"),
    ("python_process_pth_files", "2026-05-26"),
    ("python_workers_314", "2026-09-08"),
]


def day_before(date: str) -> str:
    year, month, day = date.split("-")
    return f"{year}-{month}-{int(day) - 1:02}"


@pytest.mark.parametrize(("flag", "date"), PYTHON_DEFAULTS)
def test_python_flag_is_the_default_from_its_date(flag: str, date: str) -> None:
    assert resolve_compat(date, ("python_workers",)).enabled(flag)
    assert not resolve_compat(day_before(date), ("python_workers",)).enabled(flag)


@pytest.mark.parametrize(
    "flag",
    [
        "disable_python_no_global_handlers",
        "disable_python_workflows",
        "no_python_workers_20250116",
        "disable_python_dedicated_snapshot",
        "disable_python_check_rng_state",
        "disable_python_request_headers_preserve_commas",
        "no_python_workflows_implicit_dependencies",
        "disable_python_external_sdk",
        "disable_python_process_pth_files",
        "no_python_workers_314",
    ],
)
def test_disable_flag_wins_over_the_date(flag: str) -> None:
    compat = resolve_compat("2026-11-01", ("python_workers", flag))
    known, enables = flag_names()[flag]
    assert not enables
    assert compat.enabled(flag)
    assert not compat.enabled(known.enable)


@pytest.mark.parametrize(
    ("date", "flags", "pyodide", "python"),
    [
        ("2024-01-01", ("python_workers",), "0.26.0a2", "3.12"),
        ("2024-01-01", ("python_workers", "python_workers_20250116"), "0.28.2", "3.13"),
        ("2025-09-28", ("python_workers",), "0.26.0a2", "3.12"),
        ("2025-09-29", ("python_workers",), "0.28.2", "3.13"),
        ("2026-01-01", ("python_workers", "no_python_workers_20250116"), "0.26.0a2", "3.12"),
        ("2026-01-01", ("python_workers", "python_workers_20260610"), "314.0.4", "3.14"),
        ("2026-09-08", ("python_workers",), "314.0.6", "3.14"),
        ("2026-09-08", ("python_workers", "no_python_workers_314"), "0.28.2", "3.13"),
    ],
)
def test_python_release_follows_date_and_flags(date: str, flags: tuple[str, ...], pyodide: str, python: str) -> None:
    compat = resolve_compat(date, flags)
    assert (compat.pyodide_version, compat.python_version) == (pyodide, python)


def test_python_flags_that_python_implies_stay_off_without_it() -> None:
    assert not resolve_compat("2026-11-01").enabled("python_workers_20250116")


def test_implied_flags_imply_others() -> None:
    assert resolve_compat("2025-10-16", ("python_workers",)).enabled("python_dedicated_snapshot")
    off = ("python_workers", "no_python_workers_20250116")
    assert not resolve_compat("2025-10-16", off).enabled("python_dedicated_snapshot")
    assert resolve_compat("2025-09-01", ("nodejs_compat",)).enabled("enable_nodejs_http_server_modules")


@pytest.mark.parametrize(
    ("flag", "date"),
    [
        ("formdata_parser_supports_files", "2021-11-03"),
        ("url_standard", "2022-10-31"),
        ("global_navigator", "2022-03-21"),
        ("queues_json_messages", "2024-03-18"),
        ("fetcher_no_get_put_delete", "2024-03-26"),
        ("delete_all_deletes_alarm", "2026-02-24"),
        ("websocket_standard_binary_type", "2026-03-17"),
        ("web_socket_auto_reply_to_close", "2026-04-07"),
        ("enhanced_error_serialization", "2026-04-21"),
    ],
)
def test_flag_that_javascript_sees_is_the_default_from_its_date(flag: str, date: str) -> None:
    assert resolve_compat(date).enabled(flag)
    assert not resolve_compat(day_before(date)).enabled(flag)
    assert resolve_compat("2021-01-01", (flag,)).enabled(flag)


def test_flag_table_is_well_formed() -> None:
    date = re.compile(r"20\d\d-[01]\d-[0-3]\d")
    names = [name for flag in known_flags() for name in (flag.enable, flag.disable) if name is not None]
    assert len(names) == len(set(names))
    for flag in known_flags():
        assert flag.default_from in (None, "always") or date.fullmatch(flag.default_from)
        assert flag.implied_from is None or date.fullmatch(flag.implied_from)
        assert set(flag.implied_by) <= set(names)


def test_asking_for_a_flag_that_does_not_exist_is_a_mistake_in_the_code() -> None:
    with pytest.raises(KeyError, match="python_wrokers"):
        resolve_compat("2026-01-01").enabled("python_wrokers")


@pytest.mark.parametrize(
    ("date", "flags", "expected"),
    [
        ("2026-11-23", [], []),
        ("2026-02-31", ["python_workers"], []),
        ("2026-01-01", ["disable_python_process_pth_files", "no_python_workers_20250116"], []),
        ("2026-01-01x", [], [CompatProblem("date", None, "Invalid compatibility date: 2026-01-01x")]),
        ("1999-01-01", [], [CompatProblem("date", None, "Invalid compatibility date: 1999-01-01")]),
        ("2026-13-01", [], [CompatProblem("date", None, "Invalid compatibility date: 2026-13-01")]),
        (
            "2026-11-24",
            [],
            [
                CompatProblem(
                    "date",
                    None,
                    'Can\'t set compatibility date in the future: "2026-11-24". Today\'s date (UTC) is "2026-11-23".',
                )
            ],
        ),
        (
            "2026-01-01",
            ["python_worker"],
            [
                CompatProblem(
                    "unknown",
                    "python_worker",
                    "No such compatibility flag: python_worker",
                    "python_workers",
                )
            ],
        ),
        (
            "2026-01-01",
            ["nodejs_compat", "nodejs_compat"],
            [
                CompatProblem(
                    "repeated",
                    "nodejs_compat",
                    "Compatibility flag specified multiple times: nodejs_compat",
                )
            ],
        ),
        (
            "2026-01-01",
            ["nodejs_compat", "no_nodejs_compat"],
            [
                CompatProblem(
                    "contradiction",
                    "nodejs_compat",
                    "Compatibility flags are mutually contradictory: nodejs_compat vs no_nodejs_compat",
                )
            ],
        ),
        (
            "2026-01-01",
            ["url_standard", "r2_public_beta_bindings"],
            [
                CompatProblem(
                    "redundant",
                    "url_standard",
                    "The compatibility flag url_standard became the default as of 2022-10-31 "
                    "so does not need to be specified anymore.",
                ),
                CompatProblem(
                    "redundant",
                    "r2_public_beta_bindings",
                    "The compatibility flag r2_public_beta_bindings is the default, "
                    "so does not need to be specified anymore.",
                ),
            ],
        ),
    ],
)
def test_runtime_says_what_is_wrong(date: str, flags: list[str], expected: list[CompatProblem]) -> None:
    assert check_compat(date, flags, clock=TODAY) == expected
