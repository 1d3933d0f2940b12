// Makes a WebAssembly component of a core module and its WIT, with the `wasm-tools` that come
// with jco: no build server, no other tool chain.
//
//   node componentize.mjs --wit FILE --world NAME -o FILE --core FILE [--adapter KIND]
//   node componentize.mjs --wit FILE --world NAME -o FILE --dummy [--prefix]
//
// The WIT can import any interface of WASI 0.2.12: the packages' text is appended to it.
// The doc comments of what the world exports are kept, in the component's `package-docs` section.
//
//   --wit      can be given more than once: the first text has the world, others nested packages
//   --adapter  `reactor` (a library) or `command` (a program), for a core module that imports
//              WASI preview 1, as those with a libc do
//   --dummy    a component of the world's types, whose functions all trap
//   --plain    add nothing: the WIT has that of WASI already, and its doc comments are not wanted
//   --prefix   only the sections before its first core module: the world's types and imports

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { componentEmbed, componentNew } from '@bytecodealliance/jco-transpile/wasm-tools';
import { packageDocsSection } from './wit-docs.mjs';

const WASI_VERSION = '0.2.12';
const WASI_PACKAGES = ['io', 'clocks', 'random', 'filesystem', 'sockets', 'cli', 'http'];
const PREVIEW_1 = 'wasi_snapshot_preview1';
const HEADER_SIZE = 8;
const CUSTOM_SECTION = 0;
const CORE_MODULE_SECTION = 1;

const jcoLib = fileURLToPath(new URL('../lib', import.meta.resolve('@bytecodealliance/jco')));

/**
 * A component of a core module.
 *
 * @param {object} options
 * @param {Uint8Array} [options.core] the core module; not with `dummy`
 * @param {string} options.wit WIT text: one package, and nested ones (`package a:b { … }`)
 * @param {string} options.world the name of the world in that package
 * @param {'reactor' | 'command'} [options.adapter] adapts WASI preview 1 imports
 * @param {boolean} [options.dummy] makes the core module up
 * @param {boolean} [options.plain] adds neither the WIT of WASI nor the doc comments
 * @returns {Promise<Uint8Array>}
 */
export async function componentize({ core, wit, world, adapter, dummy = false, plain = false }) {
  const witSource = plain ? wit : wit + (await wasiPackages());
  const embedding = { binary: core, witSource, world, dummy, stringEncoding: 'utf8' };
  const adapters = adapter ? [[PREVIEW_1, await preview1Adapter(adapter)]] : [];
  const component = await componentNew(await componentEmbed(embedding), adapters);
  return plain ? component : withDocs(component, wit, world);
}

function preview1Adapter(kind) {
  return readFile(path.join(jcoLib, `${PREVIEW_1}.${kind}.wasm`));
}

/** The component with the doc comments of its world (a tool chain's own output has none). */
export function withDocs(component, wit, world) {
  return Buffer.concat([component, packageDocsSection(wit, world)]);
}

/** A component's header and the sections before its first core module, without custom ones. */
export function prefix(component) {
  const kept = [component.subarray(0, HEADER_SIZE)];
  for (let at = HEADER_SIZE; component[at] !== CORE_MODULE_SECTION; ) {
    const [size, body] = readLeb128(component, at + 1);
    if (component[at] !== CUSTOM_SECTION) kept.push(component.subarray(at, body + size));
    at = body + size;
    if (at >= component.length) throw new Error('the component has no core module');
  }
  return Buffer.concat(kept);
}

/** The text of the WASI packages, each as a nested `package a:b@v { … }` of another text. */
export async function wasiPackages() {
  const texts = WASI_PACKAGES.map(async (name) => {
    const file = path.join(jcoLib, 'wit', 'builtin', WASI_VERSION, `wasi-${name}`, 'package.wit');
    const text = await readFile(file, 'utf8');
    return `${text.replace(/package (wasi:[a-z]+@[0-9.]+);/, 'package $1 {')}\n}\n`;
  });
  return `\n${(await Promise.all(texts)).join('')}`;
}

function readLeb128(bytes, at) {
  let [value, shift, byte] = [0, 0, 0];
  do {
    byte = bytes[at++];
    value += (byte & 127) * 2 ** shift;
    shift += 7;
  } while (byte & 128);
  return [value, at];
}

async function main() {
  const { values } = parseArgs({
    options: {
      wit: { type: 'string', multiple: true },
      world: { type: 'string' },
      core: { type: 'string' },
      adapter: { type: 'string' },
      dummy: { type: 'boolean', default: false },
      prefix: { type: 'boolean', default: false },
      plain: { type: 'boolean', default: false },
      output: { type: 'string', short: 'o' },
    },
  });
  const { wit, world, core, adapter, dummy, plain, output } = values;
  if (!wit || !world || !output || dummy === Boolean(core))
    throw new Error('needs --wit, --world, -o, and one of --core and --dummy');
  if (adapter && !['reactor', 'command'].includes(adapter))
    throw new Error(`--adapter is reactor or command, not ${adapter}`);
  const component = await componentize({
    core: core && (await readFile(core)),
    wit: (await Promise.all(wit.map((file) => readFile(file, 'utf8')))).join('\n'),
    world,
    adapter,
    dummy,
    plain,
  });
  await writeFile(output, values.prefix ? prefix(component) : component);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await main();
  } catch (error) {
    console.error(`componentize: ${error.message ?? error}`);
    process.exitCode = 1;
  }
}
