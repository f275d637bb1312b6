// Interop client on @grpc/grpc-js: runs one test case, ends with 0 if it passed. `--help` lists the flags and the cases.
'use strict';

const fs = require('node:fs');
const grpc = require('@grpc/grpc-js');
const { cases, unsupported } = require('./cases');
const { fail, readFlags, testing } = require('./wire');

const PATIENCE = 20_000; // ms for any call
const NO_COMPRESS = 2; // a flag of the library's for one message, which has no name in public

// On a channel that compresses, what says that it expects no compression goes without.
class CompressAsExpected extends grpc.InterceptingCall {
  sendMessageWithContext(context, message) {
    const plain = message.expect_compressed?.value === false;
    super.sendMessageWithContext(plain ? { ...context, flags: NO_COMPRESS } : context, message);
  }
}

// A call that is under way. `outcome` resolves to { initial, responses, status }, whether the call failed or not.
class Call {
  constructor(start) {
    const outcome = { responses: [] };
    this.call = start((error, response) => error || outcome.responses.push(response));
    this.call.on('metadata', (metadata) => (outcome.initial = metadata));
    this.call.on('data', (response) => outcome.responses.push(response));
    this.call.on('error', () => {}); // the status says the same
    this.outcome = new Promise((resolve) => this.call.on('status', (status) => resolve({ ...outcome, status })));
  }

  write(request) {
    this.call.write(request);
  }

  end() {
    this.call.end();
  }

  cancel() {
    this.call.cancel();
  }

  // The next response that arrives after this was called.
  next() {
    const ended = this.outcome.then(({ status }) => {
      throw new Error(`expected a response, got the end of the call: ${grpc.status[status.code]} "${status.details}"`);
    });
    return Promise.race([new Promise((resolve) => this.call.once('data', resolve)), ended]);
  }
}

class Peer {
  constructor(flags) {
    this.flags = flags;
    this.stubs = [];
  }

  // options: { metadata, patience, service, compressed }
  stream(name, options = {}, ...request) {
    const { metadata = new grpc.Metadata(), patience = PATIENCE, service = 'TestService', compressed } = options;
    const stub = this.#stub(service, compressed);
    const callOptions = { deadline: Date.now() + patience };
    const callback = !testing[service].service[name].responseStream;
    return new Call((done) => stub[name](...request, metadata, callOptions, ...(callback ? [done] : [])));
  }

  // A call with one request; what came of it.
  call(name, request, options) {
    return this.stream(name, options, request).outcome;
  }

  close() {
    for (const { stub } of this.stubs.splice(0)) stub.close();
  }

  #stub(service, compressed = false) {
    const known = this.stubs.find((each) => each.service === service && each.compressed === compressed);
    if (known) return known.stub;
    const { flags } = this;
    const options = { 'grpc.use_local_subchannel_pool': 1 }; // otherwise all channels share one connection
    if (flags.server_host_override) {
      options['grpc.ssl_target_name_override'] = flags.server_host_override;
      options['grpc.default_authority'] = flags.server_host_override;
    }
    if (compressed) {
      options['grpc.default_compression_algorithm'] = grpc.compressionAlgorithms.gzip;
      options.interceptors = [(callOptions, next) => new CompressAsExpected(next(callOptions))];
    }
    const credentials = flags.use_tls
      ? grpc.credentials.createSsl(fs.readFileSync(flags.tls_ca_file))
      : grpc.credentials.createInsecure();
    const stub = new testing[service](`${flags.server_host}:${flags.server_port}`, credentials, options);
    this.stubs.push({ service, compressed, stub });
    return stub;
  }
}

async function withPeer(flags, use) {
  const peer = new Peer(flags);
  try {
    await use(peer);
  } finally {
    peer.close();
  }
}

const soaks = {
  rpc_soak: (flags) =>
    withPeer(flags, async (peer) => {
      for (let i = 0; i < flags.soak_iterations; ++i) await cases.large_unary(peer);
    }),
  channel_soak: async (flags) => {
    for (let i = 0; i < flags.soak_iterations; ++i) await withPeer(flags, cases.large_unary);
  },
};

const names = [...Object.keys(cases), ...Object.keys(unsupported), ...Object.keys(soaks)];
const flags = readFlags({
  server_host: { default: '127.0.0.1', help: 'default: 127.0.0.1' },
  server_port: { required: true, number: true, help: 'required' },
  server_host_override: { help: 'the name to look for in the certificate' },
  test_case: { required: true, choices: names, help: `one of ${names.join(', ')}` },
  use_tls: { default: 'false', boolean: true, help: 'default: false' },
  tls_ca_file: { help: 'whom to trust, PEM' },
  soak_iterations: { default: '100', number: true, help: 'default: 100' },
});
if (flags.use_tls && !flags.tls_ca_file) fail('--use_tls=true needs --tls_ca_file');
if (flags.soak_iterations < 1) fail('--soak_iterations is less than 1');

const run = soaks[flags.test_case] ?? ((given) => withPeer(given, cases[flags.test_case]));
if (flags.test_case in unsupported) {
  console.error(`${flags.test_case}: not supported: ${unsupported[flags.test_case]}`);
  process.exitCode = 77;
} else {
  run(flags).catch((error) => {
    console.error(`${flags.test_case}: ${error.message}`);
    process.exitCode = 1;
  });
}
