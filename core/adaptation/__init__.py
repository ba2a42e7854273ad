"""Unsupervised adaptation of synthetic spectra to observed ones (O'Briain et al. 2020)."""
