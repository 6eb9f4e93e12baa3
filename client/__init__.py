"""The client for files."""
