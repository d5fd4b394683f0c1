"""Names of an overlay's containers, for containers on other hosts.

Docker's own resolver in a container knows the containers of its host, and asks a name server for
all other names. What it asks by way of an overlay's gateway reaches a dnsmasq of ours, which knows
the names of the whole overlay and asks that same server for the rest.
"""
