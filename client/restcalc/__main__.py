"""`python -m restcalc` is the command `restcalc`."""

from restcalc.cli import main

if __name__ == "__main__":
    main()
