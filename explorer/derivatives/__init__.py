"""The Derivatives page: how the flux answers to every label."""
