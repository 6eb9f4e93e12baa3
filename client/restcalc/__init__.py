"""The Python client of restcalculator."""
