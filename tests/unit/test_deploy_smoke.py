"""The smoke test reads the cookies that the service sets."""

from email.message import Message
from uuid import uuid4

import pytest

from deploy.smoke import SmokeFailed, access_token
from shared.auth.tokens import issue
from shared.http.cookies import sign_in_cookies
from shared.settings import settings


@pytest.mark.parametrize("config_type", ["local", "production"])
def test_access_token_is_read_for_any_cookie_attributes(
    environment: pytest.MonkeyPatch, config_type: str
) -> None:
    environment.setenv("CONFIG_TYPE", config_type)
    settings.cache_clear()
    pair, headers = issue(uuid4(), uuid4(), "client"), Message()
    for cookie in sign_in_cookies(pair):
        headers["Set-Cookie"] = str(cookie)
    assert access_token(headers) == pair.access


def test_sign_in_without_the_cookie_fails() -> None:
    with pytest.raises(SmokeFailed):
        access_token(Message())
