// The file rules: what a path may be used for. Knows names only, never the disk.
//
// A path here is normalised: "" is the root, otherwise "/a/b".
#pragma once
#include "abi.h"

enum { READ = 1, WRITE = 2 };
enum { MAX_PATH = 4096, MAX_NAME = 255 };  // bytes

// A native directory and its place in the guest's name space.
typedef struct {
  Text path;
  u32 handle;
  u8 access;   // of everything below, if
  u8 uniform;  // one rule covers exactly this, and nothing below can differ
} Mount;

extern Mount *mounts;
extern u32 mount_count;

typedef struct {
  u8 access;          // allowed here
  u8 visible;         // nothing is, but something below may be: can be seen as a directory
  int mount;          // serves it if `access`; -1 for none
  int visible_mount;  // serves it if `visible`; -1 for a directory that is nowhere on the disk
  int rule;           // which rule decided, if `access`: a number that no other has
} Verdict;

// What the host is told of what is allowed: an option of the rules.
enum { NO_USES, FIRST_USES, ALL_USES };
extern u8 uses_told;

// Takes the rules, once `mounts` are set. Whatever does not parse: everything is refused.
void set_rules(Text text);

Verdict judge(Text path);

// Whether every rule says the same of both, and of whatever is below them under the same names.
int alike(Text a, Text b);

// Whether `path` is `base` or below it.
int is_under(Text path, Text base);

// Whether the host may read a name otherwise than it is written (Windows only).
int is_ambiguous(Text name);
