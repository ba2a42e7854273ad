"""What pages compute from a model and keep: frames, derivatives, distances, ranges."""
