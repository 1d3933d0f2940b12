// node tests/components/build-js.mjs [--disable FEATURE]... [--docs] FOLDER WORLD OUTPUT
//
// FOLDER has component.js and component.wit. With --docs the doc comments are added, as authors
// do with tools made for it; componentize-js keeps none.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { componentize } from '@bytecodealliance/componentize-js';
import { withDocs } from '../../scripts/componentize.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    disable: { type: 'string', multiple: true, default: [] },
    docs: { type: 'boolean', default: false },
  },
});
const [folder, world, output] = positionals;
const wit = path.resolve(folder, 'component.wit');
const { component } = await componentize({
  sourcePath: path.resolve(folder, 'component.js'),
  witPath: wit,
  worldName: world,
  disableFeatures: values.disable,
});
const documented = () => readFile(wit, 'utf8').then((text) => withDocs(component, text, world));
await writeFile(output, values.docs ? await documented() : component);
