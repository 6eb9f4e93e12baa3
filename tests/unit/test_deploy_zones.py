"""The availability zones that a deploy chooses for the stack's own network."""

from typing import Any

import pytest

from deploy import zones


def zone(name: str, zone_id: str, **more: str) -> dict[str, str]:
    return {
        "ZoneName": name,
        "ZoneId": zone_id,
        "State": "available",
        "ZoneType": "availability-zone",
        **more,
    }


class Ec2:
    """A stub of EC2 with these zones, and the zone of each subnet of the stack."""

    def __init__(self, *zones: dict[str, str], **subnets: str) -> None:
        self.zones, self.subnets = zones, subnets

    def describe_availability_zones(self) -> dict[str, Any]:
        return {"AvailabilityZones": self.zones}

    def describe_subnets(self, SubnetIds: list[str]) -> dict[str, Any]:
        found = [{"SubnetId": one, "AvailabilityZone": self.subnets[one]} for one in SubnetIds]
        return {"Subnets": found[::-1]}


def test_choose_skips_a_zone_without_lambda_by_its_zone_id() -> None:
    account = Ec2(
        zone("us-east-1a", "use1-az3"), zone("us-east-1c", "use1-az4"), zone("us-east-1b", "use1-az1")
    )
    assert zones.choose(account, {}) == "us-east-1b,us-east-1c"


def test_choose_skips_local_and_impaired_zones() -> None:
    account = Ec2(
        zone("us-east-1a", "use1-az1", State="impaired"),
        zone("us-east-1-bos-1a", "use1-bos1-az1", ZoneType="local-zone"),
        zone("us-east-1d", "use1-az6"),
        zone("us-east-1e", "use1-az2"),
    )
    assert zones.choose(account, {}) == "us-east-1d,us-east-1e"


def test_choose_keeps_the_zones_of_a_deployed_stack() -> None:
    account = Ec2(
        zone("us-east-1a", "use1-az1"), zone("us-east-1b", "use1-az2"), one="us-east-1f", two="us-east-1b"
    )
    deployed = {"SubnetA": "one", "SubnetB": "two", "Database": "db"}
    assert zones.choose(account, deployed) == "us-east-1f,us-east-1b"


def test_fewer_than_two_zones_stop_the_deploy_with_the_next_step() -> None:
    account = Ec2(zone("us-west-1a", "usw1-az2"), zone("us-west-1c", "usw1-az3"))
    with pytest.raises(SystemExit, match="AVAILABILITY_ZONES"):
        zones.choose(account, {})
