"""The Lines page: candidate features, looked at and decided."""
