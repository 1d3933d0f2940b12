// Knuth-Morris-Pratt: finds a text in another; no text makes it slow.
#pragma once
#include "base.h"

typedef struct { Text find; u32 *fallback; u32 matched; } Search;

static inline Search search_for(Text find) {
  Search search = {find, allocate_array(find.size + 1, 4), 0};
  search.fallback[0] = 0;
  for (u32 i = 1, length = 0; i < find.size; i++) {
    while (length && find.data[i] != find.data[length]) length = search.fallback[length - 1];
    length += find.data[i] == find.data[length];
    search.fallback[i] = length;
  }
  return search;
}

// Takes the next byte; true if it ends an occurrence. Occurrences do not overlap.
static inline int search_byte(Search *search, u8 byte) {
  while (search->matched && byte != search->find.data[search->matched])
    search->matched = search->fallback[search->matched - 1];
  search->matched += byte == search->find.data[search->matched];
  if (search->matched < search->find.size) return 0;
  search->matched = 0;
  return 1;
}

// Where `find` begins in the text; its size if it does not occur. An empty one is at 0.
static inline u32 position_of(Text text, Text find) {
  if (!find.size) return 0;
  Search search = search_for(find);
  for (u32 i = 0; i < text.size; i++)
    if (search_byte(&search, text.data[i])) return i + 1 - find.size;
  return text.size;
}
