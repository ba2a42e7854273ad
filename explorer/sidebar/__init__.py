"""The sidebar: labels, presets, instrument, observed star."""
