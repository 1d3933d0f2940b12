// Files by wasi:filesystem. A component sees one root, `/`, with what it was granted below it.
#pragma once
#include "base.h"

#define FILES "wasi:filesystem/types@0.2.12"
typedef struct { u64 seconds; u32 nanoseconds; } Datetime;
typedef struct { u8 is_some; Datetime time __attribute__((aligned(8))); } OptionalTime;
typedef struct {
  u8 type;
  u64 links, size;
  OptionalTime accessed, modified, changed;
} Stat;
typedef struct { u8 is_error; union { u8 error; Stat stat; } value __attribute__((aligned(8))); } StatResult;
typedef struct { u8 is_error, error; } DoneResult;
typedef struct { u8 is_error; union { u8 error; u32 handle; } value; } HandleResult;
typedef struct { u8 is_error; union { u8 error; u64 size; } value __attribute__((aligned(8))); } WriteResult;
typedef struct {
  u8 is_error;
  union { u8 error; struct { const u8 *data; u32 size; u8 ended; } read; } value __attribute__((aligned(4)));
} ReadResult;
typedef struct { u8 type; Text name; } DirectoryEntry;
typedef struct {
  u8 is_error;
  union { u8 error; struct { u8 is_some; DirectoryEntry entry; } next; } value __attribute__((aligned(4)));
} EntryResult;
typedef struct { u32 handle; Text name; } Preopen;

IMPORT("wasi:filesystem/preopens@0.2.12", "get-directories") void get_directories(List *);
IMPORT(FILES, "[method]descriptor.open-at")
void open_at(u32, u32 follow, const u8 *, u32, u32 open, u32 flags, HandleResult *);
IMPORT(FILES, "[method]descriptor.stat-at") void stat_at(u32, u32 follow, const u8 *, u32, StatResult *);
IMPORT(FILES, "[method]descriptor.read") void read_at(u32, u64 size, u64 offset, ReadResult *);
IMPORT(FILES, "[method]descriptor.read-directory") void read_directory(u32, HandleResult *);
IMPORT(FILES, "[method]directory-entry-stream.read-directory-entry") void next_entry(u32, EntryResult *);
IMPORT(FILES, "[resource-drop]directory-entry-stream") void drop_entries(u32);
IMPORT(FILES, "[resource-drop]descriptor") void drop_descriptor(u32);

enum { OPEN_CREATE = 1, OPEN_DIRECTORY = 2, OPEN_EXCLUSIVE = 4, OPEN_TRUNCATE = 8 };
enum { MODE_READ = 1, MODE_WRITE = 2, MODE_CHANGE = 32 };
enum { IS_DIRECTORY = 3, IS_LINK = 5, IS_FILE = 6 };
enum {
  NO_ERROR = 0xFF, E_ACCESS = 0, E_EXIST = 7, E_INVALID = 12, E_DIRECTORY = 14, E_NO_ENTRY = 20,
  E_NOT_DIRECTORY = 24, E_NOT_EMPTY = 25, E_NOT_PERMITTED = 31, E_READ_ONLY = 33, E_CROSS_DEVICE = 36,
};
enum { MAX_PATH = 4096, MAX_FILE = 16 << 20, MAX_DEPTH = 64 };

static inline Text error_name(u8 code) {
  static const Text names[] = {
      [E_ACCESS] = TEXT("is not permitted"),
      [E_EXIST] = TEXT("exists already"),
      [8] = TEXT("would be too large"),
      [E_INVALID] = TEXT("is not valid"),
      [13] = TEXT("could not be read or written"),
      [E_DIRECTORY] = TEXT("is a directory"),
      [15] = TEXT("is a loop of links"),
      [18] = TEXT("has too long a name"),
      [E_NO_ENTRY] = TEXT("does not exist, or is not permitted"),
      [23] = TEXT("does not fit: there is no space left"),
      [E_NOT_DIRECTORY] = TEXT("is not a directory"),
      [E_NOT_EMPTY] = TEXT("is not empty"),
      [E_NOT_PERMITTED] = TEXT("is not permitted"),
      [E_READ_ONLY] = TEXT("may only be read"),
      [E_CROSS_DEVICE] = TEXT("is on another disk"),
  };
  Text name = code < COUNT(names) ? names[code] : (Text){0, 0};
  return name.size ? name : TEXT("could not be used");
}

static inline u32 root_directory(void) {
  static u32 root;
  static int opened;
  if (!opened) {
    List found;
    get_directories(&found);
    if (!found.count) __builtin_trap();
    root = ((const Preopen *)found.data)[0].handle;
    opened = 1;
  }
  return root;
}

// An absolute path without `.`, `..` and `//`. False, with the reason in `path`, if it is none.
static inline int clean_path(Text *path) {
  Text given = *path;
  if (!given.size) return *path = TEXT("path: is empty"), 0;
  if (given.size > MAX_PATH) return *path = TEXT("path: is longer than 4096 bytes"), 0;
  int drive = given.size > 2 && given.data[1] == ':' && (given.data[2] == '/' || given.data[2] == '\\');
  if (given.data[0] != '/' && !drive)
    return *path = joined3(TEXT("path: "), given, TEXT(" is not absolute; it has to begin with /")), 0;
  Buffer out = {0};
  for (u32 at = 0; at < given.size;) {
    u32 end = at;
    while (end < given.size && given.data[end] != '/' && !(drive && given.data[end] == '\\')) end++;
    Text name = part(given, at, end);
    if (find_in(name, (Text){(const u8 *)"", 1}, 0) < name.size)
      return *path = TEXT("path: has a zero byte in it"), 0;
    if (same(name, TEXT(".."))) {
      while (out.size && out.data[--out.size] != '/') {}
    } else if (name.size && !same(name, TEXT("."))) {
      add(&out, '/'), add_text(&out, name);
    }
    at = end + 1;
  }
  if (!out.size) add(&out, '/');
  *path = text_of(out);
  return 1;
}

// A clean path as the root takes it: relative, and not empty.
static inline Text below_root(Text path) {
  return path.size > 1 ? part(path, 1, path.size) : TEXT(".");
}

static inline Text file_error(Text path, u8 code) {
  return joined3(path, TEXT(": "), error_name(code));
}

static inline u8 open_path(Text path, u32 open, u32 flags, u32 *handle) {
  Text relative = below_root(path);
  HandleResult opened;
  open_at(root_directory(), 1, relative.data, relative.size, open, flags, &opened);
  *handle = opened.value.handle;
  return opened.is_error ? opened.value.error : NO_ERROR;
}

static inline u8 stat_path(Text path, int follow, Stat *stat) {
  static StatResult found;
  Text relative = below_root(path);
  stat_at(root_directory(), (u32)follow, relative.data, relative.size, &found);
  if (found.is_error) return found.value.error;
  *stat = found.value.stat;
  return NO_ERROR;
}

// The bytes of a file from `from` on, at most `most`.
static inline u8 read_bytes(Text path, u64 from, u32 most, Text *bytes) {
  u32 file;
  u8 error = open_path(path, 0, MODE_READ, &file);
  if (error != NO_ERROR) return error;
  Buffer out = {0};
  more(&out, most + 1 < 1 << 16 ? most + 1 : 1 << 16);
  out.size = 0;
  while (out.size < most) {
    u32 wanted = most - out.size < 1 << 18 ? most - out.size : 1 << 18, mark = arena_end;
    ReadResult read;
    read_at(file, wanted, from + out.size, &read);
    if (read.is_error) {
      drop_descriptor(file);
      return read.value.error;
    }
    Text piece = {read.value.read.data, read.value.read.size};
    if (!piece.size) break;
    if (piece.size > wanted) __builtin_trap();
    // The piece lies behind the buffer: a buffer that grows makes room behind it, then all moves.
    if (out.room - out.size < piece.size) {
      add_text(&out, piece);
    } else {
      __builtin_memcpy(more(&out, piece.size), piece.data, piece.size);
      arena_end = mark;
    }
    if (read.value.read.ended) break;
  }
  drop_descriptor(file);
  *bytes = text_of(out);
  return NO_ERROR;
}

// All of a file, as a text. The error is ready to be shown.
static inline int read_text(Text path, Text *text) {
  Stat stat;
  u8 error = stat_path(path, 1, &stat);
  if (error == NO_ERROR && stat.type == IS_DIRECTORY) error = E_DIRECTORY;
  if (error == NO_ERROR && stat.size > MAX_FILE) {
    *text = joined3(path, TEXT(": is larger than 16 MiB"), TEXT(""));
    return 0;
  }
  if (error == NO_ERROR) error = read_bytes(path, 0, MAX_FILE, text);
  if (error != NO_ERROR) return *text = file_error(path, error), 0;
  return 1;
}

typedef struct { DirectoryEntry *entries; u32 count; } Listing;
enum { MAX_ENTRIES = 100000 };

static inline void sort_entries(DirectoryEntry *entries, DirectoryEntry *other, u32 count) {
  if (count < 2) return;
  u32 half = count / 2;
  sort_entries(entries, other, half);
  sort_entries(entries + half, other, count - half);
  __builtin_memcpy(other, entries, count * sizeof *entries);
  for (u32 i = 0, a = 0, b = half; i < count; i++)
    entries[i] = a < half && (b == count || order(other[a].name, other[b].name) <= 0) ? other[a++] : other[b++];
}

// What is in a directory, by name.
static inline u8 list_path(Text path, Listing *listing) {
  u32 directory;
  u8 error = open_path(path, OPEN_DIRECTORY, MODE_READ, &directory);
  if (error != NO_ERROR) return error;
  HandleResult stream;
  read_directory(directory, &stream);
  if (stream.is_error) {
    drop_descriptor(directory);
    return stream.value.error;
  }
  u32 room = 64;
  *listing = (Listing){allocate_array(room, sizeof(DirectoryEntry)), 0};
  while (listing->count < MAX_ENTRIES) {
    EntryResult next;
    next_entry(stream.value.handle, &next);
    if (next.is_error) {
      error = next.value.error;
      break;
    }
    if (!next.value.next.is_some) break;
    if (listing->count == room) {
      DirectoryEntry *wider = allocate_array(room * 2, sizeof(DirectoryEntry));
      __builtin_memcpy(wider, listing->entries, room * sizeof(DirectoryEntry));
      listing->entries = wider;
      room *= 2;
    }
    listing->entries[listing->count++] = next.value.next.entry;
  }
  drop_entries(stream.value.handle);
  drop_descriptor(directory);
  if (error != NO_ERROR) return error;
  sort_entries(listing->entries, allocate_array(listing->count + 1, sizeof(DirectoryEntry)), listing->count);
  return NO_ERROR;
}

static inline Text path_of(Text directory, Text name) {
  return joined3(directory, same(directory, TEXT("/")) ? TEXT("") : TEXT("/"), name);
}
