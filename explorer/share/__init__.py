"""What leaves the page: links, pictures, tables, snippets, offline pages."""
