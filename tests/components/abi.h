// What the C fixtures share: the canonical ABI's types, and its memory. Nothing is freed, except
// by what is made with a libc: an instance serves few calls.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef long long i64;

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name))) extern
#define EXPORT(name) __attribute__((export_name(name)))
#define LENGTH(array) (sizeof(array) / sizeof *(array))

typedef struct { const char *data; u32 size; } Text;
#define TEXT(literal) ((Text){(literal), sizeof(literal) - 1})

// list<T>
typedef struct { void *data; u32 count; } List;

// option<string>
typedef struct { u8 is_some; Text text; } Option;

// result<string, string> and result<_, string>
typedef struct { u8 is_error; Text text; } Result;

void *allocate(u32 size, u32 align);

static inline Text joined(Text a, Text b) {
  char *text = allocate(a.size + b.size, 1);
  for (u32 i = 0; i < a.size; i++) text[i] = a.data[i];
  for (u32 i = 0; i < b.size; i++) text[a.size + i] = b.data[i];
  return (Text){text, a.size + b.size};
}

#ifdef WITH_LIBC
#include <stdlib.h>

void *allocate(u32 size, u32 align) {
  (void)align; // malloc's alignment is that of any type
  void *block = malloc(size ? size : 1);
  if (!block) __builtin_trap();
  return block;
}

EXPORT("cabi_realloc")
void *cabi_realloc(void *old, u32 old_size, u32 align, u32 size) {
  (void)old_size, (void)align;
  void *block = realloc(old, size ? size : 1);
  if (!block) __builtin_trap();
  return block;
}
#else
extern u8 __heap_base;
static u32 heap_next; // set it back to an earlier value to free what was allocated since

void *allocate(u32 size, u32 align) {
  if (!heap_next) heap_next = (u32)&__heap_base;
  u64 start = ((u64)heap_next + align - 1) / align * align, end = start + size;
  u64 memory = (u64)__builtin_wasm_memory_size(0) << 16;
  if (end > memory) {
    u64 pages = (end - memory + 0xFFFF) >> 16;
    if (__builtin_wasm_memory_grow(0, (u32)pages) == (__SIZE_TYPE__)-1) __builtin_trap();
  }
  heap_next = (u32)end;
  return (void *)(u32)start;
}

EXPORT("cabi_realloc")
void *cabi_realloc(u8 *old, u32 old_size, u32 align, u32 size) {
  u8 *block = allocate(size, align);
  for (u32 i = 0; i < old_size && i < size; i++) block[i] = old[i];
  return block;
}
#endif
