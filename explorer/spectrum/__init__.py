"""The Spectrum page: emulated, adapted and observed flux."""
