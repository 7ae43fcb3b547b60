"""Makes the application ready to be tried on this machine: migrations, secrets, a demo tenant. Running it again changes
nothing.

The demo key is known to everybody, so it is stored in local databases only: `pyworkers d1` never leaves this machine.
"""

from __future__ import annotations

import argparse
import secrets
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATABASE = "inference-ui-db"
DEMO_KEY = "sk_test_LocalDemoKeyNotForProductionUse0"
DEMO_EMAIL, DEMO_PASSWORD = "demo@example.com", "demo password"
# The API worker's migrations come first: the others' tables stand beside its own, and their indexes on its.
CONFIGS = ("wrangler.toml", *(f"workers/{name}/wrangler.toml" for name in ("streaming", "analytics", "events")))
SEED = ROOT / "workers/api/seed.sql"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persist-to", metavar="DIR", help="the data [.pyworkers/state]")
    parser.add_argument("--env-file", metavar="FILE", type=Path, default=ROOT / ".dev.vars", help="the secrets")
    given = parser.parse_args()
    place = [] if given.persist_to is None else ["--persist-to", given.persist_to]
    write_secrets(given.env_file)
    for config in CONFIGS:
        if (ROOT / config).exists():
            _pyworkers("d1", "migrations", "apply", DATABASE, "--yes", "-c", config, *place)
    _pyworkers("d1", "execute", DATABASE, "--file", str(SEED), "--yes", "-c", CONFIGS[0], *place)
    print(f"The demo tenant's key is {DEMO_KEY}; it signs in as {DEMO_EMAIL} with the password {DEMO_PASSWORD!r}.")


def write_secrets(file: Path) -> None:
    """Write what `pyworkers dev` adds to the variables, unless the file is there."""
    if file.exists():
        return
    lines = {
        "ENVIRONMENT": "development",
        "JWT_SECRET": secrets.token_urlsafe(48),
        # Tools and tests on this machine share one address.
        "ANONYMOUS_LIMIT_FACTOR": "1000",
    }
    file.write_text("".join(f'{name}="{value}"\n' for name, value in lines.items()), encoding="utf-8")
    file.chmod(0o600)


def _pyworkers(*arguments: str) -> None:
    command = [sys.executable, "-m", "pyworkers", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(f"pyworkers {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
