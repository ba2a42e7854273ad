"""Files of surveys, fetched from their archives."""
