"""Runs the fuzz targets, one process each, and says what came of it.

    python tests/fuzz                        # every target, two minutes each
    python tests/fuzz --seconds 600 html s3  # some of them, longer
    python tests/fuzz html CRASH             # one input again, with its traceback

Inputs that reached new code are kept in `.pyworkers/fuzz/TARGET` and are where the next run begins; an input that
broke something is `.pyworkers/fuzz/TARGET-crash-…`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
KEPT: Final = HERE.parents[1] / ".pyworkers" / "fuzz"
TARGETS: Final = tuple(sorted(file.stem.removeprefix("target_") for file in HERE.glob("target_*.py")))
_DONE: Final = re.compile(r"Done (\d+) runs in (\d+) second")
_COVERED: Final = re.compile(r"cov: (\d+)")
_FAILURE: Final = re.compile(r"Test unit written to (\S+)")
_MAX_BYTES: Final = 512
_SLOWEST_S: Final = 60  # a busy machine is no failure


def main(args: list[str]) -> int:
    """Run what is asked for; 1 where a target found something."""
    if args[:1] == ["--child"]:
        _fuzz(args[1], args[2:])
        return 0
    parser = argparse.ArgumentParser(prog="python tests/fuzz")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args(args)
    if len(options.names) == 2 and Path(options.names[1]).is_file():
        return _child(options.names[0], [options.names[1]]).returncode
    unknown = set(options.names) - set(TARGETS)
    if unknown:
        parser.error(f"no target {min(unknown)!r}; there are {', '.join(TARGETS)}")
    return max([_report(name, options.seconds) for name in options.names or TARGETS])


def _report(name: str, seconds: int) -> int:
    corpus = KEPT / name
    corpus.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", f"-max_len={_MAX_BYTES}", f"-timeout={_SLOWEST_S}"]
    done = _child(name, [str(corpus), *limits, f"-artifact_prefix={KEPT}/{name}-"], stderr=subprocess.PIPE)
    runs, covered, failure = _DONE.search(done.stderr), _COVERED.findall(done.stderr), _FAILURE.search(done.stderr)
    if done.returncode == 0 and runs is not None:
        print(f"{name}: {int(runs[1]):,} inputs in {runs[2]} s, {covered[-1]} edges, nothing found", flush=True)
        return 0
    print(done.stderr[-6000:])
    print(f"{name}: FOUND {failure[1] if failure else f'exit status {done.returncode}'}", flush=True)
    return 1


def _child(name: str, args: list[str], *, stderr: int | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE), "--child", name, *args]
    return subprocess.run(command, stderr=stderr, stdout=stderr and subprocess.DEVNULL, text=True, check=False)


def _fuzz(name: str, args: list[str]) -> None:
    import atheris  # of the extra `fuzz`

    with atheris.instrument_imports(include=["pyworkers"]):
        target = import_module(f"target_{name}")
    source = import_module("fuzz_source").Source
    atheris.Setup([name, *args], lambda data: target.fuzz(source(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
