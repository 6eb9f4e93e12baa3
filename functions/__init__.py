"""One module for each endpoint. The `handler` of a route in `serverless.yml` names the module."""

from shared import interpreter
from shared.http import lazy_powertools

interpreter.begin_imports()  # `Api.__init__` calls end_imports
lazy_powertools.install()
