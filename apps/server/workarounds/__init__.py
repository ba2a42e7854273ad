"""Faults of libraries that whoever serves would meet, each mended in a file of its own.

The rules are those of :mod:`spectrabridge.explorer.workarounds`.
"""
