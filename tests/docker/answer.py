"""A program for any machine: answers on one TCP and UDP port with a name and who asks."""

import socket
import socketserver
import sys
import threading


class _Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True


class _UdpServer(socketserver.ThreadingUDPServer):
    address_family = socket.AF_INET6
    daemon_threads = True


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(4096)
        self.request.sendall(_line(self.client_address[0]))


class _Packet(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request[1].sendto(_line(self.client_address[0]), self.client_address)


def _line(peer: str) -> bytes:
    return f"{sys.argv[2]} {peer}\n".encode()


def main() -> None:
    place = ("::", int(sys.argv[1]))
    packets = _UdpServer(place, _Packet)
    connections = _Server(place, _Connection)
    threading.Thread(target=packets.serve_forever, daemon=True).start()
    connections.serve_forever()


if __name__ == "__main__":
    main()
