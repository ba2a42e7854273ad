"""Entry points: the command line and the served explorer."""
