"""Movements of money, and their audit."""
