"""Imports all functions before the containers of the long run are forked."""

import os

from deploy.environment import ROOT
from deploy.serverless_file import Service
from localstack.runtime import Runtime

for route in Service.load(ROOT / "serverless.yml", os.environ).routes:
    Runtime().handler(route.function)
