"""The pages, one module each: ``routes()`` says which address leads to which function."""
