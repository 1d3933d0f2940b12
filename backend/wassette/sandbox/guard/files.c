// Guards wasi:filesystem: the guest sees one directory, `/`, and in it only what the rules allow.
//
// Descriptors and entry streams of our own stand around the native ones. What a path may be used for
// is decided when it is used (locate.h); what a descriptor may be used for, when it is opened. Data
// goes by the native streams, which are handed through. docs/the-weave.md explains the whole.
//
// Arguments of our own resources arrive as our pointers; results are handles, from `resource-new`.
#include "locate.h"
#include "memory.h"

IMPORT("[export]" FILES, "[resource-new]descriptor") u32 new_descriptor(Descriptor *);

typedef struct {
  u32 handle;       // of the native stream, if `native`
  u8 native;
  u8 filtered;      // not everything may be shown
  u32 next_mount;   // mounts are listed first
  u32 size;
  char path[];
} Entries;

IMPORT("[export]" FILES, "[resource-new]directory-entry-stream") u32 new_entries(Entries *);

// A worker has 1024 file descriptors. Natively the guest would trap for want of one.
enum { MAX_OPEN = 900 };
static u32 open_count;

#define EXPORT_METHOD(name) EXPORT(FILES "#[method]descriptor." name) u8 *

static u8 *done(void) {
  leave();
  return result;
}

static u8 *failed(Error error, u32 offset) {
  result[0] = ERROR_CASE;
  result[offset] = (u8)error;
  return done();
}

static u8 *succeeded(void) {
  result[0] = OK_CASE;
  return done();
}

static Text path_of(const Descriptor *self) { return (Text){self->path, self->size}; }

static void begin(void) {
  enter();
  load();
}

static Error resolve_at(const Descriptor *self, const char *at, u32 size, Path *path) {
  begin();
  return resolve(path_of(self), (Text){at, size}, path);
}

// ---- descriptors ----------------------------------------------------------------------------------

static u8 *give_descriptor(Descriptor from, Text path) {
  Descriptor *self = keep((u32)sizeof *self + path.size);
  *self = from;
  self->size = path.size;
  copy(self->path, path.at, path.size);
  open_count++;
  u32 handle = new_descriptor(self);
  result[0] = OK_CASE;
  RESULT_U32(4) = handle;
  return done();
}

EXPORT(FILES "#[dtor]descriptor") void drop_descriptor(Descriptor *self) {
  if (self->owned) native_drop(self->handle);
  open_count--;
  give_back(self, (u32)sizeof *self + self->size);
}

EXPORT(FILES "#[dtor]directory-entry-stream") void drop_entries(Entries *self) {
  if (self->native) native_drop_entries(self->handle);
  open_count--;
  give_back(self, (u32)sizeof *self + self->size);
}

// Whether the descriptor may be read or written; if not, why.
static Error unusable(const Descriptor *self, u8 need) {
  if (self->synthetic) return need == READ ? E_IS_DIRECTORY : E_BAD_DESCRIPTOR;
  return self->access & self->mode & need ? NO_ERROR : E_BAD_DESCRIPTOR;
}

// The body of a method that is native if the descriptor may be used for it.
#define IF_USABLE(need, offset, call)                 \
  enter();                                            \
  Error error = unusable(self, need);                 \
  if (error != NO_ERROR) return failed(error, offset); \
  call;                                               \
  return done()

EXPORT_METHOD("read-via-stream") read_via_stream(Descriptor *self, u64 offset) {
  IF_USABLE(READ, 4, native_read_via_stream(self->handle, offset, result));
}
EXPORT_METHOD("write-via-stream") write_via_stream(Descriptor *self, u64 offset) {
  IF_USABLE(WRITE, 4, native_write_via_stream(self->handle, offset, result));
}
EXPORT_METHOD("append-via-stream") append_via_stream(Descriptor *self) {
  IF_USABLE(WRITE, 4, native_append_via_stream(self->handle, result));
}
EXPORT_METHOD("advise") advise(Descriptor *self, u64 offset, u64 length, u32 advice) {
  IF_USABLE(READ | WRITE, 1, native_advise(self->handle, offset, length, advice, result));
}
EXPORT_METHOD("set-size") set_size(Descriptor *self, u64 size) {
  IF_USABLE(WRITE, 1, native_set_size(self->handle, size, result));
}
// These two pass through our memory: a piece at a time.
enum { PIECE = 256 * 1024 };
EXPORT_METHOD("read") read(Descriptor *self, u64 length, u64 offset) {
  IF_USABLE(READ, 4, native_read(self->handle, length < PIECE ? length : PIECE, offset, result));
}
EXPORT_METHOD("write") write(Descriptor *self, const u8 *data, u32 size, u64 offset) {
  IF_USABLE(WRITE, 8, native_write(self->handle, data, size, offset, result));
}

EXPORT_METHOD("sync-data") sync_data(Descriptor *self) {
  enter();
  if (self->synthetic) return succeeded();
  native_sync_data(self->handle, result);
  return done();
}

EXPORT_METHOD("sync") sync(Descriptor *self) {
  enter();
  if (self->synthetic) return succeeded();
  native_sync(self->handle, result);
  return done();
}

EXPORT_METHOD("get-flags") get_flags(Descriptor *self) {
  enter();
  result[0] = OK_CASE;
  result[1] = FLAG_READ;
  if (!self->synthetic) native_get_flags(self->handle, result);
  // The native descriptor knows what its mount allows, not what its path does.
  if (result[0] == OK_CASE && !(self->access & WRITE)) result[1] &= ~(FLAG_WRITE | FLAG_MUTATE);
  return done();
}

EXPORT_METHOD("get-type") get_type(Descriptor *self) {
  enter();
  result[0] = OK_CASE;
  result[1] = TYPE_DIRECTORY;
  if (!self->synthetic) native_get_type(self->handle, result);
  return done();
}

EXPORT_METHOD("set-times")
set_times(Descriptor *self, u32 access, u64 access_s, u32 access_ns, u32 modified, u64 modified_s,
          u32 modified_ns) {
  begin();
  if (self->synthetic || !(self->access & WRITE))
    return failed(refuse(path_of(self), WRITE, self->access), 1);
  changing();
  if (uses_told) {
    Verdict verdict = judge(path_of(self));
    use(path_of(self), WRITE, &verdict);
  }
  native_set_times(self->handle, access, access_s, access_ns, modified, modified_s, modified_ns, result);
  return done();
}

static void synthetic_stat(void) {
  __builtin_memset(result, 0, STAT_BYTES);
  result[STAT_TYPE] = TYPE_DIRECTORY;
  RESULT_U64(STAT_LINKS) = 1;
}

static void synthetic_hash(Text path) {
  u64 hash = 0xcbf29ce484222325ull;
  for (u32 i = 0; i < path.size; i++) hash = (hash ^ (u8)path.at[i]) * 0x100000001b3ull;
  result[0] = OK_CASE;
  RESULT_U64(8) = hash;
  RESULT_U64(16) = ~hash;
}

EXPORT_METHOD("stat") stat(Descriptor *self) {
  enter();
  if (self->synthetic) synthetic_stat();
  else native_stat(self->handle, result);
  return done();
}

EXPORT_METHOD("metadata-hash") metadata_hash(Descriptor *self) {
  enter();
  if (self->synthetic) synthetic_hash(path_of(self));
  else native_metadata_hash(self->handle, result);
  return done();
}

EXPORT(FILES "#[method]descriptor.is-same-object")
u32 is_same_object(Descriptor *self, Descriptor *other) {
  if (!self->synthetic && !other->synthetic) return native_is_same_object(self->handle, other->handle);
  return self->synthetic && other->synthetic && self->size == other->size &&
         same(self->path, other->path, self->size);
}

EXPORT(FILES "#filesystem-error-code") u8 *filesystem_error_code(u32 error) {
  enter();
  native_filesystem_error_code(error, result);
  native_drop_error(error);  // who is lent another's resource drops it
  return done();
}

// ---- opening --------------------------------------------------------------------------------------

// What is there is looked at before it is opened, unless nothing may be there: opening a FIFO or a
// device can block in native code for ever, also if it is opened as a directory. (Whoever swaps a file
// for a FIFO in between blocks the call, which its time limit ends.)
static Error open_place(const Descriptor *self, Path *path, u32 flags, u32 open, u32 mode, u8 need,
                        Place *place) {
  int fresh = (open & OPEN_CREATE) && (open & OPEN_EXCLUSIVE);
  for (u32 tries = 0; tries < 8; tries++) {
    Error error = fresh ? locate(self, path, need, MAY_BE_VISIBLE, place)
                        : look(self, path, flags, need, MAY_BE_VISIBLE, place);
    if (error != NO_ERROR && !(place->absent && (open & OPEN_CREATE))) {
      leave_place(place);
      return error;
    }
    if (place->synthetic) return NO_ERROR;
    u8 type = result[STAT_TYPE];
    if (error == NO_ERROR && !fresh && type != TYPE_DIRECTORY) {
      if (type == TYPE_LINK) error = E_LOOP;
      else if (open & OPEN_DIRECTORY) error = E_NOT_DIRECTORY;
      else if (type != TYPE_FILE) error = E_NOT_PERMITTED;
      if (error != NO_ERROR) {
        leave_place(place);
        return told(place, error);
      }
    }
    if (place->visible || path->directory) open |= OPEN_DIRECTORY;
    Text name = place->name;
    native_open_at(place->handle, place->whole ? flags & FOLLOW : 0, name.at, name.size, open, mode, result);
    error = error_at(4);
    if (error == NO_ERROR) {
      u32 opened = RESULT_U32(4);
      leave_place(place);
      place->handle = opened;
      place->owned = 1;
      return NO_ERROR;
    }
    if (again(place, error) || (!place->whole && error == E_LOOP)) continue;  // a link by now
    return told(place, place->visible ? refuse(path->text, READ, 0) : error);
  }
  return E_LOOP;
}

EXPORT_METHOD("open-at")
open_at(Descriptor *self, u32 flags, const char *at, u32 size, u32 open, u32 mode) {
  Path path;
  Error error = resolve_at(self, at, size, &path);
  if (error != NO_ERROR) return failed(error, 4);
  if (open_count >= MAX_OPEN) return failed(E_NO_MEMORY, 4);
  u8 need = 0;
  if (!(mode & (FLAG_READ | FLAG_WRITE))) mode |= FLAG_READ;
  if (mode & FLAG_READ) need |= READ;
  if ((mode & (FLAG_WRITE | FLAG_MUTATE)) || (open & (OPEN_CREATE | OPEN_TRUNCATE))) need |= WRITE;
  if (path.directory) {
    if (open & OPEN_CREATE) return failed(E_IS_DIRECTORY, 4);
    open |= OPEN_DIRECTORY;
    flags |= FOLLOW;
  }
  Place place = {0};
  error = open_place(self, &path, flags, open, mode, need, &place);
  if (error != NO_ERROR) return failed(error, 4);
  Descriptor opened = {.mount = place.mount, .access = place.access};
  if (place.synthetic) {
    opened.synthetic = 1;
    opened.mode = READ;
  } else {
    opened.handle = place.handle;
    opened.owned = 1;
    opened.mode = (mode & FLAG_READ ? READ : 0) | (mode & FLAG_WRITE ? WRITE : 0);
  }
  return give_descriptor(opened, path.text);
}

EXPORT(PREOPENS "#get-directories") u8 *get_directories(void) {
  begin();
  Text root = {"", 0};
  Verdict verdict = judge(root);
  int mount = verdict.access ? verdict.mount : verdict.visible_mount;  // one at "/", if any
  Descriptor opened = {.mount = mount, .synthetic = mount < 0, .mode = READ};
  opened.access = verdict.access ? verdict.access : READ;
  if (mount >= 0) opened.handle = mounts[mount].handle;
  struct { u32 handle; Text name; } *list = scratch(sizeof *list);
  give_descriptor(opened, root);
  list->handle = RESULT_U32(4);
  list->name = TEXT("/");
  RESULT_U32(0) = (u32)(size)list;
  RESULT_U32(4) = 1;
  return result;
}

// ---- by path --------------------------------------------------------------------------------------

// libc asks for the hash of what it has just looked at: where the links on that path led to.
static struct { int known; u32 flags, size, target_size; char path[MAX_PATH], target[MAX_PATH]; } looked;

EXPORT_METHOD("stat-at") stat_at(Descriptor *self, u32 flags, const char *at, u32 size) {
  Path path;
  Error error = resolve_at(self, at, size, &path);
  if (error != NO_ERROR) return failed(error, 8);
  looked.known = 0;
  Text asked = path.text;
  Place place = {0};
  error = look(self, &path, flags, 0, MAY_BE_VISIBLE, &place);
  leave_place(&place);
  if (error != NO_ERROR) return failed(error, 8);
  if (place.synthetic) synthetic_stat();
  else if (!place.whole) {
    looked.known = 1;
    looked.flags = flags;
    looked.size = asked.size;
    copy(looked.path, asked.at, asked.size);
    looked.target_size = path.text.size;
    copy(looked.target, path.text.at, path.text.size);
  }
  return done();
}

EXPORT_METHOD("metadata-hash-at")
metadata_hash_at(Descriptor *self, u32 flags, const char *at, u32 size) {
  Path path;
  Error error = resolve_at(self, at, size, &path);
  if (error != NO_ERROR) return failed(error, 8);
  int seen = looked.known && looked.flags == flags && looked.size == path.text.size &&
             same(looked.path, path.text.at, path.text.size);
  looked.known = 0;
  if (seen) {
    // Should it be a link by now, the hash is the link's.
    path = (Path){{looked.target, looked.target_size}, 0, 0};
    flags = 0;
  }
  Place place = {0};
  for (;;) {
    error = locate(self, &path, 0, MAY_BE_VISIBLE, &place);
    if (error != NO_ERROR) return failed(error, 8);
    if (place.synthetic) break;
    int certain = !place.visible || seen;  // what may only be seen as a directory has to be one
    if (!certain || path.directory || ((flags & FOLLOW) && !place.whole)) {
      leave_place(&place);
      error = look(self, &path, flags, 0, MAY_BE_VISIBLE, &place);
      if (error != NO_ERROR) {
        leave_place(&place);
        return failed(error, 8);
      }
      if (place.synthetic) break;
    }
    Text name = place.name;
    native_metadata_hash_at(place.handle, place.whole ? flags & FOLLOW : 0, name.at, name.size, result);
    if (!again(&place, error_at(8))) return error_at(8) == NO_ERROR ? done() : failed(told(&place, error_at(8)), 8);
  }
  synthetic_hash(path.text);
  return done();
}

EXPORT_METHOD("set-times-at")
set_times_at(Descriptor *self, u32 flags, const char *at, u32 size, u32 access, u64 access_s,
             u32 access_ns, u32 modified, u64 modified_s, u32 modified_ns) {
  Path path;
  Error error = resolve_at(self, at, size, &path);
  if (error != NO_ERROR) return failed(error, 1);
  Place place = {0};
  do {
    error = look(self, &path, flags, WRITE, 0, &place);
    if (error != NO_ERROR) {
      leave_place(&place);
      return failed(error, 1);
    }
    native_set_times_at(place.handle, place.whole ? flags & FOLLOW : 0, place.name.at, place.name.size,
                        access, access_s, access_ns, modified, modified_s, modified_ns, result);
  } while (again(&place, error_at(1)));
  return done();
}

EXPORT_METHOD("readlink-at") readlink_at(Descriptor *self, const char *at, u32 size) {
  Path path;
  Error error = resolve_at(self, at, size, &path);
  if (error == NO_ERROR && path.directory) error = E_INVALID;
  if (error != NO_ERROR) return failed(error, 4);
  Place place = {0};
  do {
    error = locate(self, &path, 0, 0, &place);
    if (error != NO_ERROR) return failed(error, 4);
    native_readlink_at(place.handle, place.name.at, place.name.size, result);
  } while (again(&place, error_at(4)));
  if (result[0] != OK_CASE) return failed(told(&place, error_at(4)), 4);
  return done();
}

// The body of a method that changes the name in `place`.
#define CHANGE(call)                              \
  Place place = {0};                              \
  looked.known = 0;                               \
  do {                                            \
    error = locate(self, &path, WRITE, 0, &place); \
    if (error != NO_ERROR) return failed(error, 1); \
    call;                                         \
  } while (again(&place, error_at(1)));           \
  if (result[0] != OK_CASE) return failed(told(&place, error_at(1)), 1); \
  return done()

EXPORT_METHOD("create-directory-at") create_directory_at(Descriptor *self, const char *at, u32 size) {
  Path path;
  Error error = resolve_at(self, at, size, &path);
  if (error == NO_ERROR) {
    Verdict verdict = judge(path.text);
    if (verdict.visible && verdict.visible_mount < 0) error = E_EXIST;
  }
  if (error != NO_ERROR) return failed(error, 1);
  CHANGE(native_create_directory_at(place.handle, place.name.at, place.name.size, result));
}

EXPORT_METHOD("remove-directory-at") remove_directory_at(Descriptor *self, const char *at, u32 size) {
  Path path;
  Error error = resolve_at(self, at, size, &path);
  if (error == NO_ERROR && path.dots) error = E_INVALID;
  if (error != NO_ERROR) return failed(error, 1);
  forget_directories();
  CHANGE(native_remove_directory_at(place.handle, place.name.at, place.name.size, result));
}

EXPORT_METHOD("unlink-file-at") unlink_file_at(Descriptor *self, const char *at, u32 size) {
  Path path;
  Error error = resolve_at(self, at, size, &path);
  if (error != NO_ERROR) return failed(error, 1);
  if (path.directory) {  // `file/` is no file, and a directory is not unlinked
    Place there = {0};
    error = look(self, &path, FOLLOW, WRITE, 0, &there);
    leave_place(&there);
    return failed(error == NO_ERROR ? E_IS_DIRECTORY : error, 1);
  }
  CHANGE(native_unlink_file_at(place.handle, place.name.at, place.name.size, result));
}

EXPORT_METHOD("symlink-at")
symlink_at(Descriptor *self, const char *target, u32 target_size, const char *at, u32 size) {
  Path path, leads_to;
  Error error = resolve_at(self, at, size, &path);
  if (error == NO_ERROR && path.directory) error = E_NO_ENTRY;
  if (error != NO_ERROR) return failed(error, 1);
  Verdict here = judge(path.text);
  if (!(here.access & WRITE)) return failed(refuse(path.text, WRITE, here.access), 1);
  // What it points at has to be visible too: other programs may follow it.
  u32 parent = path.text.size;
  while (parent && path.text.at[parent - 1] != '/') parent--;
  if (parent) parent--;
  error = resolve((Text){path.text.at, parent}, (Text){target, target_size}, &leads_to);
  if (error != NO_ERROR) return failed(error, 1);
  Verdict there = judge(leads_to.text);
  if (!there.access && !there.visible) return failed(refuse(leads_to.text, READ, 0), 1);
  if (there.access) use(leads_to.text, 0, &there);
  CHANGE(native_symlink_at(place.handle, target, target_size, place.name.at, place.name.size, result));
}

// Rights belong to names, so a file must not get more of them by another name. A directory takes all
// that is below it along, so every rule has to say the same below both names. Otherwise this is
// `cross-device`: programs then copy, file by file, and each is decided by itself.
static Error check_new_name(const Path *old, const Place *from, const Path *new, const Place *to,
                            int may_be_directory) {
  if (alike(old->text, new->text)) return NO_ERROR;
  if (to->access & ~from->access) return E_CROSS_DEVICE;
  if (!may_be_directory) return NO_ERROR;
  native_stat_at(from->handle, 0, from->name.at, from->name.size, result);
  if (result[0] != OK_CASE) return error_at(STAT_ERROR);
  return result[STAT_TYPE] == TYPE_DIRECTORY ? E_CROSS_DEVICE : NO_ERROR;
}

// Both places of a rename or a link. Their handles are in use at the same time.
static Error locate_both(const Descriptor *self, Path *old, u8 need, Place *from,
                         const Descriptor *other, Path *new, Place *to) {
  from->lone = to->lone = 1;
  Error error = locate(self, old, need, 0, from);
  if (error != NO_ERROR) return error;
  error = locate(other, new, WRITE, 0, to);
  if (error != NO_ERROR) leave_place(from);
  return error;
}

// Whether both have to be located again.
static int again_both(Place *from, Place *to, Error error) {
  int either = again(from, error);
  return again(to, error) || either;
}

EXPORT_METHOD("rename-at")
rename_at(Descriptor *self, const char *at, u32 size, Descriptor *other, const char *new_at, u32 new_size) {
  Path old, new;
  Error error = resolve_at(self, at, size, &old);
  if (error == NO_ERROR) error = resolve_at(other, new_at, new_size, &new);
  if (error == NO_ERROR && (old.dots || new.dots)) error = E_INVALID;
  if (error != NO_ERROR) return failed(error, 1);
  forget_directories();
  looked.known = 0;
  Place from = {0}, to = {0};
  do {
    error = locate_both(self, &old, WRITE, &from, other, &new, &to);
    if (error != NO_ERROR) return failed(error, 1);
    error = check_new_name(&old, &from, &new, &to, 1);
    if (error == NO_ERROR && (old.directory || new.directory)) {
      native_stat_at(from.handle, 0, from.name.at, from.name.size, result);
      if (result[0] != OK_CASE) error = error_at(STAT_ERROR);
      else if (result[STAT_TYPE] != TYPE_DIRECTORY) error = E_NOT_DIRECTORY;
    }
    if (error == NO_ERROR) {
      native_rename_at(from.handle, from.name.at, from.name.size, to.handle, to.name.at, to.name.size, result);
      error = error_at(1);
    }
  } while (again_both(&from, &to, error));
  return error == NO_ERROR ? done() : failed(told(&from, told(&to, error)), 1);
}

EXPORT_METHOD("link-at")
link_at(Descriptor *self, u32 flags, const char *at, u32 size, Descriptor *other, const char *new_at,
        u32 new_size) {
  Path old, new;
  Error error = resolve_at(self, at, size, &old);
  if (error == NO_ERROR) error = resolve_at(other, new_at, new_size, &new);
  if (error == NO_ERROR && (old.directory || new.directory)) error = E_NOT_DIRECTORY;
  if (error != NO_ERROR) return failed(error, 1);
  looked.known = 0;
  Place from = {0}, to = {0};
  do {
    error = locate_both(self, &old, READ, &from, other, &new, &to);
    if (error != NO_ERROR) return failed(error, 1);
    error = check_new_name(&old, &from, &new, &to, 0);
    if (error == NO_ERROR) {
      native_link_at(from.handle, flags, from.name.at, from.name.size, to.handle, to.name.at, to.name.size, result);
      error = error_at(1);
    }
  } while (again_both(&from, &to, error));
  return error == NO_ERROR ? done() : failed(told(&from, told(&to, error)), 1);
}

// ---- listing ----------------------------------------------------------------------------------------

// The name in `folder` under which the next mount below it is reached, each name once.
static int next_mount_name(Text folder, u32 *next, Text *name) {
  for (; *next < mount_count; ++*next) {
    Text path = mounts[*next].path;
    if (path.size <= folder.size || !is_under(path, folder)) continue;
    u32 first = folder.size + 1, end = first;
    while (end < path.size && path.at[end] != '/') end++;
    Text here = {path.at, end};
    int before = 0;
    for (u32 i = 0; i < *next && !before; i++) before = is_under(mounts[i].path, here);
    Verdict verdict = judge(here);
    if (before || (!verdict.access && !verdict.visible)) continue;
    *name = (Text){path.at + first, end - first};
    ++*next;
    return 1;
  }
  return 0;
}

static int is_mount_name(Text folder, Text name) {
  Text mount;
  for (u32 next = 0; next_mount_name(folder, &next, &mount);)
    if (mount.size == name.size && same(mount.at, name.at, name.size)) return 1;
  return 0;
}

// A name that cannot be used is not shown: libc looks at each, and gives up if it cannot.
static int is_shown(const Entries *self, Text name, u8 type) {
  Text folder = {self->path, self->size};
  if (name.size > MAX_NAME || is_ambiguous(name) || is_mount_name(folder, name)) return 0;
  char *at = scratch(self->size + 1 + name.size);
  copy(at, self->path, self->size);
  at[self->size] = '/';
  copy(at + self->size + 1, name.at, name.size);
  Verdict verdict = judge((Text){at, self->size + 1 + name.size});
  return verdict.access || (verdict.visible && type == TYPE_DIRECTORY);
}

EXPORT_METHOD("read-directory") read_directory(Descriptor *self) {
  begin();
  if (open_count >= MAX_OPEN) return failed(E_NO_MEMORY, 4);
  u32 handle = 0;
  if (!self->synthetic) {
    if (!(self->mode & READ)) return failed(E_BAD_DESCRIPTOR, 4);
    use_list(path_of(self));
    native_read_directory(self->handle, result);
    if (result[0] != OK_CASE) return done();
    handle = RESULT_U32(4);
  }
  int uniform = self->mount >= 0 && mounts[self->mount].uniform;
  Entries *entries = keep((u32)sizeof *entries + self->size);
  *entries = (Entries){handle, !self->synthetic, !uniform, uniform ? mount_count : 0, self->size};
  copy(entries->path, self->path, self->size);
  open_count++;
  u32 own = new_entries(entries);
  result[0] = OK_CASE;
  RESULT_U32(4) = own;
  return done();
}

EXPORT(FILES "#[method]directory-entry-stream.read-directory-entry")
u8 *read_directory_entry(Entries *self) {
  enter();
  Text name;
  if (next_mount_name((Text){self->path, self->size}, &self->next_mount, &name)) {
    result[4] = 1;  // some
    result[8] = TYPE_DIRECTORY;
    RESULT_U32(12) = (u32)(size)name.at;
    RESULT_U32(16) = name.size;
    return succeeded();
  }
  result[4] = 0;  // none
  if (!self->native) return succeeded();
  u32 mark = scratch_mark();
  for (;;) {
    scratch_release(mark);
    native_read_directory_entry(self->handle, result);
    if (error_at(4) == E_ILLEGAL_BYTES) continue;  // a name that is no text cannot be used
    if (result[0] != OK_CASE || !result[4] || !self->filtered) return done();
    u8 type = result[8];
    name = RESULT_TEXT(12);
    if (is_shown(self, name, type)) return done();
  }
}
