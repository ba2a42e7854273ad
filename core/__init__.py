"""Everything without a screen: labels, spectra, emulation, adaptation, evaluation."""
