"""`make smoke`, the check at the end of a deploy."""

import pytest

from deploy.smoke import SmokeFailed, check

pytestmark = pytest.mark.local  # needs the default client's default password
CLIENT_PASSWORD = "Test1234!"


def test_smoke_passes_for_a_healthy_service(url: str) -> None:
    check(url, CLIENT_PASSWORD)


def test_smoke_fails_with_a_wrong_password(url: str) -> None:
    with pytest.raises(SmokeFailed, match=r"/login returns 401, not 200"):
        check(url, "not-the-password-1!")


def test_smoke_fails_for_another_service(url: str) -> None:
    with pytest.raises(SmokeFailed, match=r"/docs/health returns 404"):
        check(f"{url}/docs", CLIENT_PASSWORD)


def test_smoke_fails_for_an_unreachable_service() -> None:
    with pytest.raises(SmokeFailed, match="refused"):
        check("http://127.0.0.1:9", CLIENT_PASSWORD)
