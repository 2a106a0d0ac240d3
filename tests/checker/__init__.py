"""Judges a run of Kantoku by what it left behind, without any of its code.

Reads the raw stream, the tables and what the clients logged, and says where they contradict each
other or the rules. Plain Python 3, no packages.
"""
