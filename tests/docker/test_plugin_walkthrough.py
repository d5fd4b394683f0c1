"""The walkthrough and the basics of published ports, through the managed plugin."""

from collections.abc import Iterator

import pytest
from tests.docker.managed import managed_lab
from tests.docker.test_ports import (  # noqa: F401 - they are tests of this module, too
    _nothing_left,
    test_a_range_gives_each_container_a_port_of_its_own,
    test_a_taken_port_is_an_error_that_names_it_and_leaves_nothing,
    test_an_unpublished_port_is_free_again,
    test_connections_by_the_loopback_address_of_ipv6_do_not_keep_its_port,
    web,
)
from tests.docker.test_walkthrough import (  # noqa: F401
    test_a_container_has_one_interface_and_one_default_route,
    test_a_second_network_comes_with_its_names_and_goes_with_them,
    test_containers_reach_the_outside_under_the_hosts_address,
    test_host_and_containers_reach_each_other_and_the_gateway,
    test_links_and_aliases_are_names,
    test_the_host_end_of_each_veth_is_a_port_of_the_networks_bridge,
    test_two_containers_reach_each_other_by_address_and_by_name,
)

from dockerlab import Lab


@pytest.fixture(scope="module")
def lab(engine: str) -> Iterator[Lab]:
    """One host whose engine has the plugin."""
    with managed_lab(engine) as lab:
        yield lab
