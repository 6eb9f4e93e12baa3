"""The enums of the service. A value that only a newer service knows is kept as text."""

from enum import StrEnum
from typing import Self


class OpenEnum(StrEnum):
    @classmethod
    def _missing_(cls, value: object) -> Self:
        """Return a member for a value that only a newer service knows."""
        member = str.__new__(cls, str(value))
        member._name_ = member._value_ = str(value)
        return member


class Role(OpenEnum):
    CLIENT = "client"
    ADMIN = "admin"


class UserStatus(OpenEnum):
    ACTIVE = "active"
    INACTIVE = "inactive"


class Scope(OpenEnum):
    READ = "read"
    COMPUTE = "compute"
    BATCH = "batch"
    ADMIN = "admin"


class LimitPeriod(OpenEnum):
    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


class UsagePeriod(OpenEnum):
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


class TaskStatus(OpenEnum):
    AWAITING_UPLOAD = "awaiting_upload"
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    OUT_OF_CREDIT = "out_of_credit"
    FAILED = "failed"
    CANCELLED = "cancelled"
    QUOTED = "quoted"


class ExportStatus(OpenEnum):
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class ExportResource(OpenEnum):
    RECORDS = "records"
    LEDGER = "ledger"


class ExportFormat(OpenEnum):
    CSV = "csv"
    JSONL = "jsonl"


class LedgerKind(OpenEnum):
    OPENING = "opening"
    CHARGE = "charge"
    BATCH = "batch"
    GRANT = "grant"
    ADJUSTMENT = "adjustment"
    REFUND = "refund"


class AuditedAction(OpenEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    GRANT = "grant"
    REFUND = "refund"
    REVOKE = "revoke"
    ROTATE = "rotate"
    START = "start"
    CANCEL = "cancel"
    RESUME = "resume"


class AuditedResource(OpenEnum):
    USER = "user"
    OPERATION = "operation"
    RECORD = "record"
    TASK = "task"
    API_KEY = "api_key"
    WEBHOOK = "webhook"


class WebhookEvent(OpenEnum):
    TASK_COMPLETED = "task.completed"
    TASK_STOPPED = "task.stopped"
    TASK_FAILED = "task.failed"
    EXPORT_COMPLETED = "export.completed"
    BALANCE_LOW = "balance.low"
    CREDIT_GRANTED = "credit.granted"
    RECORD_REFUNDED = "record.refunded"


class DeliveredEvent(OpenEnum):
    TASK_COMPLETED = "task.completed"
    TASK_STOPPED = "task.stopped"
    TASK_FAILED = "task.failed"
    EXPORT_COMPLETED = "export.completed"
    BALANCE_LOW = "balance.low"
    CREDIT_GRANTED = "credit.granted"
    RECORD_REFUNDED = "record.refunded"
    WEBHOOK_TEST = "webhook.test"


class DeliveryStatus(OpenEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class PauseReason(OpenEnum):
    OWNER = "owner"
    FAILING = "failing"
    GONE = "gone"


class TotalRelation(OpenEnum):
    EQ = "eq"
    GTE = "gte"
