// What functions with texts and numbers need of the component model's canonical ABI. Numbers are passed
// as they are; a `string` is a pointer and a size; a `result<string, string>` is returned by a pointer.
// For records, lists and variants, `wit-bindgen c` writes such code.
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(name)))

typedef struct { char *data; uint32_t size; } Text;
#define TEXT(literal) ((Text){(char *)(literal), sizeof(literal) - 1})
#define TEXT_ARGUMENT(name) char *name##_data, uint32_t name##_size
#define ARGUMENT(name) ((Text){name##_data, name##_size})

// result<string, string>
typedef struct { uint8_t is_error; Text text; } TextResult;

// All that was allocated for a call is freed after it: arguments, and what `allocate_text` gave.
typedef struct Block { struct Block *next; } Block;
static Block *blocks;

static inline void *allocate(uint32_t size) {
  Block *block = malloc(16 + size);
  if (!block) abort();
  block->next = blocks;
  blocks = block;
  return (char *)block + 16; // aligned for any type
}

static inline void free_all(void) {
  while (blocks) {
    Block *next = blocks->next;
    free(blocks);
    blocks = next;
  }
}

EXPORT("cabi_realloc")
void *cabi_realloc(void *old, uint32_t old_size, uint32_t align, uint32_t size) {
  (void)align;
  void *block = allocate(size);
  if (old_size) memcpy(block, old, old_size < size ? old_size : size);
  return block;
}

static inline Text allocate_text(uint32_t size) { return (Text){allocate(size), size}; }

static inline TextResult *answer(uint8_t is_error, Text text) {
  static TextResult result;
  result = (TextResult){is_error, text};
  return &result;
}
static inline TextResult *ok(Text text) { return answer(0, text); }
static inline TextResult *error(Text text) { return answer(1, text); }

// After a function that returns a text: once the text was read, everything goes.
#define FREE_AFTER(name) \
  __attribute__((export_name("cabi_post_" name))) void FREE_NAME(__LINE__)(void *result) { (void)result; free_all(); }
#define FREE_NAME(line) FREE_JOINED(line)
#define FREE_JOINED(line) free_after_##line
