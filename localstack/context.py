"""The context object that Lambda passes to a handler."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from deploy.serverless_file import Function

ACCOUNT = "000000000000"


@dataclass
class LambdaContext:
    """The `context` argument of one invocation. Its time limit starts when it is created."""

    function: "Function"
    region: str = "us-east-1"
    aws_request_id: str = field(default_factory=lambda: str(uuid4()))
    function_version: str = "$LATEST"
    client_context: None = None
    identity: None = None

    def __post_init__(self) -> None:
        self._deadline = time.monotonic() + self.function.timeout

    @property
    def function_name(self) -> str:
        return self.function.name

    @property
    def memory_limit_in_mb(self) -> int:
        return self.function.memory

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{self.function.name}"

    @property
    def log_group_name(self) -> str:
        return f"/aws/lambda/{self.function.name}"

    @property
    def log_stream_name(self) -> str:
        return f"offline/[{self.function_version}]"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.monotonic()) * 1000))
