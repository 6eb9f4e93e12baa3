"""Callers, tokens, sessions, passwords and the throttle."""
