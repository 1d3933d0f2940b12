// Two kinds of memory: what one call works with, and what is kept from call to call.
//
// Running out of memory traps, which ends the call and nothing else.
#pragma once
#include "abi.h"

// An exported function begins with `enter` and ends with `leave`.
void enter(void);
void leave(void);

// Memory until the next call.
void *scratch(u32 size);
// To use scratch memory again within a call: everything since the mark is free.
u32 scratch_mark(void);
void scratch_release(u32 mark);

// Memory until it is given back, with its size.
void *keep(u32 size);
void give_back(void *memory, u32 size);

static inline void copy(void *to, const void *from, u32 size) { __builtin_memcpy(to, from, size); }

static inline int same(const char *a, const char *b, u32 size) {
  for (u32 i = 0; i < size; i++)
    if (a[i] != b[i]) return 0;
  return 1;
}
