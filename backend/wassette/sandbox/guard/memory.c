#include "memory.h"

enum { PAGE = 65536, SMALLEST = 5, MOST = 1 << 30 };  // bytes; sizes are powers of two from 32

// ---- kept memory: a free list for each power of two, filled from fresh pages ----

static void *free_lists[32];
static u32 fresh_at, fresh_end;

static u32 class_of(u32 size) {
  u32 class = SMALLEST;
  if (size > MOST) __builtin_trap();
  while ((1u << class) < size) class++;
  return class;
}

static u32 new_pages(u32 count) {
  size before = __builtin_wasm_memory_grow(0, count);
  if (before == (size)-1) __builtin_trap();
  return (u32)before * PAGE;
}

void *keep(u32 wanted) {
  u32 class = class_of(wanted), bytes = 1u << class;
  void *memory = free_lists[class];
  if (memory) {
    free_lists[class] = *(void **)memory;
    return memory;
  }
  if (bytes >= PAGE) return (void *)(size)new_pages(bytes / PAGE);
  if (fresh_end - fresh_at < bytes) {
    fresh_at = new_pages(1);
    fresh_end = fresh_at + PAGE;
  }
  fresh_at += bytes;
  return (void *)(size)(fresh_at - bytes);
}

void give_back(void *memory, u32 wanted) {
  u32 class = class_of(wanted);
  *(void **)memory = free_lists[class];
  free_lists[class] = memory;
}

// ---- scratch memory ----
//
// Arguments are allocated before an export is entered and its results are read after it has
// returned, so neither entry nor exit may empty it: leaving marks it stale, and the next
// allocation or entry empties it.

typedef struct Large { struct Large *next; u32 size; } Large;

static u8 small[PAGE] __attribute__((aligned(8)));
static u32 used;
static Large *large;  // what did not fit
static int stale;

void enter(void) {
  if (!stale) return;
  stale = 0;
  used = 0;
  while (large) {
    Large *one = large;
    large = one->next;
    give_back(one, one->size);
  }
}

void leave(void) { stale = 1; }

void *scratch(u32 wanted) {
  enter();
  u32 at = (used + 7) & ~7u;
  if (wanted <= PAGE && at + wanted <= PAGE) {
    used = at + wanted;
    return small + at;
  }
  if (wanted > MOST - sizeof(Large)) __builtin_trap();
  Large *one = keep(wanted + (u32)sizeof *one);
  one->size = wanted + (u32)sizeof *one;
  one->next = large;
  large = one;
  return one + 1;
}

u32 scratch_mark(void) { return used; }
void scratch_release(u32 mark) { used = mark; }

EXPORT("cabi_realloc")
void *cabi_realloc(void *old, u32 old_size, u32 align, u32 new_size) {
  (void)align;  // 8 is enough for every type
  void *memory = scratch(new_size);
  if (old) copy(memory, old, old_size < new_size ? old_size : new_size);
  return memory;
}
