"""C sources of the implicit step map."""
