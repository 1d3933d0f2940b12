// node build.mjs SOURCE WIT WORLD OUTPUT [DISABLED FEATURE]...
//
// Makes a component of JavaScript. Lies in the directory that the tool chain is installed in.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { componentize } from '@bytecodealliance/componentize-js';

const [source, wit, world, output, ...disabled] = process.argv.slice(2);
try {
  const { component } = await componentize({
    sourcePath: path.resolve(source),
    witWorld: await readFile(wit, 'utf8'),
    worldName: world,
    disableFeatures: disabled,
  });
  await writeFile(output, component);
} catch (error) {
  console.error(String(error.message ?? error));
  process.exitCode = 1;
}
