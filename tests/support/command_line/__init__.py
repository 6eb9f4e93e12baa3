"""Run the command line `restcalc` in tests."""
