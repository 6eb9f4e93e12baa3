"""Choose the availability zones of the stack's own network, by zone id."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

UNSUPPORTED = {"use1-az3", "usw1-az2", "cac1-az3"}
"""Ids of zones that lack services. A zone's name differs between accounts; its id does not.

RDS Proxy does not support the first two (RDS User Guide, "Quotas and limitations for RDS Proxy"). Lambda
rejects subnets in some zones ("The provided subnets contain availability zone Lambda doesn't support") and
publishes no list. These three are the old zones that EKS excludes too (EKS User Guide, "View Amazon EKS
networking requirements").
"""
ZONE_COUNT = 2
"""Zones of the stack's network: RDS requires subnets in two."""


def choose(ec2: Any, resources: Mapping[str, str]) -> str:
    """Return the names of two zones, separated by a comma, for `AVAILABILITY_ZONES`.

    A deployed stack keeps its zones, because moving a subnet would replace the subnet and the database in it.

    Args:
        resources: the physical ids of the stack's resources, empty before the first deploy.
    """
    deployed = [resources[name] for name in ("SubnetA", "SubnetB") if name in resources]
    if len(deployed) == ZONE_COUNT:
        subnets = ec2.describe_subnets(SubnetIds=deployed)["Subnets"]
        zones = {subnet["SubnetId"]: subnet["AvailabilityZone"] for subnet in subnets}
        return ",".join(zones[subnet] for subnet in deployed)
    names = supported(ec2.describe_availability_zones()["AvailabilityZones"])
    if len(names) < ZONE_COUNT:
        sys.exit(
            f"Not deployed: this account has {len(names)} usable zones in the region, and the stack needs"
            " two. Set AVAILABILITY_ZONES to the names of two zones, or AWS_REGION to another region."
        )
    return ",".join(names[:ZONE_COUNT])


def supported(zones: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the sorted names of the zones in which the stack can run."""
    return sorted(
        zone["ZoneName"]
        for zone in zones
        if zone["ZoneId"] not in UNSUPPORTED
        and zone.get("State", "available") == "available"
        and zone.get("ZoneType", "availability-zone") == "availability-zone"
    )
