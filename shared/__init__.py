"""The modules that the functions and the worker share, by subject."""
