"""The Map page: stars in two dimensions."""
