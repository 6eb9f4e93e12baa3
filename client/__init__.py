"""The command-line client for files."""
