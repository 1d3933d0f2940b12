// Every function of the world in wit/world.wit is an export, in camelCase. Throw what the `err` is
// to be. Options are `undefined` or the value, records are objects with fields in camelCase.

export function greet(who) {
  if (who === '') throw 'nobody to greet';
  return `Hello, ${who}!`;
}

export function countWords(text) {
  return text.split(/\s+/).filter(Boolean).length;
}
