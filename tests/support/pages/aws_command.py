"""Check a command of the AWS CLI against the model of its service. Nothing is sent to AWS."""

from collections.abc import Mapping

import botocore.session
from botocore import xform_name
from botocore.model import OperationModel, Shape

GLOBAL = {"query", "output", "region", "profile"}
CUSTOM = {
    ("cloudformation", "deploy"): (
        {"template-file", "stack-name"},
        {"capabilities", "parameter-overrides", "no-fail-on-empty-changeset", "tags", "role-arn"},
    )
}
"""Commands of the AWS CLI that are no operation of the service, with their required and optional options."""


class WrongCommand(AssertionError):
    """The AWS CLI would reject this command."""


def check(service: str, command: str, *arguments: str) -> None:
    """Check the command's name and the names of its options. Raises: WrongCommand."""
    if (service, command) in CUSTOM:
        required, optional = CUSTOM[service, command]
        names = required | optional
    else:
        model = _operation(service, command, arguments)
        members: Mapping[str, Shape] = model.input_shape.members if model.input_shape else {}
        needed = model.input_shape.required_members if model.input_shape else []
        required = {xform_name(name, "-") for name in needed}
        flags = {xform_name(name, "-") for name, shape in members.items() if shape.type_name == "boolean"}
        names = {xform_name(name, "-") for name in members} | {f"no-{flag}" for flag in flags}
    given = {argument[2:] for argument in arguments if argument.startswith("--")}
    if unknown := given - names - GLOBAL:
        raise WrongCommand(f"aws {service} {command} has no option {', '.join(sorted(unknown))}")
    if missing := required - given:
        raise WrongCommand(f"aws {service} {command} requires {', '.join(sorted(missing))}")


def _operation(service: str, command: str, arguments: tuple[str, ...]) -> OperationModel:
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        raise WrongCommand(f"AWS has no service {service}")
    model = session.get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if command == "wait":
        waiters = session.get_waiter_model(service)
        operations = {
            xform_name(name, "-"): waiters.get_waiter(name).operation for name in waiters.waiter_names
        }
        command = arguments[0]
    if command not in operations:
        raise WrongCommand(f"aws {service} has no command {command}")
    return model.operation_model(operations[command])
