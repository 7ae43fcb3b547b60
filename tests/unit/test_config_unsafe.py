"""Rate limits that are declared among the unsafe bindings, as they were before `ratelimits` was a key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyworkers.config import WorkerConfig, load_worker
from pyworkers.config.model import NoEffect
from pyworkers.config.tables import RateLimit, SimpleLimit
from pyworkers.errors import ConfigError

NOTE = NoEffect("unsafe", "what it holds is only known to Cloudflare")
SIMPLE = {"limit": 2, "period": 60}


def load(folder: Path, unsafe: object, **keys: object) -> WorkerConfig:
    (folder / "entry.py").write_text("")
    head = {"name": "app", "main": "entry.py", "compatibility_date": "2026-01-01"}
    flags = {"compatibility_flags": ["python_workers"]}
    (folder / "wrangler.json").write_text(json.dumps({**head, **flags, **keys, "unsafe": unsafe}, indent=1))
    return load_worker(folder)


def test_an_unsafe_rate_limit_is_one_like_others(tmp_path: Path) -> None:
    bindings = [
        {"name": "OLD", "type": "ratelimit", "namespace_id": "7", "simple": SIMPLE},
        {"name": "ALONE", "type": "ratelimit", "simple": SIMPLE, "dev": {"plugin": {}}},
    ]
    named = {"ratelimits": [{"name": "NEW", "namespace_id": "8", "simple": {"limit": 1, "period": 10}}]}
    config = load(tmp_path, {"bindings": bindings}, **named)
    assert config.ratelimits == (
        RateLimit(name="NEW", namespace_id="8", simple=SimpleLimit(limit=1, period=10)),
        RateLimit(name="OLD", namespace_id="7", simple=SimpleLimit(limit=2, period=60)),
        RateLimit(name="ALONE", namespace_id="ALONE", simple=SimpleLimit(limit=2, period=60)),
    )
    assert config.no_effect == ()


@pytest.mark.parametrize(
    "unsafe",
    [
        {"bindings": [{"name": "TEXT", "type": "plain_text"}]},
        {"bindings": [], "metadata": {"key": 1}},
        {"metadata": {"key": 1}},
        {"bindings": [{"name": "LIMIT", "type": "ratelimit", "simple": SIMPLE}], "metadata": {"key": 1}},
    ],
)
def test_what_else_is_unsafe_has_no_effect_and_is_spoken_of(unsafe: object, tmp_path: Path) -> None:
    assert load(tmp_path, unsafe).no_effect == (NOTE,)


@pytest.mark.parametrize(
    ("bindings", "message", "key"),
    [
        ({}, 'Expected "unsafe.bindings" to be of type array but got {}.', "unsafe.bindings"),
        ([{"type": "x"}], '"unsafe.bindings[0].name" is a required field.', "unsafe.bindings[0]"),
        ([{"name": "X"}], '"unsafe.bindings[0].type" is a required field.', "unsafe.bindings[0]"),
        (
            [{"name": "X", "type": "ratelimit"}],
            '"unsafe.bindings[0].simple" is a required field.',
            "unsafe.bindings[0]",
        ),
        (
            [{"name": "X", "type": "ratelimit", "simple": {"limit": 1, "period": 30}}],
            'Expected "unsafe.bindings[0].simple.period" field to be one of [10,60] but got 30.',
            "unsafe.bindings[0].simple.period",
        ),
    ],
)
def test_a_wrong_unsafe_binding_is_an_error(bindings: object, message: str, key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {"bindings": bindings})
    assert (caught.value.message, caught.value.key) == (message, key)
    assert caught.value.line is not None
