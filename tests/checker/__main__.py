"""`python3 tests/checker …`, see `cli.py`."""

import pathlib
import sys

# Run as a directory, Python looks for modules inside it: the package is found beside it.
sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent)

from checker.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
