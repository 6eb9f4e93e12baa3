"""The settings, read once from the environment. No other module reads a settings variable."""

import os
from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from shared.errors import SettingsError

PUBLISHED_CLIENT_PASSWORD = "Test1234!"  # noqa: S105  published, so rejected in production
PUBLISHED_ADMIN_PASSWORD = "adminpass"  # noqa: S105


class Settings(BaseModel):
    """The settings of one deployment. Each field is the environment variable of the same name in capitals."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    config_type: Literal["local", "development", "testing", "production"] = "local"
    aws_pgsql_path: SecretStr | None = None
    """A `postgresql…://user:password@host:port/database` URL; `?host=/folder` for a Unix socket.

    None in the sender of webhooks, which has no access to the database.
    """
    jwt_secret_key: SecretStr | None = Field(None, min_length=32)
    """HMAC key of all tokens. RFC 7518 (section 3.2) requires at least as many bytes as the hash has.

    None in a function that neither issues nor verifies tokens.
    """
    jwt_secret_key_old: SecretStr | None = Field(None, min_length=32)
    """The previous key. It verifies tokens but signs none, so a key rotation signs no user out."""
    client_password: SecretStr = SecretStr(PUBLISHED_CLIENT_PASSWORD)
    admin_password: SecretStr = SecretStr(PUBLISHED_ADMIN_PASSWORD)
    random_string_api_key: SecretStr | None = None
    origin_secret: SecretStr | None = Field(None, min_length=32)
    """The X-Origin-Secret that the deployer's proxy or CDN sends; see shared/http/source_address.py."""
    aws_endpoint_url: str | None = None
    aws_region: str = "us-east-1"
    bucket: str = "buckeeto"
    """The bucket of uploaded files, results and exports."""
    queue_url: str = ""
    """The URL of the queue of the batch worker."""
    dispatch_queue_url: str = ""
    """The URL of the queue of the webhooks' dispatcher."""
    send_queue_url: str = ""
    """The URL of the queue of the webhooks' sender."""
    report_queue_url: str = ""
    """The URL of the queue of the webhooks' recorder."""
    webhook_loopback: bool = False
    """Whether webhooks may have URLs of this machine, also with http. Only the offline cloud sets it."""
    outbound_ipv6_only: bool = False
    """Whether the VPC has a route to the internet for IPv6 only (`shared/socket_addresses.py`)."""
    powertools_metrics_namespace: str = "restcalculator"
    """The namespace of the metrics in CloudWatch."""

    @property
    def production(self) -> bool:
        """Whether this is a production deployment."""
        return self.config_type == "production"

    @property
    def allows_loopback(self) -> bool:
        """Whether webhooks may have URLs of this machine."""
        return self.webhook_loopback and not self.production

    @property
    def bucket_url(self) -> str:
        """The URL with which every presigned URL of `shared/aws.py` begins."""
        domain = "amazonaws.com.cn" if self.aws_region.startswith("cn-") else "amazonaws.com"
        endpoint = self.aws_endpoint_url or f"https://s3.{self.aws_region}.{domain}"
        return f"{endpoint.rstrip('/')}/{self.bucket}"

    def database_url(self) -> str:
        """Return AWS_PGSQL_PATH.

        Raises:
            SettingsError: it is not set.
        """
        if self.aws_pgsql_path is None:
            raise SettingsError("AWS_PGSQL_PATH is missing. Set it to the URL of the database.")
        return self.aws_pgsql_path.get_secret_value()

    def signing_key(self) -> str:
        """Return JWT_SECRET_KEY.

        Raises:
            SettingsError: it is not set.
        """
        if self.jwt_secret_key is None:
            raise SettingsError("JWT_SECRET_KEY is missing. Generate one with `openssl rand -hex 32`.")
        return self.jwt_secret_key.get_secret_value()

    def passwords(self) -> tuple[str, str]:
        """Return the passwords of the default client and the default admin.

        Raises:
            SettingsError: in production, when one of them is the published default.
        """
        return self._unpublished("client_password", PUBLISHED_CLIENT_PASSWORD), self.checked_admin_password()

    def checked_admin_password(self) -> str:
        """Return the password that `POST /admin` requires.

        Raises:
            SettingsError: in production, when it is the published default.
        """
        return self._unpublished("admin_password", PUBLISHED_ADMIN_PASSWORD)

    def _unpublished(self, name: str, published: str) -> str:
        password: str = getattr(self, name).get_secret_value()
        if self.production and password == published:
            raise SettingsError(f"{name.upper()} must not be the published default in production")
        return password


@cache
def settings() -> Settings:
    """Return the settings of this process.

    Raises:
        SettingsError: names every variable that is missing or invalid, but never its value.
    """
    present = {
        name: value for name in Settings.model_fields if (value := os.environ.get(name.upper(), "")) != ""
    }
    try:
        return Settings(**present)  # type: ignore[arg-type]  # pydantic parses the strings
    except ValidationError as error:
        reasons = [
            f"{'.'.join(str(part).upper() for part in e['loc']) or 'settings'}: {e['msg']}"
            for e in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError("; ".join(reasons)) from None
