"""What Bokeh figures of several pages share: theme, axes, limits, placement of names."""
