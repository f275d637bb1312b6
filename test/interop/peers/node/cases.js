// The test cases: each is an async function of a Peer (see client.js), and throws if the peer fails it.
'use strict';

const { isDeepStrictEqual, inspect } = require('node:util');
const grpc = require('@grpc/grpc-js');
const { zeros } = require('./wire');

const LARGE_REQUEST = 271828;
const LARGE_RESPONSE = 314159;
const REQUEST_SIZES = [27182, 8, 1828, 45904];
const RESPONSE_SIZES = [31415, 9, 2653, 58979];
const INITIAL = 'x-grpc-test-echo-initial';
const TRAILING = 'x-grpc-test-echo-trailing-bin';

function expect(what, wanted, got) {
  if (!isDeepStrictEqual(wanted, got)) throw new Error(`${what}: expected ${inspect(wanted)}, got ${inspect(got)}`);
}

function expectZeros(payload, size) {
  expect("payload's type", 'COMPRESSABLE', payload?.type);
  expect("payload's size", size, payload.body.length);
  expect('payload is all zeros', true, payload.body.equals(Buffer.alloc(size)));
}

function expectStatus(outcome, code, details) {
  const { code: got, details: why } = outcome.status;
  if (got !== code) throw new Error(`status: expected ${grpc.status[code]}, got ${grpc.status[got]} "${why}"`);
  if (details !== undefined) expect('status message', details, outcome.status.details);
}

function expectResponses(outcome, ...sizes) {
  expectStatus(outcome, grpc.status.OK);
  expect('number of responses', sizes.length, outcome.responses.length);
  sizes.forEach((size, i) => expectZeros(outcome.responses[i].payload, size));
}

const simpleRequest = (fields) => ({ response_size: LARGE_RESPONSE, payload: zeros(LARGE_REQUEST), ...fields });

const outputRequest = (sizes, requestSize) => ({
  response_parameters: sizes.map((size) => ({ size })),
  payload: requestSize === undefined ? undefined : zeros(requestSize),
});

const cases = {
  async empty_unary(peer) {
    const outcome = await peer.call('EmptyCall', {});
    expectStatus(outcome, grpc.status.OK);
    expect('responses', [{}], outcome.responses.map((response) => ({ ...response })));
  },

  async large_unary(peer) {
    expectResponses(await peer.call('UnaryCall', simpleRequest()), LARGE_RESPONSE);
  },

  async client_streaming(peer) {
    const call = peer.stream('StreamingInputCall');
    for (const size of REQUEST_SIZES) call.write({ payload: zeros(size) });
    call.end();
    const outcome = await call.outcome;
    expectStatus(outcome, grpc.status.OK);
    expect('aggregated sizes', [74922], outcome.responses.map((response) => response.aggregated_payload_size));
  },

  async server_streaming(peer) {
    const outcome = await peer.call('StreamingOutputCall', outputRequest(RESPONSE_SIZES));
    expectResponses(outcome, ...RESPONSE_SIZES);
  },

  async ping_pong(peer) {
    const call = peer.stream('FullDuplexCall');
    for (const [i, size] of RESPONSE_SIZES.entries()) {
      call.write(outputRequest([size], REQUEST_SIZES[i]));
      expectZeros((await call.next()).payload, size);
    }
    call.end();
    expectResponses(await call.outcome, ...RESPONSE_SIZES);
  },

  async empty_stream(peer) {
    const call = peer.stream('FullDuplexCall');
    call.end();
    expectResponses(await call.outcome);
  },

  async client_compressed_unary(peer) {
    const request = (value) => simpleRequest({ expect_compressed: { value } });
    expectStatus(await peer.call('UnaryCall', request(true)), grpc.status.INVALID_ARGUMENT);
    for (const compressed of [true, false]) {
      expectResponses(await peer.call('UnaryCall', request(compressed), { compressed }), LARGE_RESPONSE);
    }
  },

  async client_compressed_streaming(peer) {
    const request = (value, size) => ({ expect_compressed: { value }, payload: zeros(size) });
    const probe = peer.stream('StreamingInputCall');
    probe.write(request(true, REQUEST_SIZES[0]));
    probe.end();
    expectStatus(await probe.outcome, grpc.status.INVALID_ARGUMENT);

    const call = peer.stream('StreamingInputCall', { compressed: true });
    call.write(request(true, REQUEST_SIZES[0]));
    call.write(request(false, REQUEST_SIZES[3]));
    call.end();
    const outcome = await call.outcome;
    expectStatus(outcome, grpc.status.OK);
    expect('aggregated sizes', [73086], outcome.responses.map((response) => response.aggregated_payload_size));
  },

  async custom_metadata(peer) {
    const initial = 'test_initial_metadata_value';
    const trailing = Buffer.from([0xab, 0xab, 0xab]);
    const metadata = new grpc.Metadata();
    metadata.set(INITIAL, initial);
    metadata.set(TRAILING, trailing);
    const expectEcho = (outcome) => {
      expectResponses(outcome, LARGE_RESPONSE);
      expect('initial metadata', [initial], outcome.initial.get(INITIAL));
      expect('trailing metadata', [trailing], outcome.status.metadata.get(TRAILING));
    };
    expectEcho(await peer.call('UnaryCall', simpleRequest(), { metadata }));
    const call = peer.stream('FullDuplexCall', { metadata });
    call.write(outputRequest([LARGE_RESPONSE], LARGE_REQUEST));
    call.end();
    expectEcho(await call.outcome);
  },

  async status_code_and_message(peer) {
    const response_status = { code: grpc.status.UNKNOWN, message: 'test status message' };
    const expectEcho = (outcome) => {
      expect('number of responses', 0, outcome.responses.length);
      expectStatus(outcome, response_status.code, response_status.message);
    };
    expectEcho(await peer.call('UnaryCall', { response_status }));
    const call = peer.stream('FullDuplexCall');
    call.write({ response_status });
    call.end();
    expectEcho(await call.outcome);
  },

  async special_status_message(peer) {
    const message = '\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n';
    const response_status = { code: grpc.status.UNKNOWN, message };
    expectStatus(await peer.call('UnaryCall', { response_status }), grpc.status.UNKNOWN, message);
  },

  async unimplemented_method(peer) {
    expectStatus(await peer.call('UnimplementedCall', {}), grpc.status.UNIMPLEMENTED);
  },

  async unimplemented_service(peer) {
    const outcome = await peer.call('UnimplementedCall', {}, { service: 'UnimplementedService' });
    expectStatus(outcome, grpc.status.UNIMPLEMENTED);
  },

  async cancel_after_begin(peer) {
    const call = peer.stream('StreamingInputCall');
    call.cancel();
    expectStatus(await call.outcome, grpc.status.CANCELLED);
  },

  async cancel_after_first_response(peer) {
    const call = peer.stream('FullDuplexCall');
    call.write(outputRequest([RESPONSE_SIZES[0]], REQUEST_SIZES[0]));
    expectZeros((await call.next()).payload, RESPONSE_SIZES[0]);
    call.cancel();
    expectStatus(await call.outcome, grpc.status.CANCELLED);
  },

  async timeout_on_sleeping_server(peer) {
    await cases.empty_unary(peer); // so that the call reaches the server, and does not end in waiting for a connection
    const call = peer.stream('FullDuplexCall', { patience: 1 });
    call.write(outputRequest([], REQUEST_SIZES[0]));
    expectStatus(await call.outcome, grpc.status.DEADLINE_EXCEEDED);
  },
};

const noSight = '@grpc/grpc-js does not tell a client whether a response came compressed';
const unsupported = { server_compressed_unary: noSight, server_compressed_streaming: noSight };

module.exports = { cases, unsupported };
