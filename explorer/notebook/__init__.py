"""The explorer in cells of Jupyter."""
