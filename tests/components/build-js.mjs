// node tests/components/build-js.mjs [--disable FEATURE]... [--docs] FOLDER WORLD OUTPUT
//
// FOLDER has component.js and component.wit. With --docs the doc comments are added, as authors
// do with tools made for it; componentize-js keeps none. The WIT can import any interface of WASI.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { componentize } from '@bytecodealliance/componentize-js';
import { wasiPackages, withDocs } from '../../backend/wassette/projects/tools/componentize.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    disable: { type: 'string', multiple: true, default: [] },
    docs: { type: 'boolean', default: false },
  },
});
const [folder, world, output] = positionals;
const wit = path.resolve(folder, 'component.wit');
const text = await readFile(wit, 'utf8');
const { component } = await componentize({
  sourcePath: path.resolve(folder, 'component.js'),
  witWorld: text + (await wasiPackages()),
  worldName: world,
  disableFeatures: values.disable,
});
await writeFile(output, values.docs ? withDocs(component, text, world) : component);
