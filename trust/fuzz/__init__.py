"""Feed every file reader with bad input."""
