"""What the functions and the worker share; one subject a file."""
