// Patterns for paths: `*` and `?` in a name, `**` for any number of directories, `[a-z]`, and
// `{a,b}` for either. Nothing is tried twice at the same place: no pattern is slow.
#pragma once
#include "base.h"

enum { GLOB_MAX = 1024, GLOB_MAX_WAYS = 64 };

static inline u32 glob_class(Text pattern, u32 at, u32 c, int *takes) {
  u32 start = at, negated = 0, found = 0;
  at++;
  if (at < pattern.size && (pattern.data[at] == '!' || pattern.data[at] == '^')) negated = 1, at++;
  for (u32 first = 1; at < pattern.size && (first || pattern.data[at] != ']'); first = 0) {
    u32 low = next_character(pattern, &at), high = low;
    if (at + 1 < pattern.size && pattern.data[at] == '-' && pattern.data[at + 1] != ']') {
      at++;
      high = next_character(pattern, &at);
    }
    found |= c >= low && c <= high;
  }
  if (at >= pattern.size) return start;  // a [ without its ] is itself
  *takes = found != negated && c != '/';
  return at + 1;
}

// Whether the path is one of the pattern, without braces. Keeps the set of places in the pattern
// where a match could be, one character of the path after the other.
static inline int glob_one(Text pattern, Text path) {
  u8 now[GLOB_MAX + 1] = {0}, next[GLOB_MAX + 1];
  if (pattern.size > GLOB_MAX) return 0;
  now[0] = 1;
  for (u32 at = 0;;) {
    // What needs no character: `*`, and `**/` at the beginning of a name.
    for (u32 i = 0; i < pattern.size; i++) {
      if (!now[i] || pattern.data[i] != '*') continue;
      now[i + 1] = 1;
      int directories = i + 2 < pattern.size && pattern.data[i + 1] == '*' &&
                        pattern.data[i + 2] == '/' && (i == 0 || pattern.data[i - 1] == '/');
      if (directories && (at == 0 || path.data[at - 1] == '/')) now[i + 3] = 1;
    }
    if (at >= path.size) break;
    u32 c = next_character(path, &at);
    __builtin_memset(next, 0, pattern.size + 1);
    for (u32 i = 0; i < pattern.size; i++) {
      if (!now[i]) continue;
      u8 p = pattern.data[i];
      int whole = (i == 0 || pattern.data[i - 1] == '/' ) && i + 1 < pattern.size &&
                  pattern.data[i + 1] == '*' &&
                  (i + 2 == pattern.size || pattern.data[i + 2] == '/');
      u32 after = i;
      if (p == '*') {
        if (whole || c != '/') next[i] = 1;
        continue;
      }
      if (p == '?') {
        if (c != '/') next[i + 1] = 1;
        continue;
      }
      int takes = 0;
      u32 beyond = p == '[' ? glob_class(pattern, i, c, &takes) : i;
      if (beyond != i) {
        if (takes) next[beyond] = 1;
        continue;
      }
      if (p == '\\' && i + 1 < pattern.size) after++;
      if ((p & 0xC0) == 0x80) continue;  // inside of a character
      if (next_character(pattern, &after) == c) next[after] = 1;
    }
    __builtin_memcpy(now, next, pattern.size + 1);
  }
  return now[pattern.size];
}

// The pattern with the first choice of its braces, and so on: `ways` counts what was tried.
static inline int glob_ways(Text pattern, Text path, u32 *ways) {
  u32 open = 0, depth = 0;
  while (open < pattern.size && pattern.data[open] != '{') open++;
  u32 close = open;
  for (; close < pattern.size; close++) {
    depth += pattern.data[close] == '{';
    if (pattern.data[close] == '}' && !--depth) break;
  }
  if (close >= pattern.size) return glob_one(pattern, path);
  u32 start = open + 1;
  depth = 0;
  for (u32 i = open + 1; i <= close; i++) {
    u8 c = pattern.data[i];
    if (i < close && (c != ',' || depth)) {
      depth += (c == '{') - (c == '}');
      continue;
    }
    if (++*ways > GLOB_MAX_WAYS) return 0;
    u32 mark = arena_end;
    Text way = joined3(part(pattern, 0, open), part(pattern, start, i),
                       part(pattern, close + 1, pattern.size));
    int found = glob_ways(way, path, ways);
    arena_end = mark;
    if (found) return 1;
    start = i + 1;
  }
  return 0;
}

static inline int glob_matches(Text pattern, Text path) {
  u32 ways = 0;
  return pattern.size <= GLOB_MAX && glob_ways(pattern, path, &ways);
}
