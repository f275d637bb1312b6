"""Interop client on grpcio: runs one test case, ends with 0 if it passed. `--help` lists the flags and the cases."""

import argparse
import sys

import grpc

import wire
from cases import CASES, Failed, large_unary
from wire import METHODS

PATIENCE = 20  # seconds for any call


class Peer:
    """The server, method by method: peer("UnaryCall", request) is a call that is under way, with a deadline."""

    def __init__(self, flags):
        options = wire.CHANNEL_OPTIONS + [("grpc.use_local_subchannel_pool", 1)]  # else channels may share a connection
        address = f"{flags.server_host}:{flags.server_port}"
        if flags.server_host_override:
            options.append(("grpc.ssl_target_name_override", flags.server_host_override))
        if flags.use_tls:
            credentials = grpc.ssl_channel_credentials(wire.read(flags.tls_ca_file))
            self.channel = grpc.secure_channel(address, credentials, options)
        else:
            self.channel = grpc.insecure_channel(address, options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def __call__(self, name, request, service="TestService", timeout=PATIENCE, **options):
        start = self._method(service, name)
        return getattr(start, "future", start)(request, timeout=timeout, **options)

    def blocking(self, name, request, **options):
        """The response. In a client stream, only calls that are made so heed `compression`, see README.md."""
        return self._method("TestService", name)(request, timeout=PATIENCE, **options)

    def _method(self, service, name):
        method = METHODS[f"{service}.{name}"]
        shape = ("stream" if each else "unary" for each in (method.client_streaming, method.server_streaming))
        return getattr(self.channel, "_".join(shape))(method.path, wire.serialize, wire.deserializer(method.response))


def rpc_soak(flags):
    with Peer(flags) as peer:
        for _ in range(flags.soak_iterations):
            large_unary(peer)


def channel_soak(flags):
    for _ in range(flags.soak_iterations):
        with Peer(flags) as peer:
            large_unary(peer)


def once(case):
    def run(flags):
        with Peer(flags) as peer:
            case(peer)

    return run


def main():
    runs = {name: once(case) for name, case in CASES.items()} | {"rpc_soak": rpc_soak, "channel_soak": channel_soak}
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--server_host", default="127.0.0.1")
    parser.add_argument("--server_port", type=int, required=True)
    parser.add_argument("--server_host_override", help="the name to look for in the certificate")
    parser.add_argument("--test_case", required=True, choices=runs, metavar="CASE", help=", ".join(runs))
    parser.add_argument("--use_tls", type=wire.boolean, default=False, metavar="true|false")
    parser.add_argument("--tls_ca_file")
    parser.add_argument("--soak_iterations", type=int, default=100)
    flags = parser.parse_args()
    if flags.use_tls and not flags.tls_ca_file:
        parser.error("--use_tls=true needs --tls_ca_file")
    if flags.soak_iterations < 1:
        parser.error("--soak_iterations is less than 1")
    try:
        runs[flags.test_case](flags)
    except Failed as error:
        sys.exit(f"{flags.test_case}: {error}")
    except grpc.RpcError as error:
        sys.exit(f"{flags.test_case}: expected an answer, got {error.code()}: {error.details()}")


if __name__ == "__main__":
    main()
