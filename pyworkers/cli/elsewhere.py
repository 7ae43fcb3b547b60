"""Commands of wrangler that are not here, and what to do instead.

Source: wrangler 4.164 `wrangler --help`, checked 2026-11-23
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_FIRST_USE: Final = "nothing is made beforehand: name it in {key} of the wrangler file, its first use makes it"
_DATA: Final = "end `pyworkers dev` and delete it in {folder} of the data's folder"
_ACCOUNT: Final = 'it works on your Cloudflare account: run it with "npx wrangler"'

# Command, as it is written after ``pyworkers``, without arguments → what to do instead.
ELSEWHERE: Final[Mapping[str, str]] = {
    "d1 create": _FIRST_USE.format(key="d1_databases"),
    "d1 delete": _DATA.format(folder="d1/"),
    "d1 time-travel": _ACCOUNT,
    "d1 insights": _ACCOUNT,
    "kv namespace create": _FIRST_USE.format(key="kv_namespaces"),
    "kv namespace delete": _DATA.format(folder="kv/"),
    "r2 bucket create": _FIRST_USE.format(key="r2_buckets"),
    "r2 bucket delete": _DATA.format(folder="r2/"),
    "queues create": _FIRST_USE.format(key="queues"),
    "queues delete": _DATA.format(folder="queues/"),
    "secret": "write the secret to .dev.vars beside the wrangler file, as NAME=value",
    "init": "write wrangler.toml and src/entry.py, as in the README's first example",
    "deploy": 'run "npx wrangler deploy", or Cloudflare\'s "pywrangler deploy"',
    "publish": 'run "npx wrangler deploy", or Cloudflare\'s "pywrangler deploy"',
    **dict.fromkeys(("delete", "deployments", "dispatch-namespace", "hyperdrive", "login", "logout"), _ACCOUNT),
    **dict.fromkeys(("mtls-certificate", "pages", "pipelines", "rollback", "secrets-store", "triggers"), _ACCOUNT),
    **dict.fromkeys(("types", "vectorize", "versions", "whoami"), _ACCOUNT),
}
