"""The commands of `restcalc`."""
