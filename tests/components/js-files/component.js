import { getDirectories } from 'wasi:filesystem/preopens@0.2.12';

const FOLLOW = { symlinkFollow: true };
const asJson = (_, value) => (typeof value === 'bigint' ? Number(value) : value);

const root = () => getDirectories()[0][0];

function open(path) {
  return path === '' ? root() : root().openAt(FOLLOW, path, {}, { read: true });
}

function entries(stream) {
  const names = [];
  for (let entry; (entry = stream.readDirectoryEntry()); ) names.push(entry.name);
  return names.sort();
}

function shown(value) {
  if (value && typeof value.readDirectoryEntry === 'function') return entries(value);
  if (value && typeof value === 'object' && typeof value.getType === 'function') return value.getType();
  if (Array.isArray(value) && ArrayBuffer.isView(value[0]))
    return new TextDecoder().decode(value[0]);
  return value ?? null;
}

export const directories = () => getDirectories().map(([, name]) => name);

export function invoke(path, method, args) {
  try {
    const given = JSON.parse(args).map((one) =>
      one && typeof one === 'object' && 'open' in one ? open(one.open)
      : one && typeof one === 'object' && 'big' in one ? BigInt(one.big)
      : one && typeof one === 'object' && 'bytes' in one ? new TextEncoder().encode(one.bytes)
      : one);
    return JSON.stringify(shown(open(path)[method](...given)), asJson);
  } catch (error) {
    return String(error.payload ?? error);
  }
}

export function hold(path, count) {
  const held = [];
  const start = root();
  try {
    while (held.length < count)
      held.push(start.openAt(FOLLOW, path || '.', {}, { read: true }));
    return `${held.length}`;
  } catch (error) {
    return `${held.length} ${error.payload ?? error}`;
  }
}
