// From a path of the guest to a native directory and a name in it.
#pragma once
#include "native.h"
#include "rules.h"

// A path after `.`, `..`, `//` are resolved; in scratch memory.
typedef struct {
  Text text;
  u8 directory;  // it ended with a slash, `.` or `..`: only a directory will do
  u8 dots;       // it ended with `.` or `..`
} Path;

typedef struct {
  u32 handle;
  int mount;      // -1: `synthetic`
  u8 synthetic;   // a directory above the mounts, which is nowhere on the disk
  u8 owned;       // the handle is to be dropped
  u8 access;      // allowed on it
  u8 mode;        // it was opened for
  u32 size;
  char path[];    // rights are decided by this, also for paths relative to it
} Descriptor;

typedef struct {
  u32 handle;     // a directory
  u8 owned;       // the handle is to be dropped after use
  Text name;      // in that directory; "." is itself
  u8 access;
  int mount;
  u8 synthetic;   // nowhere on the disk
  u8 visible;     // may only be seen as a directory
  u8 whole;       // name is the rest of the path, resolved natively
  u8 careful;     // not to be `whole` again
  u8 lone;        // its handle is not shared with the next place
  u8 absent;      // `look` found that nothing is there
  u8 begun, covered, veiled;
  u32 links;      // followed so far
} Place;

enum { MAY_BE_VISIBLE = 1 };

// Load mounts and rules, on the first use.
void load(void);

// NO_ERROR, or why not.
Error resolve(Text base, Text text, Path *path);

// The place of a path: checks the policy for `need`, follows the links on the way. The last name is
// not looked at, except natively (`whole`). `place` begins as {0}.
Error locate(const Descriptor *from, Path *path, u8 need, u32 how, Place *place);

// As `locate`, and have what is there in `result` (stat-at's), after following a link if `flags`
// say so. If it is `absent` (E_NO_ENTRY), `place` is where it would be.
Error look(const Descriptor *from, Path *path, u32 flags, u8 need, u32 how, Place *place);

// Done with a place.
void leave_place(Place *place);

// Whether an operation that failed with `error` has to be tried again, from `locate` on.
int again(Place *place, Error error);

// What the guest is told instead of `error`.
Error told(const Place *place, Error error);

// Refuse; the host is told.
Error refuse(Text path, u8 need, u8 access);

// Tells the host, once, that names are used for writing from now on.
void changing(void);

// Tells the host what a path that is allowed is used for, if it wants to know. `need` is 0 where it
// is only looked at.
void use(Text path, u8 need, const Verdict *verdict);

// As `use`, of a directory that is listed.
void use_list(Text path);

// A name was moved or removed: what is remembered about directories may be wrong.
void forget_directories(void);
