"""Interop server on grpcio. `--help` lists the flags."""

import argparse
import signal
import sys
import threading
import time
from concurrent import futures

import grpc

import wire
from wire import METHODS, TYPES

THREADS = 64  # a stream keeps one for as long as it lives
CODES = {code.value[0]: code for code in grpc.StatusCode}
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"


def echo_metadata(context):
    came = dict(context.invocation_metadata())
    if INITIAL in came:
        context.send_initial_metadata(((INITIAL, came[INITIAL]),))
    if TRAILING in came:
        context.set_trailing_metadata(((TRAILING, came[TRAILING]),))


def echo_status(request, context):
    wanted = request.response_status
    if wanted.code:
        context.abort(CODES.get(wanted.code, grpc.StatusCode.UNKNOWN), wanted.message)


def check_compression(received, context):
    request, compressed = received
    if request.HasField("expect_compressed") and request.expect_compressed.value != compressed:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"compressed: {compressed}; expected the contrary")


def allow_compression(wanted, context):
    """Before the initial metadata; afterwards each message is compressed unless it says otherwise."""
    if any(each.value for each in wanted):
        context.set_compression(grpc.Compression.Gzip)


def payload(size, context):
    if size < 0:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"a size of {size}")
    return wire.zeros(size)


def empty_call(received, context):
    echo_metadata(context)
    return TYPES["Empty"]()


def unary_call(received, context):
    request = received.message
    allow_compression([request.response_compressed], context)
    echo_metadata(context)
    check_compression(received, context)
    echo_status(request, context)
    if not request.response_compressed.value:
        context.disable_next_message_compression()
    return TYPES["SimpleResponse"](payload=payload(request.response_size, context))


def responses(request, context):
    echo_status(request, context)
    for wanted in request.response_parameters:
        time.sleep(wanted.interval_us / 1e6)
        if not wanted.compressed.value:
            context.disable_next_message_compression()
        yield TYPES["StreamingOutputCallResponse"](payload=payload(wanted.size, context))


def streaming_output_call(received, context):
    allow_compression([each.compressed for each in received.message.response_parameters], context)
    echo_metadata(context)
    yield from responses(received.message, context)


def streaming_input_call(requests, context):
    echo_metadata(context)
    size = 0
    for received in requests:
        check_compression(received, context)
        size += len(received.message.payload.body)
    return TYPES["StreamingInputCallResponse"](aggregated_payload_size=size)


def full_duplex_call(requests, context):
    # Whether the first request wants compression is not known before it comes, but a client may wait for metadata first.
    context.set_compression(grpc.Compression.Gzip)
    echo_metadata(context)
    for received in requests:
        yield from responses(received.message, context)


def half_duplex_call(requests, context):
    context.set_compression(grpc.Compression.Gzip)
    echo_metadata(context)
    for received in list(requests):
        yield from responses(received.message, context)


HANDLERS = {
    "EmptyCall": empty_call,
    "UnaryCall": unary_call,
    "StreamingOutputCall": streaming_output_call,
    "StreamingInputCall": streaming_input_call,
    "FullDuplexCall": full_duplex_call,
    "HalfDuplexCall": half_duplex_call,
}


def handler(name, behaviour):
    method = METHODS["TestService." + name]
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[method.client_streaming, method.server_streaming]
    return make(behaviour, wire.deserializer(method.request), wire.serialize)


def main():
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--use_tls", type=wire.boolean, default=False, metavar="true|false")
    parser.add_argument("--tls_cert_file")
    parser.add_argument("--tls_key_file")
    flags = parser.parse_args()
    if flags.use_tls and not (flags.tls_cert_file and flags.tls_key_file):
        parser.error("--use_tls=true needs --tls_cert_file and --tls_key_file")

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    server = grpc.server(futures.ThreadPoolExecutor(THREADS), options=wire.CHANNEL_OPTIONS + [("grpc.so_reuseport", 0)])
    handlers = {name: handler(name, behaviour) for name, behaviour in HANDLERS.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.testing.TestService", handlers),))
    address = f"127.0.0.1:{flags.port}"
    if flags.use_tls:
        pair = (wire.read(flags.tls_key_file), wire.read(flags.tls_cert_file))
        port = server.add_secure_port(address, grpc.ssl_server_credentials((pair,)))
    else:
        port = server.add_insecure_port(address)
    if port == 0:
        sys.exit(f"server: cannot listen on {address}")
    server.start()
    print(f"listening on {port}", flush=True)
    stop.wait()
    server.stop(grace=None).wait()


if __name__ == "__main__":
    main()
