"""A charge in a common style: Powertools' resolver, SQLAlchemy's ORM, a statement for each step."""

import os
import ssl
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import jwt
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from pydantic import BaseModel
from sqlalchemy import create_engine, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

handler = APIGatewayHttpResolver(enable_validation=True)
engine = create_engine(
    os.environ["AWS_PGSQL_PATH"].replace("postgresql:", "postgresql+pg8000:").partition("?")[0],
    connect_args={"ssl_context": ssl.create_default_context()},
)


class Base(DeclarativeBase):
    type_annotation_map = {Any: JSONB}  # noqa: RUF012  SQLAlchemy's own way


class User(Base):
    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    balance: Mapped[Decimal]


class SignedIn(Base):
    __tablename__ = "sessions"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Operation(Base):
    __tablename__ = "operations"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    type: Mapped[str]
    cost: Mapped[Decimal]


class Record(Base):
    __tablename__ = "records"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    operation_id: Mapped[UUID]
    arguments: Mapped[Any]
    operation_response: Mapped[Any]
    amount: Mapped[Decimal]
    user_balance: Mapped[Decimal]


class Call(BaseModel):
    type: str
    arguments: list[float]


class Charged(BaseModel):
    result: float
    user_balance: Decimal
    record_id: UUID


@handler.post("/api/v1/process_operation")
def process_operation(call: Call) -> Charged:
    token = str(handler.current_event.headers["authorization"]).removeprefix("Bearer ")
    claims = jwt.decode(
        token, os.environ["JWT_SECRET_KEY"], algorithms=["HS256"], audience="restcalculator-api"
    )
    result = sum(call.arguments)
    with Session(engine) as session:
        signed_in = session.get_one(SignedIn, UUID(claims["sid"]))
        assert signed_in.revoked_at is None
        assert signed_in.expires_at > datetime.now(UTC)
        user = session.get_one(User, signed_in.user_id)
        operation = session.scalars(select(Operation).where(Operation.type == call.type)).one()
        debit = update(User).where(User.id == user.id, User.balance >= operation.cost)
        balance = session.scalars(
            debit.values(balance=User.balance - operation.cost).returning(User.balance)
        ).one()
        record = Record(
            id=uuid4(),
            user_id=user.id,
            operation_id=operation.id,
            arguments=call.arguments,
            operation_response=result,
            amount=operation.cost,
            user_balance=balance,
        )
        session.add(record)
        session.commit()
        return Charged(result=result, user_balance=balance, record_id=record.id)
