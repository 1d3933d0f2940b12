// What the starters are made of: freestanding C, the canonical ABI by hand.
//
// Memory is one arena that starts over after each call: arguments, working memory and the result
// are laid one after the other. Nothing is kept between calls.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef long long i64;

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name))) extern
#define EXPORT(name) __attribute__((export_name(name)))
#define COUNT(array) (sizeof(array) / sizeof *(array))

// ---- memory ----

enum { PAGE = 65536, GROWTH = 16 };
extern u8 __heap_base;
static u32 arena_end;    // where the next block goes; 0 before the first one
static u32 memory_end;   // the memory's size, at most 4 GiB - 64 KiB

// Makes the arena `size` bytes longer and returns where they start. Out of memory is a trap, so
// whatever takes much limits what it takes first.
static inline u8 *extend(u32 size) {
  if (!arena_end) {
    arena_end = (u32)&__heap_base;
    memory_end = __builtin_wasm_memory_size(0) * PAGE;
  }
  u64 end = (u64)arena_end + size;
  if (end > memory_end) {
    u64 pages = (end - memory_end + PAGE - 1) / PAGE;
    u64 limit = 65535 - memory_end / PAGE;
    if (pages > limit) __builtin_trap();
    u32 generous = pages + GROWTH < limit ? (u32)pages + GROWTH : (u32)pages;
    if (__builtin_wasm_memory_grow(0, generous) == (__SIZE_TYPE__)-1) {
      if (__builtin_wasm_memory_grow(0, (u32)pages) == (__SIZE_TYPE__)-1) __builtin_trap();
      generous = (u32)pages;
    }
    memory_end += generous * PAGE;
  }
  u8 *block = (u8 *)arena_end;
  arena_end = (u32)end;
  return block;
}

static inline void *allocate(u32 size, u32 align) {
  u32 misaligned = (u32)extend(0) % align;
  if (misaligned) extend(align - misaligned);
  return extend(size);
}

// An array; more than fits in memory is a trap, never less than was asked for.
static inline void *allocate_array(u32 count, u32 size) {
  u64 bytes = (u64)count * size;
  if (bytes > 0xFFFFFFFF) __builtin_trap();
  return allocate((u32)bytes, 8);
}

EXPORT("cabi_realloc")
void *cabi_realloc(u8 *old, u32 old_size, u32 align, u32 new_size) {
  if (old_size && (u32)old + old_size == arena_end && new_size >= old_size) {
    extend(new_size - old_size);
    return old;
  }
  u8 *block = allocate(new_size, align);
  __builtin_memcpy(block, old, old_size < new_size ? old_size : new_size);
  return block;
}

// A result is read before its function's post-return is called: then all can go. (A function can
// be exported under one name only.)
static inline void start_over(void) { arena_end = (u32)&__heap_base; }
#define AFTER(function, name) \
  EXPORT("cabi_post_" name) void after_##function(void *result) { (void)result; start_over(); }

// ---- texts ----

typedef struct { const u8 *data; u32 size; } Text;
#define TEXT(literal) ((Text){(const u8 *)(literal), sizeof(literal) - 1})

static inline int compare_bytes(const u8 *a, const u8 *b, u32 size) {
  for (u32 i = 0; i < size; i++)
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}
static inline int same(Text a, Text b) {
  return a.size == b.size && !compare_bytes(a.data, b.data, a.size);
}
static inline Text part(Text text, u32 from, u32 to) {
  return (Text){text.data + from, to - from};
}
static inline int starts_with(Text text, Text start) {
  return text.size >= start.size && same(part(text, 0, start.size), start);
}
static inline int ends_with(Text text, Text end) {
  return text.size >= end.size && same(part(text, text.size - end.size, text.size), end);
}

// The order of UTF-8 bytes is that of code points.
static inline int order(Text a, Text b) {
  u32 both = a.size < b.size ? a.size : b.size;
  int first = both ? compare_bytes(a.data, b.data, both) : 0;
  return first ? first : a.size < b.size ? -1 : a.size > b.size;
}

static inline int is_upper(u8 c) { return c >= 'A' && c <= 'Z'; }
static inline int is_lower(u8 c) { return c >= 'a' && c <= 'z'; }
static inline int is_digit(u8 c) { return c >= '0' && c <= '9'; }
static inline u8 to_upper(u8 c) { return is_lower(c) ? c - 32 : c; }
static inline u8 to_lower(u8 c) { return is_upper(c) ? c + 32 : c; }

static inline int same_letters(Text a, Text b) {  // whatever the case, of ASCII letters
  if (a.size != b.size) return 0;
  for (u32 i = 0; i < a.size; i++)
    if (to_lower(a.data[i]) != to_lower(b.data[i])) return 0;
  return 1;
}

static inline int hex_value(u8 c) {
  return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static inline Text trimmed(Text text) {
  while (text.size && text.data[0] <= ' ') text.data++, text.size--;
  while (text.size && text.data[text.size - 1] <= ' ') text.size--;
  return text;
}

// Where `find` is in `text` from `from` on; the size of the text if it is not. No text makes it
// slow: `find` is not long, or the text is not.
static inline u32 find_in(Text text, Text find, u32 from) {
  if (!find.size) return from;
  for (u64 i = from; i + find.size <= text.size; i++)
    if (text.data[i] == find.data[0] && same(part(text, (u32)i, (u32)i + find.size), find))
      return (u32)i;
  return text.size;
}

// The character at `*at`, which moves on. A byte that begins no UTF-8 counts as one of its own,
// U+FFFD, so no text leads beyond its end.
static inline u32 next_character(Text text, u32 *at) {
  u8 c = text.data[(*at)++];
  if (c < 0x80) return c;
  u32 more = c < 0xC2 ? 0 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : c < 0xF5 ? 3 : 0;
  if (!more || text.size - *at < more) return 0xFFFD;
  u32 value = c & (0x3F >> more);
  for (u32 i = 0; i < more; i++) {
    if ((text.data[*at + i] & 0xC0) != 0x80) return 0xFFFD;
    value = value << 6 | (text.data[*at + i] & 0x3F);
  }
  if (value < (more == 1 ? 0x80u : more == 2 ? 0x800u : 0x10000u) || value > 0x10FFFF ||
      (value >= 0xD800 && value <= 0xDFFF))
    return 0xFFFD;
  *at += more;
  return value;
}

// The first byte that is not part of valid UTF-8 (no surrogates, no longer forms than needed), or
// the size.
static inline u32 utf8_end(Text text) {
  u32 at = 0;
  while (at < text.size) {
    u32 start = at;
    if (next_character(text, &at) == 0xFFFD && at - start != 3) return start;
  }
  return at;
}

// ---- writing ----

// A text that grows. Where it is at the end of the arena it grows in place.
typedef struct { u8 *data; u32 size, room; } Buffer;

static inline u8 *more(Buffer *out, u32 size) {
  if (out->room - out->size < size) {
    u64 wanted = (u64)out->size + size;
    u64 room = wanted < 256 ? 256 : wanted + wanted / 2;
    if (room > 0xFFFFFFFF) __builtin_trap();
    if (out->data && out->data + out->room == extend(0)) {
      extend((u32)room - out->room);
    } else {
      u8 *data = extend((u32)room);
      if (out->size) __builtin_memcpy(data, out->data, out->size);
      out->data = data;
    }
    out->room = (u32)room;
  }
  out->size += size;
  return out->data + out->size - size;
}
static inline void add(Buffer *out, u8 byte) { *more(out, 1) = byte; }
static inline void add_text(Buffer *out, Text text) {
  if (text.size) __builtin_memcpy(more(out, text.size), text.data, text.size);
}
#define ADD(out, literal) add_text(out, TEXT(literal))
static inline void add_number(Buffer *out, u64 value, u32 digits) {
  u8 *at = more(out, digits);
  for (; digits; value /= 10) at[--digits] = '0' + value % 10;
}
static inline void add_decimal(Buffer *out, u64 value) {
  u32 digits = 1;
  for (u64 rest = value; rest > 9; rest /= 10) digits++;
  add_number(out, value, digits);
}
static inline void add_hex(Buffer *out, u64 value, u32 digits) {
  while (digits) add(out, "0123456789abcdef"[value >> (4 * --digits) & 15]);
}
static inline void add_character(Buffer *out, u32 c) {
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = 0xFFFD;
  if (c < 0x80) {
    add(out, (u8)c);
  } else if (c < 0x800) {
    add(out, (u8)(0xC0 | c >> 6)), add(out, (u8)(0x80 | (c & 63)));
  } else if (c < 0x10000) {
    add(out, (u8)(0xE0 | c >> 12)), add(out, (u8)(0x80 | (c >> 6 & 63)));
    add(out, (u8)(0x80 | (c & 63)));
  } else {
    add(out, (u8)(0xF0 | c >> 18)), add(out, (u8)(0x80 | (c >> 12 & 63)));
    add(out, (u8)(0x80 | (c >> 6 & 63))), add(out, (u8)(0x80 | (c & 63)));
  }
}

// What was written. Room that is left over is given back, if nothing else has come behind it.
static inline Text finish(Buffer *out) {
  if (out->data && out->data + out->room == extend(0)) arena_end -= out->room - out->size;
  out->room = out->size;
  return (Text){out->data, out->size};
}
#define text_of(out) finish(&(out))

// Bytes as a text: what is not UTF-8 in them becomes U+FFFD, as in browsers.
static inline Text as_utf8(Text bytes) {
  u32 valid = utf8_end(bytes);
  if (valid == bytes.size) return bytes;
  Buffer out = {0};
  add_text(&out, part(bytes, 0, valid));
  while (valid < bytes.size) add_character(&out, next_character(bytes, &valid));
  return text_of(out);
}

// ---- results ----

// result<string, string>, and result<list<…>, string>, whose `text.size` is the count
typedef struct { u8 is_error; Text text; } Result;
// option<string>
typedef struct { u8 is_some; Text text; } OptionalText;
typedef struct { const void *data; u32 count; } List;

static Result result;
static inline Result *return_ok(Text text) {
  result = (Result){0, text};
  return &result;
}
static inline Result *return_list(const void *data, u32 count) {
  return return_ok((Text){data, count});
}
static inline Result *return_error(Text text) {
  result = (Result){1, text};
  return &result;
}
static inline Text joined3(Text a, Text b, Text c) {
  u64 size = (u64)a.size + b.size + c.size;
  if (size > 0xFFFFFFFF) __builtin_trap();
  u8 *text = extend((u32)size);
  if (a.size) __builtin_memcpy(text, a.data, a.size);
  if (b.size) __builtin_memcpy(text + a.size, b.data, b.size);
  if (c.size) __builtin_memcpy(text + a.size + b.size, c.data, c.size);
  return (Text){text, (u32)size};
}

// Runtimes limit what a call may return: a clear answer is better than their trap.
enum { MAX_RESULT = 16 << 20 };
