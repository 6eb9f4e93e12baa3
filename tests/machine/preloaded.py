"""What every container of the machine's long form is forked with: all functions."""

import os

from localstack.routes import Service
from localstack.runtime import Runtime
from localstack.settings import ROOT

for route in Service.load(ROOT / "serverless.yml", os.environ).routes:
    Runtime().handler(route.function)
