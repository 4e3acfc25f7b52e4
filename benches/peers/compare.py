#!/usr/bin/env python3
"""hyperseg beside other engines: one population, the same questions and rounds, the same members or exit code 1.

    cargo build --release -p hyperseg-cli -p hyperseg-benches --bins
    hyperseg generate --contacts 1000000 --as-of 2026-01-01 --out POPULATION
    hyperseg init -d DATASET && hyperseg import population POPULATION -d DATASET
    python3 benches/peers/compare.py --population POPULATION --dataset DATASET

Packages are installed into a virtual environment in the cache folder (HYPERSEG_BENCH_CACHE, or .cache/hyperseg/benches
in the home directory), where the engines' tables lie too. Every `run` is a release: the lists stay in the dataset.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

# The checkout stays as it is.
sys.dont_write_bytecode = True

from engines import TITLES  # noqa: E402

HERE = Path(__file__).resolve().parent


def arguments() -> argparse.Namespace:
    home = Path(os.environ.get("HYPERSEG_BENCH_CACHE") or Path.home() / ".cache/hyperseg/benches")
    target = Path(os.environ.get("CARGO_TARGET_DIR") or HERE.parents[1] / "target")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--population", type=Path, required=True, help="folder written by `hyperseg generate`")
    parser.add_argument("--dataset", type=Path, required=True, help="dataset into which it was imported")
    parser.add_argument("--keyring", type=Path, help="keyring of the dataset (default: where `hyperseg init` puts it)")
    parser.add_argument("--as-of", default="2026-01-01", help="day from which it is seen (default: %(default)s)")
    parser.add_argument(
        "--peers", type=lambda names: names.split(","), default=list(TITLES), metavar="NAME,NAME",
        help=f"engines to compare with (default: {','.join(TITLES)})",
    )
    parser.add_argument("--rounds", type=int, default=7, help="measured rounds, at least 5 (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of each (default: %(default)s)")
    parser.add_argument("--memory", default="8GB", help="memory that DuckDB may use (default: %(default)s)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these segments")
    parser.add_argument("--driver", type=Path, default=target / "release/hyperseg-driver", help="default: %(default)s")
    parser.add_argument("--cache", type=Path, default=home / "peers", help="default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample as JSON")
    found = parser.parse_args()
    unknown = [name for name in found.peers if name not in TITLES]
    if unknown:
        parser.error(f"--peers: {', '.join(unknown)}: known are {', '.join(TITLES)}")
    if found.rounds < 5:
        parser.error("--rounds: fewer than 5 show nothing")
    if not found.driver.exists():
        parser.error(f"{found.driver} is not there; build it, or give --driver")
    return found


def inside_environment(cache: Path) -> None:
    """Goes on inside a virtual environment with the pinned packages, which is made when it is not there."""
    pins = (HERE / "requirements.txt").read_bytes()
    place = cache / f"venv-{hashlib.sha256(pins + sys.version.encode()).hexdigest()[:12]}"
    if Path(sys.prefix).resolve() == place.resolve():
        return
    python, ready = place / "bin/python", place / "ready"
    if not ready.exists():
        print(f"installing {', '.join(pins.decode().split())} into {place}", file=sys.stderr)
        venv.create(place, with_pip=True, clear=True)
        install = [python, "-m", "pip", "install", "--quiet", "--requirement", HERE / "requirements.txt"]
        subprocess.run(install, check=True)
        ready.touch()
    os.execv(python, [str(python), *sys.argv])


def main() -> int:
    options = arguments()
    inside_environment(options.cache)
    # Needs the packages.
    import rounds

    return rounds.compare(options)


if __name__ == "__main__":
    sys.exit(main())
