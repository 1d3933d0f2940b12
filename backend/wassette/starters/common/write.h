// Writing files: beside, then renamed into place, so that a reader sees the old or the new.
#pragma once
#include "files.h"

IMPORT(FILES, "[method]descriptor.write") void write_at(u32, const u8 *, u32, u64, WriteResult *);
IMPORT(FILES, "[method]descriptor.sync-data") void sync_data(u32, DoneResult *);
IMPORT(FILES, "[method]descriptor.create-directory-at") void create_directory_at(u32, const u8 *, u32, DoneResult *);
IMPORT(FILES, "[method]descriptor.rename-at")
void rename_at(u32, const u8 *, u32, u32, const u8 *, u32, DoneResult *);
IMPORT(FILES, "[method]descriptor.unlink-file-at") void unlink_at(u32, const u8 *, u32, DoneResult *);
IMPORT("wasi:random/random@0.2.12", "get-random-u64") u64 random_u64(void);

static inline u8 outcome(DoneResult done) { return done.is_error ? done.error : NO_ERROR; }

static inline u8 rename_path(Text from, Text to) {
  DoneResult done;
  from = below_root(from), to = below_root(to);
  rename_at(root_directory(), from.data, from.size, root_directory(), to.data, to.size, &done);
  return outcome(done);
}
static inline u8 unlink_path(Text path) {
  DoneResult done;
  path = below_root(path);
  unlink_at(root_directory(), path.data, path.size, &done);
  return outcome(done);
}
static inline u8 create_directory(Text path) {
  DoneResult done;
  path = below_root(path);
  create_directory_at(root_directory(), path.data, path.size, &done);
  return outcome(done);
}

// Writes all of it, and closes the file.
static inline u8 put_all(u32 file, Text bytes) {
  u8 error = NO_ERROR;
  for (u32 at = 0; at < bytes.size && error == NO_ERROR;) {
    u32 size = bytes.size - at < 1 << 18 ? bytes.size - at : 1 << 18;
    WriteResult written;
    write_at(file, bytes.data + at, size, at, &written);
    if (written.is_error) error = written.value.error;
    else if (!written.value.size || written.value.size > size) error = 13;
    else at += (u32)written.value.size;
  }
  DoneResult done;
  if (error == NO_ERROR) sync_data(file, &done), error = outcome(done);
  drop_descriptor(file);
  return error;
}

static inline u8 put_bytes(Text path, u32 open, Text bytes) {
  u32 file;
  u8 error = open_path(path, open, MODE_WRITE, &file);
  return error == NO_ERROR ? put_all(file, bytes) : error;
}

// A name beside a file's that nothing has, with the same ending: a pattern that allows the one allows
// the other.
static inline Text name_beside(Text path) {
  u32 slash = path.size, dot = path.size;
  while (slash && path.data[slash - 1] != '/') slash--;
  for (u32 i = path.size; i > slash + 1; i--)
    if (path.data[i - 1] == '.') {
      dot = i - 1;
      break;
    }
  Buffer out = {0};
  add_text(&out, part(path, 0, dot)), ADD(&out, ".tmp-"), add_hex(&out, random_u64(), 16);
  add_text(&out, part(path, dot, path.size));
  return text_of(out);
}

// Replaces a file, or makes it. If only this one file may be written, and nothing beside it, it is
// written in place; so is what a link leads to.
static inline u8 write_path(Text path, Text bytes) {
  Stat stat;
  u8 error = stat_path(path, 0, &stat);
  if (error != NO_ERROR) return put_bytes(path, OPEN_CREATE, bytes);
  if (stat.type == IS_DIRECTORY) return E_DIRECTORY;
  if (stat.type != IS_FILE) return put_bytes(path, OPEN_TRUNCATE, bytes);
  Text beside = name_beside(path);
  u32 file;
  error = open_path(beside, OPEN_CREATE | OPEN_EXCLUSIVE, MODE_WRITE, &file);
  if (error == E_EXIST) return error;
  if (error != NO_ERROR) return put_bytes(path, OPEN_TRUNCATE, bytes);
  error = put_all(file, bytes);
  if (error == NO_ERROR) error = rename_path(beside, path);
  if (error != NO_ERROR) unlink_path(beside);
  return error;
}
