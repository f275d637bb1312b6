// Interop server on @grpc/grpc-js. `--help` lists the flags.
'use strict';

const fs = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');
const grpc = require('@grpc/grpc-js');
const { fail, readFlags, testing, zeros } = require('./wire');

const INITIAL = 'x-grpc-test-echo-initial';
const TRAILING = 'x-grpc-test-echo-trailing-bin';

const error = (code, details) => Object.assign(new Error(details), { code, details });

function echoed(call) {
  const initial = new grpc.Metadata();
  const trailing = new grpc.Metadata();
  for (const value of call.metadata.get(INITIAL)) initial.set(INITIAL, value);
  for (const value of call.metadata.get(TRAILING)) trailing.set(TRAILING, value);
  call.sendMetadata(initial);
  return trailing;
}

// The library answers without compression, and does not tell whether a request came with it.
function refuseCompression(wanted) {
  if (wanted) throw error(grpc.status.UNIMPLEMENTED, 'compression is not supported by @grpc/grpc-js servers');
}

function echoStatus({ response_status: wanted }) {
  if (wanted && wanted.code !== 0) throw error(wanted.code, wanted.message);
}

function payload(size) {
  if (size < 0) throw error(grpc.status.INVALID_ARGUMENT, `a size of ${size}`);
  return zeros(size);
}

function unary(request) {
  refuseCompression(request.expect_compressed ?? request.response_compressed);
  echoStatus(request);
  return { payload: payload(request.response_size) };
}

async function respond(call, request) {
  echoStatus(request);
  for (const wanted of request.response_parameters) {
    refuseCompression(wanted.compressed);
    if (wanted.interval_us > 0) await sleep(wanted.interval_us / 1000);
    if (call.cancelled) return;
    call.write({ payload: payload(wanted.size) });
  }
}

// What iterates over a stream destroys it in the end unless told not to, and its other direction with it.
const requests = (call) => call.iterator({ destroyOnReturn: false });

async function aggregate(call) {
  let size = 0;
  for await (const request of requests(call)) {
    refuseCompression(request.expect_compressed);
    size += request.payload?.body.length ?? 0;
  }
  return { aggregated_payload_size: size };
}

// A handler that answers once: what `answer` returns or throws.
const once = (answer) => async (call, callback) => {
  const trailing = echoed(call);
  try {
    callback(null, await answer(call), trailing);
  } catch (failure) {
    if (!call.cancelled) callback({ ...failure, details: failure.details ?? String(failure), metadata: trailing });
  }
};

// A handler that answers with a stream: `answer` writes to the call, or throws.
const streaming = (answer) => async (call) => {
  const trailing = echoed(call);
  try {
    await answer(call);
    call.end(trailing);
  } catch (failure) {
    if (!call.cancelled) call.emit('error', Object.assign(failure, { metadata: trailing }));
  }
};

const handlers = {
  EmptyCall: once(() => ({})),
  UnaryCall: once((call) => unary(call.request)),
  StreamingOutputCall: streaming((call) => respond(call, call.request)),
  StreamingInputCall: once(aggregate),
  FullDuplexCall: streaming(async (call) => {
    for await (const request of requests(call)) await respond(call, request);
  }),
  HalfDuplexCall: streaming(async (call) => {
    const all = [];
    for await (const request of requests(call)) all.push(request);
    for (const request of all) await respond(call, request);
  }),
};

const flags = readFlags({
  port: { default: '0', number: true, help: '0, which is the default: a free one' },
  use_tls: { default: 'false', boolean: true, help: 'default: false' },
  tls_cert_file: { help: 'the certificate, PEM' },
  tls_key_file: { help: 'its key, PEM' },
});
if (flags.use_tls && !(flags.tls_cert_file && flags.tls_key_file)) {
  fail('--use_tls=true needs --tls_cert_file and --tls_key_file');
}

const credentials = flags.use_tls
  ? grpc.ServerCredentials.createSsl(null, [
      { cert_chain: fs.readFileSync(flags.tls_cert_file), private_key: fs.readFileSync(flags.tls_key_file) },
    ])
  : grpc.ServerCredentials.createInsecure();

const server = new grpc.Server();
server.addService(testing.TestService.service, handlers);
server.bindAsync(`127.0.0.1:${flags.port}`, credentials, (failure, port) => {
  if (failure) fail(failure.message);
  console.log(`listening on ${port}`);
});
process.on('SIGTERM', () => {
  server.forceShutdown();
  process.exit(0);
});
