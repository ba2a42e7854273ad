"""Components that belong to no page."""
