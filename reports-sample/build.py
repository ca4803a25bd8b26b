#!/usr/bin/env python3
"""Makes every sample in this folder and its expected outcome beside it. See README.md.

    python3 reports-sample/build.py            write what differs, remove what is no longer made
    python3 reports-sample/build.py --check    write nothing; exit 1 if anything differs
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from making import output  # noqa: E402

FOLDERS = ["reporters", "deviations", "refused", "containers", "mails", "meanings", "maildir"]


def main(arguments):
    import importlib
    for module in ("reporters", "deviants", "refusals", "wrappings", "arrivals", "meanings", "demo"):
        if (HERE / "making" / f"{module}.py").exists():
            importlib.import_module(f"making.{module}").build()
    made = output.FILES
    there = {str(path.relative_to(HERE)) for folder in FOLDERS for path in (HERE / folder).rglob("*") if path.is_file()}
    there |= {path.name for path in HERE.glob("*.expected.json")}
    differing = sorted(path for path, data in made.items() if path not in there or (HERE / path).read_bytes() != data)
    surplus = sorted(there - set(made))
    if "--check" in arguments:
        for path in differing + surplus:
            print(path)
        return 1 if differing or surplus else 0
    for path in surplus:
        (HERE / path).unlink()
    for path in differing:
        (HERE / path).parent.mkdir(parents=True, exist_ok=True)
        (HERE / path).write_bytes(made[path])
    print(f"{len(made)} files, {len(differing)} written, {len(surplus)} removed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
