"""The check that a deploy ends with (`make smoke`)."""

import pytest

from deploy.smoke import SmokeFailed, check

pytestmark = pytest.mark.local  # it knows the default client's published password
CLIENT_PASSWORD = "Test1234!"


def test_a_healthy_service_passes(url: str) -> None:
    check(url, CLIENT_PASSWORD)


def test_a_wrong_password_fails(url: str) -> None:
    with pytest.raises(SmokeFailed, match=r"/login returns 401, not 200"):
        check(url, "not-the-password-1!")


def test_another_service_fails(url: str) -> None:
    with pytest.raises(SmokeFailed, match=r"/docs/health returns 404"):
        check(f"{url}/docs", CLIENT_PASSWORD)


def test_an_unreachable_service_fails() -> None:
    with pytest.raises(SmokeFailed, match="refused"):
        check("http://127.0.0.1:9", CLIENT_PASSWORD)
