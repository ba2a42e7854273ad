"""The served explorer: sessions, sign-in, the desktop window."""
