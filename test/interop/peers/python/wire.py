"""Messages, methods and flags that both ends share.

The messages come from the descriptors that `peers.sh build` leaves in $INTEROP_DESCRIPTORS: a generated module would be
called grpc.testing, which is a place inside the library's own package.
"""

import argparse
import gzip
import os
from typing import NamedTuple

from google.protobuf import descriptor_pb2, message, message_factory

GZIP_MAGIC = b"\x1f\x8b"  # as a protobuf message this would be a field of a wire type that does not exist

# The library then hands over messages as they came, and whether one was compressed can be seen.
CHANNEL_OPTIONS = [("grpc.per_message_decompression", 0)]


class Received(NamedTuple):
    message: message.Message
    compressed: bool


class Method(NamedTuple):
    path: str
    client_streaming: bool
    server_streaming: bool
    request: type
    response: type


def _load():
    with open(os.environ["INTEROP_DESCRIPTORS"], "rb") as file:
        files = descriptor_pb2.FileDescriptorSet.FromString(file.read()).file
    types = message_factory.GetMessages(files)
    methods = {}
    for file in files:
        for service in file.service:
            for each in service.method:
                request, response = (types[name.lstrip(".")] for name in (each.input_type, each.output_type))
                path = f"/{file.package}.{service.name}/{each.name}"
                methods[f"{service.name}.{each.name}"] = Method(
                    path, each.client_streaming, each.server_streaming, request, response
                )
    return {name.rpartition(".")[2]: kind for name, kind in types.items()}, methods


TYPES, METHODS = _load()


def serialize(sent):
    return sent.SerializeToString()


def deserializer(kind):
    def deserialize(raw):
        compressed = raw.startswith(GZIP_MAGIC)
        return Received(kind.FromString(gzip.decompress(raw) if compressed else raw), compressed)

    return deserialize


def zeros(size):
    return TYPES["Payload"](type="COMPRESSABLE", body=bytes(size))


def boolean(text):
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f'"{text}" is neither true nor false')
    return text == "true"


def read(path):
    with open(path, "rb") as file:
        return file.read()
