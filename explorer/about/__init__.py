"""The About page: what a bundle is, how good it is and where it ends."""
