#!/usr/bin/env python3
"""Judges a history of Kantoku by the events alone, without any of its code: see
`checker/export.py`, whose front this is."""

import sys

from checker.export import main

if __name__ == "__main__":
    sys.exit(main())
