# The root file system of the managed plugin; `make plugin` provides the rest of it, build/site.
ARG BASE=debian:bookworm-slim

FROM $BASE AS parts
# A base that has everything needs no network.
RUN test -x /usr/sbin/dnsmasq || { apt-get update && apt-get install -y --no-install-recommends \
    dnsmasq-base iptables libnftables1 python3 systemd; }
COPY contrib/plugin/gather.py build/site /site/
RUN python3 /site/gather.py /site /rootfs

FROM scratch
COPY --from=parts /rootfs /
ENTRYPOINT ["/usr/bin/pyflat"]
CMD ["serve"]
