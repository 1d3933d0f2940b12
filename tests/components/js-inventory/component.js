const store = new Map();

export const items = {
  add(item) {
    if (store.has(item.id)) throw { tag: 'exists', val: item.id };
    if (item.name === '') throw { tag: 'invalid', val: ['name', 'is empty'] };
    if (store.size >= 100) throw { tag: 'full' };
    store.set(item.id, item);
    return item;
  },

  search({ text, maxPrice, storage, scope, limit }) {
    const matches = (item) =>
      (scope.archived || !item.archived) &&
      (text === undefined ||
        (scope.names && item.name.includes(text)) ||
        (scope.tags && item.tags.includes(text))) &&
      (maxPrice === undefined || item.price <= maxPrice) &&
      (storage === undefined || item.storage === storage);
    return [...store.values()].filter(matches).sort((a, b) => a.id - b.id).slice(0, limit);
  },

  describe({ tag, val }) {
    switch (tag) {
      case 'circle': return `a circle of radius ${val}`;
      case 'rectangle': return `a rectangle of ${val[0]} by ${val[1]}`;
      case 'polygon': return `a polygon of ${val.length} points`;
      default: return 'a shape that nobody knows';
    }
  },

  echoBytes: (data) => data,
};
