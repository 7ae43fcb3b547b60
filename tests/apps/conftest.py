"""The application's packages, importable for the tests of their pure parts; each worker's has a name of its own."""

import sys
from pathlib import Path

WORKERS = Path(__file__).parents[2] / "workers"
sys.path += [str(WORKERS / "api"), str(WORKERS / "streaming")]
