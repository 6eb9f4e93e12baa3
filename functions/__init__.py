"""One module for each endpoint. The `handler` of a route in `serverless.yml` names the module."""

from shared import interpreter

interpreter.begin_imports()  # `Api.__init__` calls end_imports
