"""`restcalc batch`: files of calculations."""
