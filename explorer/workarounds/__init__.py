"""Faults of libraries that users would meet, each mended in a file of its own.

Every file says what goes wrong without it, which versions need it, and where it is known; its
test shows the fault with the plain library and fails as soon as that no longer has it.
"""
