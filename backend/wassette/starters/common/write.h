// Writing files: beside, then renamed into place, so that a reader sees the old or the new.
#pragma once
#include "files.h"

IMPORT(FILES, "[method]descriptor.write") void write_at(u32, const u8 *, u32, u64, WriteResult *);
IMPORT(FILES, "[method]descriptor.get-flags") void get_flags(u32, DoneResult *);
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

static inline u8 put_bytes(Text path, u32 open, Text bytes) {
  u32 file;
  u8 error = open_path(path, open, MODE_WRITE, &file);
  if (error != NO_ERROR) return error;
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

// Whether anything may be made in the directory above: asked of what is there, not tried, so that
// nobody is asked to permit it.
static inline int may_write_beside(Text path) {
  u32 end = path.size, directory;
  while (end && path.data[end - 1] != '/') end--;
  Text above = part(path, 0, end > 1 ? end - 1 : 1);
  if (open_path(above, OPEN_DIRECTORY, MODE_READ, &directory) != NO_ERROR) return 0;
  DoneResult flags;
  get_flags(directory, &flags);
  drop_descriptor(directory);
  return !flags.is_error && flags.error & MODE_CHANGE;
}

// Replaces a file, or makes it. If only this one file may be written, and nothing beside it, it is
// written in place; so is what a link leads to.
static inline u8 write_path(Text path, Text bytes) {
  Stat stat;
  u8 error = stat_path(path, 0, &stat);
  if (error != NO_ERROR) return put_bytes(path, OPEN_CREATE, bytes);
  if (stat.type == IS_DIRECTORY) return E_DIRECTORY;
  if (stat.type != IS_FILE || !may_write_beside(path)) return put_bytes(path, OPEN_TRUNCATE, bytes);
  Buffer beside = {0};
  add_text(&beside, path), add(&beside, '.'), add_hex(&beside, random_u64(), 16), ADD(&beside, ".tmp");
  error = put_bytes(text_of(beside), OPEN_CREATE | OPEN_EXCLUSIVE, bytes);
  if (error == NO_ERROR) error = rename_path(text_of(beside), path);
  if (error != NO_ERROR && error != E_EXIST) unlink_path(text_of(beside));
  return error;
}
