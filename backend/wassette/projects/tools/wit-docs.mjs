// The doc comments of a WIT package, as the `package-docs` custom section of a component.
//
// A component's types carry no comments, so the tools that encode one drop them. `wit-parser`
// keeps those of an encoded WIT package in this section (crates/wit-parser/src/metadata.rs: a
// version byte, then JSON), and its decoder reads the section of a component too. That is also
// where Wassette looks for the descriptions of tools.

const SECTION = 'package-docs';
const VERSION = 1;
// A component's own name for its world, whatever the WIT calls it: decoders refuse docs of others.
const WORLD_OF_COMPONENT = 'root';
const TOKEN = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|%?[A-Za-z0-9][A-Za-z0-9-]*|->|\S/g;
const TYPES = new Set(['record', 'variant', 'enum', 'flags', 'resource', 'type']);
const OPEN = new Set(['{', '(', '<']);
const CLOSE = new Set(['}', ')', '>']);

/**
 * The `package-docs` section (id, size and all) for what `world` exports, to be appended to a
 * component; empty when nothing is documented.
 *
 * Only what the world exports is described: the functions of an imported interface that the
 * component does not call are not in its types, and decoders refuse docs of what is not there.
 */
export function packageDocsSection(wit, world) {
  const text = new TextEncoder();
  const found = parse(wit);
  const target = found.worlds[world];
  if (!target) throw new Error(`the WIT of ${found.package} has no world ${world}`);
  const { exported, ...described } = target;
  const interfaces = exported
    .filter((name) => found.interfaces[name])
    .map((name) => [name, pruned(found.interfaces[name])]);
  const worlds = [[WORLD_OF_COMPONENT, pruned(described)]];
  const documented = ([, item]) => Object.keys(item).length > 0;
  const json = pruned({
    docs: found.docs,
    worlds: Object.fromEntries(worlds.filter(documented)),
    interfaces: Object.fromEntries(interfaces.filter(documented)),
  });
  if (Object.keys(json).length === 0) return new Uint8Array();
  const name = text.encode(SECTION);
  const body = [name.length, ...name, VERSION, ...text.encode(JSON.stringify(json))];
  return Uint8Array.from([0, ...leb128(body.length), ...body]);
}

/** The first package of the text: its docs, worlds and interfaces (nested packages are skipped). */
function parse(wit) {
  const tokens = tokenize(wit);
  const found = { package: '', docs: undefined, worlds: {}, interfaces: {} };
  let at = 0;
  const head = () => tokens[at]?.text;
  const until = (end) => {
    let text = '';
    while (at < tokens.length && head() !== end) text += tokens[at++].text;
    return text;
  };
  while (at < tokens.length) {
    const { text, docs } = tokens[at++];
    if (text === 'package') {
      const start = at;
      while (at < tokens.length && ![';', '{'].includes(head())) at++;
      if (head() === '{') at = skip(tokens, at);
      else [found.package, found.docs] = [join(tokens, start, at++), docs];
    } else if (text === 'interface') {
      const name = plain(tokens[at++].text);
      [found.interfaces[name], at] = parseInterface(tokens, at, docs);
    } else if (text === 'world') {
      const name = plain(tokens[at++].text);
      [found.worlds[name], at] = parseWorld(tokens, at, docs);
    } else if (text === '@') {
      at = skipAttribute(tokens, at, docs);
    } else {
      until(';');
      at++;
    }
  }
  return found;
}

function parseWorld(tokens, at, docs) {
  const world = { docs, exported: [], types: {}, func_exports: {}, interface_exports: {} };
  at++; // {
  while (tokens[at].text !== '}') {
    const item = tokens[at++];
    if (item.text === '@') at = skipAttribute(tokens, at, item.docs);
    else if (item.text === 'export') {
      const name = plain(tokens[at].text);
      if (tokens[at + 1].text !== ':') {
        world.exported.push(name);
        at = end(tokens, at);
      } else if (tokens[at + 2].text === 'interface') {
        [world.interface_exports[name], at] = parseInterface(tokens, at + 3, item.docs);
      } else if (['func', 'async'].includes(tokens[at + 2].text)) {
        if (item.docs) world.func_exports[name] = { docs: item.docs };
        at = end(tokens, at);
      } else {
        at = end(tokens, at); // an interface of another package
      }
    } else if (TYPES.has(item.text)) at = parseType(tokens, at, item, world.types, {});
    else at = end(tokens, at);
  }
  world.interface_exports = Object.fromEntries(
    Object.entries(world.interface_exports).map(([name, item]) => [name, pruned(item)]),
  );
  return [world, at + 1];
}

function parseInterface(tokens, at, docs) {
  const found = { docs, funcs: {}, types: {} };
  at++; // {
  while (tokens[at].text !== '}') {
    const item = tokens[at++];
    if (item.text === '@') at = skipAttribute(tokens, at, item.docs);
    else if (TYPES.has(item.text)) at = parseType(tokens, at, item, found.types, found.funcs);
    else {
      if (item.docs && tokens[at].text === ':') found.funcs[plain(item.text)] = { docs: item.docs };
      at = end(tokens, at);
    }
  }
  return [found, at + 1];
}

/** A type into `types`, and if it is a resource its functions into `funcs`. */
function parseType(tokens, at, { text: kind, docs }, types, funcs) {
  const name = plain(tokens[at++].text);
  const type = { docs, items: {} };
  if (tokens[at].text !== '{') at = end(tokens, at);
  else if (kind === 'resource') at = parseMethods(tokens, at, name, funcs);
  else at = parseItems(tokens, at, type.items);
  const kept = pruned(type);
  if (Object.keys(kept).length > 0) types[name] = kept;
  return at;
}

/** The fields or cases of a type. */
function parseItems(tokens, at, items) {
  at++; // {
  while (tokens[at].text !== '}') {
    const { text, docs } = tokens[at];
    if (docs) items[plain(text)] = docs;
    while (tokens[at].text !== ',' && tokens[at].text !== '}')
      at = OPEN.has(tokens[at].text) ? skip(tokens, at) : at + 1;
    if (tokens[at].text === ',') at++;
  }
  return at + 1;
}

/** A resource's functions, under the names that the binary format gives them. */
function parseMethods(tokens, at, resource, funcs) {
  at++; // {
  while (tokens[at].text !== '}') {
    const { text, docs } = tokens[at++];
    const kind = tokens[at + 1].text === 'static' ? 'static' : 'method';
    const method = `[${kind}]${resource}.${plain(text)}`;
    if (docs) funcs[text === 'constructor' ? `[constructor]${resource}` : method] = { docs };
    at = end(tokens, at);
  }
  return at + 1;
}

/** Words, punctuation and names; `docs` is the doc comment that stands before a token. */
function tokenize(wit) {
  const tokens = [];
  let lines = [];
  for (const [text] of wit.matchAll(TOKEN)) {
    if (text.startsWith('///')) lines.push(text.slice(3).replace(/^\/+/, '').trim());
    else if (text.startsWith('/**') && text.length > 4)
      lines.push(...text.slice(3, -2).trim().split('\n'));
    else if (!text.startsWith('//') && !text.startsWith('/*')) {
      tokens.push({ text, docs: lines.join('\n').trimEnd() || undefined });
      lines = [];
    }
  }
  return tokens;
}

/** The index after the bracket that closes the one at `at`. */
function skip(tokens, at) {
  let depth = 0;
  do {
    if (OPEN.has(tokens[at].text)) depth++;
    if (CLOSE.has(tokens[at].text)) depth--;
    at++;
  } while (depth > 0);
  return at;
}

/** The index after the item at `at`: after its `;`, or after its block. */
function end(tokens, at) {
  for (;;) {
    const { text } = tokens[at];
    if (text === ';') return at + 1;
    const block = text === '{';
    at = OPEN.has(text) ? skip(tokens, at) : at + 1;
    if (block) return tokens[at]?.text === ';' ? at + 1 : at;
  }
}

/** The index after `@since(…)`; the docs before it belong to what follows. */
function skipAttribute(tokens, at, docs) {
  at++;
  if (tokens[at].text === '(') at = skip(tokens, at);
  tokens[at].docs ??= docs;
  return at;
}

const join = (tokens, from, to) => tokens.slice(from, to).map((token) => token.text).join('');
const plain = (name) => name.replace(/^%/, '');

/** Without the members that are undefined or have none of their own. */
function pruned(object) {
  const empty = (value) =>
    value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(object).filter(([, value]) => !empty(value)));
}

export function leb128(n) {
  const bytes = [];
  do {
    bytes.push(n > 127 ? (n & 127) | 128 : n);
    n >>>= 7;
  } while (n > 0);
  return bytes;
}
