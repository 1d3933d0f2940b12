// Every operation on files that wasi-libc has.
#define WITH_LIBC
#include "../abi.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static Text text_of(const char *string) { return (Text){string, (u32)strlen(string)}; }

static char *string_of(Text text) {
  char *string = allocate(text.size + 1, 1);
  memcpy(string, text.data, text.size);
  string[text.size] = 0;
  return string;
}

static Text failed(void) {
#define NAME(error) case error: return TEXT(#error)
  switch (errno) {
    NAME(EACCES); NAME(EBADF); NAME(EBUSY); NAME(EEXIST); NAME(EILSEQ); NAME(EINVAL); NAME(EIO);
    NAME(EISDIR); NAME(ELOOP); NAME(EMFILE); NAME(EMLINK); NAME(ENAMETOOLONG); NAME(ENODEV);
    NAME(ENOENT); NAME(ENOMEM); NAME(ENOTCAPABLE); NAME(ENOTDIR); NAME(ENOTEMPTY); NAME(ENOTSUP);
    NAME(ENXIO); NAME(EPERM); NAME(EROFS); NAME(ETXTBSY); NAME(EXDEV);
  }
  return text_of(strerror(errno));
}

static Text answer(int outcome) { return outcome < 0 ? failed() : TEXT("ok"); }

static Text contents(int file) {
  if (file < 0) return failed();
  char *text = 0;
  u32 size = 0;
  for (;;) {
    text = cabi_realloc(text, size, 1, size + 65536);
    ssize_t count = read(file, text + size, 65536);
    if (count < 0) {
      Text error = failed();
      close(file);
      return error;
    }
    if (!count) break;
    size += (u32)count;
  }
  close(file);
  return (Text){text, size};
}

static Text put(int file, Text text) {
  if (file < 0) return failed();
  Text outcome = write(file, text.data, text.size) == (ssize_t)text.size ? TEXT("ok") : failed();
  close(file);
  return outcome;
}

// r, w: read, write; c: create; x: exclusively; t: truncate; a: append; d: a directory; n: no link
static int flags_of(const char *letters) {
  int flags = 0, r = !!strchr(letters, 'r'), w = !!strchr(letters, 'w');
  flags |= r && w ? O_RDWR : w ? O_WRONLY : O_RDONLY;
  if (strchr(letters, 'c')) flags |= O_CREAT;
  if (strchr(letters, 'x')) flags |= O_CREAT | O_EXCL;
  if (strchr(letters, 't')) flags |= O_TRUNC;
  if (strchr(letters, 'a')) flags |= O_APPEND;
  if (strchr(letters, 'd')) flags |= O_DIRECTORY;
  if (strchr(letters, 'n')) flags |= O_NOFOLLOW;
  return flags;
}

static int open_with(const char *path, const char *letters) {
  return open(path, flags_of(letters), 0666);
}

static Text kind_of(int outcome, const struct stat *found) {
  if (outcome < 0) return failed();
  char *text = allocate(64, 1);
  const char *kind = S_ISDIR(found->st_mode) ? "dir" : S_ISREG(found->st_mode) ? "file"
                     : S_ISLNK(found->st_mode) ? "link" : "other";
  if (S_ISREG(found->st_mode)) snprintf(text, 64, "%s %llu", kind, (u64)found->st_size);
  else snprintf(text, 64, "%s", kind);
  return text_of(text);
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static Text names_in(DIR *folder) {
  if (!folder) return failed();
  char **names = 0;
  u32 count = 0, room = 0, size = 0;
  errno = 0;
  for (struct dirent *entry; (entry = readdir(folder));) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (count == room) names = realloc(names, (room = room * 2 + 16) * sizeof *names);
    size += (u32)strlen(entry->d_name) + 1;
    names[count++] = strdup(entry->d_name);
  }
  Text error = errno ? failed() : (Text){0};
  closedir(folder);
  if (error.data) return error;
  if (count) qsort(names, count, sizeof *names, compare_names);
  char *text = allocate(size + 1, 1), *at = text;
  for (u32 i = 0; i < count; i++) at += sprintf(at, i ? " %s" : "%s", names[i]);
  return (Text){text, (u32)(at - text)};
}

static Text number(i64 value) {
  char *text = allocate(24, 1);
  return (Text){text, (u32)snprintf(text, 24, "%lld", (long long)value)};
}

// Opens a file again and again without closing it; how often that went well.
static Text hold(const char *path, int most) {
  int count = 0;
  while (count < most && open(path, O_RDONLY) >= 0) count++;
  return number(count);
}

// Opens `path` and then `name` below it, for reading.
static Text read_at(const char *path, const char *name) {
  int folder = open(path, O_RDONLY | O_DIRECTORY);
  if (folder < 0) return failed();
  Text outcome = contents(openat(folder, name, O_RDONLY));
  close(folder);
  return outcome;
}

// Does something to an open file: which is decided when it is opened.
static Text with_open(const char *path, const char *letters, const char *what) {
  int file = open_with(path, letters);
  if (file < 0) return failed();
  int outcome = -1;
  struct stat found;
  char byte;
  if (!strcmp(what, "truncate")) outcome = ftruncate(file, 1);
  if (!strcmp(what, "write")) outcome = (int)write(file, "x", 1);
  if (!strcmp(what, "read")) outcome = (int)read(file, &byte, 1);
  if (!strcmp(what, "times")) outcome = futimens(file, 0);
  if (!strcmp(what, "stat")) outcome = fstat(file, &found);
  if (!strcmp(what, "sync")) outcome = fsync(file);
  Text text = answer(outcome);
  close(file);
  return text;
}

static u64 walk(const char *path) {
  DIR *folder = opendir(path);
  if (!folder) return 0;
  u64 count = 0;
  char below[4200];
  for (struct dirent *entry; (entry = readdir(folder));) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
    struct stat found;
    if (lstat(below, &found)) continue;
    count++;
    if (S_ISDIR(found.st_mode)) count += walk(below);
  }
  closedir(folder);
  return count;
}

static Text chosen(const char *what, const char *a, const char *b, const char *c) {
  struct stat found;
  if (!strcmp(what, "read")) return contents(open(a, O_RDONLY));
  if (!strcmp(what, "write")) return put(open(a, O_WRONLY | O_CREAT | O_TRUNC, 0666), text_of(b));
  if (!strcmp(what, "append")) return put(open(a, O_WRONLY | O_APPEND), text_of(b));
  if (!strcmp(what, "create")) return put(open(a, O_WRONLY | O_CREAT | O_EXCL, 0666), text_of(b));
  if (!strcmp(what, "open")) {
    int file = open_with(a, b);
    Text outcome = answer(file);
    if (file >= 0) close(file);
    return outcome;
  }
  if (!strcmp(what, "with")) return with_open(a, b, c);
  if (!strcmp(what, "stat")) return kind_of(stat(a, &found), &found);
  if (!strcmp(what, "lstat")) return kind_of(lstat(a, &found), &found);
  if (!strcmp(what, "inode")) return stat(a, &found) ? failed() : number((i64)found.st_ino);
  if (!strcmp(what, "access")) return answer(access(a, F_OK));
  if (!strcmp(what, "list")) return names_in(opendir(a));
  if (!strcmp(what, "count")) return number((i64)walk(a));
  if (!strcmp(what, "rename")) return answer(rename(a, b));
  if (!strcmp(what, "link")) return answer(link(a, b));
  if (!strcmp(what, "symlink")) return answer(symlink(a, b));
  if (!strcmp(what, "readlink")) {
    char *text = allocate(4096, 1);
    ssize_t size = readlink(a, text, 4096);
    return size < 0 ? failed() : (Text){text, (u32)size};
  }
  if (!strcmp(what, "unlink")) return answer(unlink(a));
  if (!strcmp(what, "mkdir")) return answer(mkdir(a, 0777));
  if (!strcmp(what, "rmdir")) return answer(rmdir(a));
  if (!strcmp(what, "times")) return answer(utimensat(AT_FDCWD, a, 0, 0));
  if (!strcmp(what, "ltimes")) return answer(utimensat(AT_FDCWD, a, 0, AT_SYMLINK_NOFOLLOW));
  if (!strcmp(what, "truncate")) return answer(truncate(a, 1));
  if (!strcmp(what, "chdir")) return answer(chdir(a));
  if (!strcmp(what, "read-at")) return read_at(a, b);
  if (!strcmp(what, "hold")) return hold(a, atoi(b));
  return TEXT("unknown operation");
}

static Text perform(const List *operation) {
  Text *words = operation->data;
  char *what = string_of(words[0]);
  char *a = operation->count > 1 ? string_of(words[1]) : string_of(TEXT(""));
  char *b = operation->count > 2 ? string_of(words[2]) : string_of(TEXT(""));
  char *c = operation->count > 3 ? string_of(words[3]) : string_of(TEXT(""));
  Text outcome = chosen(what, a, b, c);
  free(what), free(a), free(b), free(c);
  return outcome;
}

EXPORT("run") List *run(const List *operations, u32 count) {
  static List results;
  Text *texts = allocate(count * sizeof *texts, 4);
  for (u32 i = 0; i < count; i++) texts[i] = perform(&operations[i]);
  results = (List){texts, count};
  return &results;
}

EXPORT("walk") u64 walk_all(const char *path, u32 size) { return walk(string_of((Text){path, size})); }

EXPORT("slurp") u64 slurp(const char *path, u32 size) {
  static char piece[65536];
  int file = open(string_of((Text){path, size}), O_RDONLY);
  u64 total = 0;
  for (ssize_t count; file >= 0 && (count = read(file, piece, sizeof piece)) > 0;) total += (u64)count;
  if (file >= 0) close(file);
  return total;
}
