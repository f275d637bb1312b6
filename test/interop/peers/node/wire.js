// What both ends share: the services, payloads and how flags are read.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

// `peers.sh build` leaves the descriptors there.
const { testing } = grpc.loadPackageDefinition(
  protoLoader.loadFileDescriptorSetFromBuffer(fs.readFileSync(process.env.INTEROP_DESCRIPTORS), {
    keepCase: true,
    enums: String,
    defaults: true,
  })
).grpc;

const zeros = (size) => ({ type: 'COMPRESSABLE', body: Buffer.alloc(size) });

function fail(message) {
  console.error(`${path.basename(process.argv[1])}: ${message}`);
  process.exit(2);
}

// flags: { name: { default, help, required, number, boolean, choices } }. Values come back as what they are.
function readFlags(flags) {
  const options = Object.fromEntries(Object.keys(flags).map((name) => [name, { type: 'string' }]));
  const usage = ['flags:', '  --help'].concat(
    Object.entries(flags).map(([name, flag]) => `  --${name}=${flag.boolean ? 'true|false' : '...'}  ${flag.help}`)
  ).join('\n');
  let given;
  try {
    given = parseArgs({ options: { ...options, help: { type: 'boolean' } } }).values;
  } catch (error) {
    fail(`${error.message}\n${usage}`);
  }
  if (given.help) {
    console.log(usage);
    process.exit(0);
  }
  const values = {};
  for (const [name, flag] of Object.entries(flags)) {
    const text = given[name] ?? flag.default;
    if (flag.required && text === undefined) fail(`--${name} is missing\n${usage}`);
    if (flag.boolean && text !== 'true' && text !== 'false') fail(`--${name}=${text} is neither true nor false`);
    if (flag.number && !/^\d+$/.test(text)) fail(`--${name}=${text} is not a number`);
    if (flag.choices && !flag.choices.includes(text)) fail(`--${name}=${text} is none of: ${flag.choices.join(', ')}`);
    values[name] = flag.boolean ? text === 'true' : flag.number ? Number(text) : text;
  }
  return values;
}

module.exports = { fail, readFlags, testing, zeros };
