"""What libraries do wrong, one file for each fault."""
