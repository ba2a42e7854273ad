"""Pairs of domains that adaptation is trained and judged on."""
