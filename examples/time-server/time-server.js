// The smallest useful component: a clock is all that it needs, and every component has one.

export function getCurrentTime() {
  return new Date().toISOString();
}

export function secondsBetween(start, end) {
  const [from, to] = [start, end].map((text) => {
    const time = Date.parse(text);
    if (Number.isNaN(time)) throw `not a time as ISO 8601: ${text}`;
    return time;
  });
  return (to - from) / 1000;
}
