"""The Fit page: labels of stars, and what is left over."""
