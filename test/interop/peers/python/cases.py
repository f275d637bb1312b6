"""The test cases: each is a function of the peer it tests, and raises Failed or what the call failed with."""

import os
import queue

import grpc

import wire
from wire import TYPES

LARGE_REQUEST, LARGE_RESPONSE = 271828, 314159
REQUEST_SIZES = (27182, 8, 1828, 45904)
RESPONSE_SIZES = (31415, 9, 2653, 58979)
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
GZIP = grpc.Compression.Gzip


class Failed(Exception):
    pass


def expect(what, wanted, got):
    if wanted != got:
        raise Failed(f"{what}: expected {wanted!r}, got {got!r}")


def expect_zeros(payload, size):
    expect("payload's type", 0, payload.type)
    expect("payload's size", size, len(payload.body))
    expect("bytes of the payload that are not zero", 0, size - payload.body.count(0))


def expect_status(call, code, details=None):
    if call.code() != code:
        raise Failed(f"status: expected {code}, got {call.code()}: {call.details()}")
    if details is not None:
        expect("status message", details, call.details())


def next_of(call):
    received = next(call, None)
    if received is None:
        raise Failed("expected a response, got the end of the stream")
    return received.message


class Requests:
    """The requests of a stream, sent when they are put. None ends them."""

    def __init__(self, *first):
        self.waiting = queue.SimpleQueue()
        for each in first:
            self.waiting.put(each)

    def put(self, request):
        self.waiting.put(request)

    def __iter__(self):
        return self

    def __next__(self):
        request = self.waiting.get()
        if request is None:
            raise StopIteration
        return request


def simple_request(**fields):
    return TYPES["SimpleRequest"](response_size=LARGE_RESPONSE, payload=wire.zeros(LARGE_REQUEST), **fields)


def output_request(sizes, request_size=None, **fields):
    payload = None if request_size is None else wire.zeros(request_size)
    return TYPES["StreamingOutputCallRequest"](
        response_parameters=[{"size": size} for size in sizes], payload=payload, **fields
    )


def input_request(payload, compressed=None):
    expected = None if compressed is None else {"value": compressed}
    return TYPES["StreamingInputCallRequest"](payload=payload, expect_compressed=expected)


def empty_unary(peer):
    expect("response", TYPES["Empty"](), peer("EmptyCall", TYPES["Empty"]()).result().message)


def large_unary(peer):
    expect_zeros(peer("UnaryCall", simple_request()).result().message.payload, LARGE_RESPONSE)


def client_streaming(peer):
    requests = (input_request(wire.zeros(size)) for size in REQUEST_SIZES)
    response = peer("StreamingInputCall", requests).result().message
    expect("aggregated size", sum(REQUEST_SIZES), response.aggregated_payload_size)


def server_streaming(peer):
    responses = list(peer("StreamingOutputCall", output_request(RESPONSE_SIZES)))
    expect("number of responses", len(RESPONSE_SIZES), len(responses))
    for received, size in zip(responses, RESPONSE_SIZES):
        expect_zeros(received.message.payload, size)


def ping_pong(peer):
    requests = Requests()
    call = peer("FullDuplexCall", requests)
    for request_size, size in zip(REQUEST_SIZES, RESPONSE_SIZES):
        requests.put(output_request([size], request_size))
        expect_zeros(next_of(call).payload, size)
    requests.put(None)
    expect("more responses", [], list(call))
    expect_status(call, grpc.StatusCode.OK)


def empty_stream(peer):
    call = peer("FullDuplexCall", iter(()))
    expect("responses", [], list(call))
    expect_status(call, grpc.StatusCode.OK)


def client_compressed_unary(peer):
    def request(compressed):
        return simple_request(expect_compressed={"value": compressed})

    probe = peer("UnaryCall", request(True))
    expect_status(probe, grpc.StatusCode.INVALID_ARGUMENT)
    for compressed in (True, False):
        compression = GZIP if compressed else grpc.Compression.NoCompression
        expect_zeros(peer("UnaryCall", request(compressed), compression=compression).result().message.payload, LARGE_RESPONSE)


def client_compressed_streaming(peer):
    first, second = REQUEST_SIZES[0], REQUEST_SIZES[3]
    probe = peer("StreamingInputCall", iter([input_request(wire.zeros(first), True)]))
    expect_status(probe, grpc.StatusCode.INVALID_ARGUMENT)
    # A call cannot leave one message uncompressed by a flag, but the library leaves those that would only grow.
    noise = TYPES["Payload"](body=os.urandom(second))
    requests = iter([input_request(wire.zeros(first), True), input_request(noise, False)])
    response = peer.blocking("StreamingInputCall", requests, compression=GZIP).message
    expect("aggregated size", first + second, response.aggregated_payload_size)


def server_compressed_unary(peer):
    for compressed in (True, False):
        received = peer("UnaryCall", simple_request(response_compressed={"value": compressed})).result()
        expect("response is compressed", compressed, received.compressed)
        expect_zeros(received.message.payload, LARGE_RESPONSE)


def server_compressed_streaming(peer):
    wanted = ((31415, True), (92653, False))
    request = TYPES["StreamingOutputCallRequest"](
        response_parameters=[{"size": size, "compressed": {"value": compressed}} for size, compressed in wanted]
    )
    responses = list(peer("StreamingOutputCall", request))
    expect("number of responses", len(wanted), len(responses))
    for received, (size, compressed) in zip(responses, wanted):
        expect(f"response of {size} is compressed", compressed, received.compressed)
        expect_zeros(received.message.payload, size)


def custom_metadata(peer):
    initial, trailing = "test_initial_metadata_value", b"\xab\xab\xab"

    def expect_echo(call):
        expect("initial metadata", [initial], [value for key, value in call.initial_metadata() if key == INITIAL])
        expect("trailing metadata", [trailing], [value for key, value in call.trailing_metadata() if key == TRAILING])

    metadata = ((INITIAL, initial), (TRAILING, trailing))
    call = peer("UnaryCall", simple_request(), metadata=metadata)
    expect_zeros(call.result().message.payload, LARGE_RESPONSE)
    expect_echo(call)

    request = output_request([LARGE_RESPONSE], LARGE_REQUEST)
    call = peer("FullDuplexCall", iter([request]), metadata=metadata)
    expect_zeros(next_of(call).payload, LARGE_RESPONSE)
    expect("more responses", [], list(call))
    expect_echo(call)


def status_code_and_message(peer):
    message = "test status message"
    status = {"code": 2, "message": message}
    expect_status(peer("UnaryCall", TYPES["SimpleRequest"](response_status=status)), grpc.StatusCode.UNKNOWN, message)
    call = peer("FullDuplexCall", iter([output_request([], response_status=status)]))
    try:
        raise Failed(f"expected an error, got {next(call, 'an end without one')}")
    except grpc.RpcError:
        expect_status(call, grpc.StatusCode.UNKNOWN, message)


def special_status_message(peer):
    message = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
    request = TYPES["SimpleRequest"](response_status={"code": 2, "message": message})
    expect_status(peer("UnaryCall", request), grpc.StatusCode.UNKNOWN, message)


def unimplemented_method(peer):
    expect_status(peer("UnimplementedCall", TYPES["Empty"]()), grpc.StatusCode.UNIMPLEMENTED)


def unimplemented_service(peer):
    call = peer("UnimplementedCall", TYPES["Empty"](), service="UnimplementedService")
    expect_status(call, grpc.StatusCode.UNIMPLEMENTED)


def cancel_after_begin(peer):
    requests = Requests()
    call = peer("StreamingInputCall", requests)
    call.cancel()
    requests.put(None)
    expect_status(call, grpc.StatusCode.CANCELLED)


def cancel_after_first_response(peer):
    requests = Requests(output_request(RESPONSE_SIZES[:1], REQUEST_SIZES[0]))
    call = peer("FullDuplexCall", requests)
    expect_zeros(next_of(call).payload, RESPONSE_SIZES[0])
    call.cancel()
    requests.put(None)
    expect_status(call, grpc.StatusCode.CANCELLED)


def timeout_on_sleeping_server(peer):
    empty_unary(peer)  # so that the call reaches the server, and does not end in waiting for a connection
    requests = Requests(output_request([], REQUEST_SIZES[0]))
    call = peer("FullDuplexCall", requests, timeout=0.001)
    expect_status(call, grpc.StatusCode.DEADLINE_EXCEEDED)
    requests.put(None)


CASES = {
    case.__name__: case
    for case in (
        empty_unary,
        large_unary,
        client_streaming,
        server_streaming,
        ping_pong,
        empty_stream,
        client_compressed_unary,
        server_compressed_unary,
        client_compressed_streaming,
        server_compressed_streaming,
        custom_metadata,
        status_code_and_message,
        special_status_message,
        unimplemented_method,
        unimplemented_service,
        cancel_after_begin,
        cancel_after_first_response,
        timeout_on_sleeping_server,
    )
}
