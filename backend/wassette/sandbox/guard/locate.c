#include "locate.h"
#include "memory.h"

IMPORT("wassette:guard/host@0.1.0", "file-rules") void host_file_rules(Text *);

u8 result[128] __attribute__((aligned(8)));
Mount *mounts;
u32 mount_count;

enum { MAX_LINKS = 32 };

void load(void) {
  static int loaded;
  if (loaded) return;
  loaded = 1;
  typedef struct { u32 handle; Text path; } Preopen;
  native_get_directories(result);
  Text list = RESULT_TEXT(0);
  const Preopen *preopens = (const Preopen *)list.at;
  mounts = keep(list.size * (u32)sizeof *mounts + 1);
  for (u32 i = 0; i < list.size; i++) {
    Path path;
    Text root = {"", 0};
    if (resolve(root, preopens[i].path, &path) != NO_ERROR) return;  // without rules: nothing
    char *own = keep(path.text.size + 1);
    copy(own, path.text.at, path.text.size);
    mounts[i] = (Mount){{own, path.text.size}, preopens[i].handle, 0, 0};
    mount_count++;
  }
  Text rules;
  host_file_rules(&rules);
  set_rules(rules);
}

// ---- refusing -----------------------------------------------------------------------------------

// The host is told of each name once, and of so many.
enum { MAX_TOLD = 100 };

static u64 hash_of(u64 kind, Text path) {
  u64 hash = 0xcbf29ce484222325ull ^ kind;
  for (u32 i = 0; i < path.size; i++) hash = (hash ^ (u8)path.at[i]) * 0x100000001b3ull;
  return hash;
}

static void tell(Text kind, Text path) {
  static u64 seen[MAX_TOLD];
  static u32 count;
  u64 hash = hash_of(kind.size, path);
  for (u32 i = 0; i < count; i++)
    if (seen[i] == hash) return;
  if (count == MAX_TOLD) return;
  seen[count++] = hash;
  if (!path.size) path = TEXT("/");
  host_refused(kind.at, kind.size, path.at, path.size);
}

void changing(void) {
  static u8 told_already;
  if (told_already) return;
  told_already = 1;
  Text kind = TEXT("storage-changed"), path = TEXT("/");
  host_refused(kind.at, kind.size, path.at, path.size);
}

Error refuse(Text path, u8 need, u8 access) {
  u8 missing = (need ? need : READ) & ~access;
  if (missing & READ) tell(TEXT("storage-read"), path);
  if (missing & WRITE) tell(TEXT("storage-write"), path);
  return (need & WRITE) && (access & READ) ? E_READ_ONLY : E_ACCESS;
}

// ---- telling what is used -------------------------------------------------------------------------
//
// Only if the host wants to know. Each name once, or of each rule the first use; and of so many.

enum { MAX_USES = 1000, USES = 2048 };  // the table is never more than half full
typedef enum { LOOKED, READ_IT, WROTE, LISTED } Use;

static void tell_use(Use use, Text path, int rule) {
  static const Text kinds[] = {TEXT("used-look"), TEXT("used-read"), TEXT("used-write"), TEXT("used-list")};
  static u64 seen[USES];
  static u32 count;
  if (count > MAX_USES) return;
  Text first = {(const char *)&rule, sizeof rule};
  u64 hash = hash_of((u64)use << 40, uses_told == FIRST_USES ? first : path) | 1;  // 0 is a free place
  u32 at = (u32)(hash >> 32) % USES;
  for (; seen[at]; at = (at + 1) % USES)
    if (seen[at] == hash) return;
  seen[at] = hash;
  if (!path.size) path = TEXT("/");
  Text kind = count++ < MAX_USES ? kinds[use] : TEXT("used-more");
  host_refused(kind.at, kind.size, path.at, path.size);
}

void use(Text path, u8 need, const Verdict *verdict) {
  if (!uses_told) return;
  if (!need) tell_use(LOOKED, path, verdict->rule);
  if (need & READ) tell_use(READ_IT, path, verdict->rule);
  if (need & WRITE) tell_use(WROTE, path, verdict->rule);
}

void use_list(Text path) {
  if (!uses_told) return;
  Verdict verdict = judge(path);
  if (verdict.access & READ) tell_use(LISTED, path, verdict.rule);
}

// ---- paths ----------------------------------------------------------------------------------------

Error resolve(Text base, Text text, Path *path) {
  if (!text.size) return E_NO_ENTRY;
  if (text.size > MAX_PATH) return E_NAME_TOO_LONG;
  char *out = scratch(base.size + text.size + 2);
  u32 count = 0, i = 0;
  if (text.at[0] != '/') {
    copy(out, base.at, base.size);
    count = base.size;
  }
  path->directory = path->dots = 0;
  while (i < text.size) {
    for (; i < text.size && text.at[i] == '/'; i++) path->directory = 1;
    Text name = {text.at + i, 0};
    for (; i < text.size && text.at[i] != '/'; i++, name.size++)
      if (!text.at[i]) return E_ILLEGAL_BYTES;
    if (!name.size) break;
    int dot = name.at[0] == '.' && name.size == 1;
    int up = name.at[0] == '.' && name.size == 2 && name.at[1] == '.';
    path->directory = path->dots = dot || up;
    if (up)
      while (count && out[--count] != '/') {}
    if (dot || up) continue;
    if (name.size > MAX_NAME) return E_NAME_TOO_LONG;
    if (is_ambiguous(name)) return E_INVALID;
    out[count++] = '/';
    copy(out + count, name.at, name.size);
    count += name.size;
  }
  if (count > MAX_PATH) return E_NAME_TOO_LONG;
  path->text = (Text){out, count};
  return NO_ERROR;
}

static Text parent_of(Text path) {
  while (path.size && path.at[path.size - 1] != '/') path.size--;
  if (path.size) path.size--;
  return path;
}

// The path with the link in `folder` replaced by its target, and followed by `rest`.
static Error splice(Path *path, Text folder, Text target, Text rest) {
  u8 directory = path->directory, dots = path->dots;
  Path next;
  Error error = resolve(folder, target, &next);
  if (error == NO_ERROR && rest.size) {
    error = resolve(next.text, rest, &next);
    next.directory = directory;
    next.dots = dots;
  } else {
    next.directory |= directory;
  }
  if (error == NO_ERROR) *path = next;
  return error;
}

// ---- the directory walked to last -----------------------------------------------------------------
//
// Programs ask for one name after the other in the same directory, and each native call costs a hop
// to another thread; so its handle is kept. It is what the walk found when it was opened, so another
// process that moves directories meanwhile gains nothing; but names would be looked up in the old
// place, so it is used for a moment only.

enum { MOMENT = 10000000 };  // nanoseconds

static struct { int known, mount; u32 handle, size; u64 since; char path[MAX_PATH]; } walked;

void forget_directories(void) {
  if (walked.known) native_drop(walked.handle);
  walked.known = 0;
}

static void remember_directory(Place *place, Text path) {
  forget_directories();
  walked.known = 1;
  walked.mount = place->mount;
  walked.handle = place->handle;
  walked.since = native_now();
  walked.size = path.size;
  copy(walked.path, path.at, path.size);
  place->owned = 0;
}

static int is_remembered(const Place *place, Text path) {
  if (!walked.known || walked.mount != place->mount) return 0;
  if (!is_under(path, (Text){walked.path, walked.size})) return 0;
  if (native_now() - walked.since < MOMENT) return 1;
  forget_directories();
  return 0;
}

// ---- the walk ---------------------------------------------------------------------------------------

void leave_place(Place *place) {
  if (place->owned) native_drop(place->handle);
  place->owned = 0;
}

int again(Place *place, Error error) {
  leave_place(place);
  // The runtime does not follow links out of a mount, but the target may be in another grant.
  if (!place->whole || error != E_NOT_PERMITTED) return 0;
  return place->careful = 1;
}

// Whether a name exists that is not granted must not show: what lies behind one is there only if it
// is granted itself, and whatever goes wrong on the way there has one answer.
Error told(const Place *place, Error error) {
  if (!place->veiled || error == NO_ERROR) return error;
  return place->covered ? E_NO_ENTRY : E_ACCESS;
}

static Error walk_failed(Place *place, Text folder, Error error) {
  leave_place(place);
  if (!judge(folder).access) place->veiled = 1;
  return error;
}

// The name in `place` is, or was, a link at `link`: go on behind it.
static Error follow(Place *place, Path *path, Text link, Text rest) {
  native_readlink_at(place->handle, place->name.at, place->name.size, result);
  leave_place(place);
  Error error = error_at(4);
  if (!judge(link).access) place->veiled = 1;
  if (++place->links > MAX_LINKS) return E_LOOP;
  if (error == E_NOT_PERMITTED) return error;  // wasmtime does not read absolute links
  if (error == E_INVALID || error == E_NO_ENTRY) return NO_ERROR;  // replaced meanwhile: look again
  if (error != NO_ERROR) return error;
  return splice(path, parent_of(link), RESULT_TEXT(4), rest);
}

// From `at` in the path, go down to the directory of the last name. Every native step refuses to
// follow links, and starts at an open handle: swapping a directory for a link gains nothing. What is
// no directory is not opened, also not as one: the runtime only looks afterwards, and opening a FIFO
// blocks. `changed`: a link changed the path, and the policy has to be asked again.
static Error walk(Place *place, Path *path, u32 at, int *changed) {
  Text text = path->text;
  for (;;) {
    u32 end = at;
    while (end < text.size && text.at[end] != '/') end++;
    Text name = place->name = (Text){text.at + at, end - at};
    if (end == text.size) return NO_ERROR;
    Text here = {text.at, end};
    native_stat_at(place->handle, 0, name.at, name.size, result);
    Error error = error_at(STAT_ERROR);
    u8 type = result[STAT_TYPE];
    if (error == NO_ERROR && type == TYPE_LINK) {
      *changed = 1;
      return follow(place, path, here, (Text){text.at + end + 1, text.size - end - 1});
    }
    if (error == NO_ERROR && type != TYPE_DIRECTORY) error = E_NOT_DIRECTORY;
    if (error == NO_ERROR) {
      native_open_at(place->handle, 0, name.at, name.size, OPEN_DIRECTORY, FLAG_READ, result);
      error = error_at(4);
      if (error == E_LOOP && ++place->links <= MAX_LINKS) continue;  // a link by now: look again
    }
    if (error != NO_ERROR) return walk_failed(place, here, error);
    u32 opened = RESULT_U32(4);
    leave_place(place);
    place->handle = opened;
    place->owned = 1;
    at = end + 1;
  }
}

Error locate(const Descriptor *from, Path *path, u8 need, u32 how, Place *place) {
  for (;;) {
    Text text = path->text;
    Verdict verdict = judge(text);
    if (!place->begun) {
      place->begun = 1;
      place->covered = verdict.access != 0;
    }
    place->owned = place->synthetic = place->visible = place->whole = place->absent = 0;
    place->access = verdict.access;
    if (verdict.access && (verdict.access & need) == need) {
      place->mount = verdict.mount;
      if (need & WRITE) changing();
      use(text, need, &verdict);
    } else if ((how & MAY_BE_VISIBLE) && verdict.visible && !(need & WRITE)) {
      place->visible = 1;
      place->access = READ;
      place->mount = verdict.visible_mount;
      if (place->mount < 0) {
        place->synthetic = 1;
        return NO_ERROR;
      }
    } else {
      return told(place, refuse(text, need, verdict.access));
    }
    const Mount *mount = &mounts[place->mount];
    u32 start = mount->path.size;
    place->handle = mount->handle;
    int usable = from && !from->synthetic && from->mount == place->mount && from->size >= start;
    if (usable && !place->links && !place->careful && is_under(text, (Text){from->path, from->size})) {
      place->handle = from->handle;
      start = from->size;
    }
    if (start == text.size) {
      place->name = TEXT(".");
      return NO_ERROR;
    }
    if (mount->uniform && !place->careful) {
      place->whole = 1;
      place->name = (Text){text.at + start + 1, text.size - start - 1};
      return NO_ERROR;
    }
    Text folder = parent_of(text);
    if (!place->lone && folder.size > start && is_remembered(place, folder)) {
      place->handle = walked.handle;
      start = walked.size;
    }
    int changed = 0;
    Error error = walk(place, path, start + 1, &changed);
    if (error != NO_ERROR) return told(place, error);
    if (changed) continue;
    if (place->owned && !place->lone) remember_directory(place, folder);
    return NO_ERROR;
  }
}

Error look(const Descriptor *from, Path *path, u32 flags, u8 need, u32 how, Place *place) {
  if (path->directory) flags |= FOLLOW;
  for (;;) {
    Error error = locate(from, path, need, how, place);
    if (error != NO_ERROR || place->synthetic) return error;
    Text name = place->name;
    native_stat_at(place->handle, place->whole ? flags & FOLLOW : 0, name.at, name.size, result);
    error = error_at(STAT_ERROR);
    if (place->whole && error == E_NOT_PERMITTED && again(place, error)) continue;
    u8 type = result[STAT_TYPE];
    if (error == NO_ERROR && type == TYPE_LINK && !place->whole && (flags & FOLLOW)) {
      if (place->visible) path->directory = 1;  // all that it may lead to
      error = follow(place, path, path->text, (Text){"", 0});
      if (error != NO_ERROR) return told(place, error);
      continue;
    }
    if (place->visible && (error != NO_ERROR || type != TYPE_DIRECTORY)) {
      leave_place(place);
      return told(place, refuse(path->text, READ, 0));
    }
    if (error == NO_ERROR && path->directory && type != TYPE_DIRECTORY) error = E_NOT_DIRECTORY;
    place->absent = error == E_NO_ENTRY;
    if (error != NO_ERROR && !place->absent) leave_place(place);
    return told(place, error);
  }
}
