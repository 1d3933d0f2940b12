// With wasi-libc, so that it fails as ordinary programs do.
#define WITH_LIBC
#include "../abi.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wasi/api.h>
#include <wasi/libc-environ.h>

static Text text_of(const char *string) { return (Text){string, (u32)strlen(string)}; }

static char *string_of(const char *data, u32 size) {
  char *string = allocate(size + 1, 1);
  memcpy(string, data, size);
  string[size] = 0;
  return string;
}

static Result *ok(Text text) {
  static Result result;
  result = (Result){0, text};
  return &result;
}

static Result *failed(void) {
  static Result result;
  result = (Result){1, text_of(strerror(errno))};
  return &result;
}

static List *list_of(void *data, u32 count) {
  static List list;
  list = (List){data, count};
  return &list;
}

EXPORT("read-file") Result *read_file(const char *path, u32 path_size) {
  FILE *file = fopen(string_of(path, path_size), "rb");
  if (!file) return failed();
  char *text = 0;
  u32 size = 0;
  for (;;) {
    text = cabi_realloc(text, size, 1, size + 65536);
    size_t count = fread(text + size, 1, 65536, file);
    if (!count) break;
    size += count;
  }
  int error = ferror(file);
  fclose(file);
  return error ? failed() : ok((Text){text, size});
}

EXPORT("write-file")
Result *write_file(const char *path, u32 path_size, const char *text, u32 size) {
  FILE *file = fopen(string_of(path, path_size), "wb");
  if (!file) return failed();
  int complete = fwrite(text, 1, size, file) == size;
  if (fclose(file) || !complete) return failed();
  return ok(TEXT(""));
}

EXPORT("list-dir") Result *list_dir(const char *path, u32 path_size) {
  DIR *folder = opendir(string_of(path, path_size));
  if (!folder) return failed();
  Text *names = 0;
  u32 count = 0;
  for (struct dirent *entry; (entry = readdir(folder));) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    names = cabi_realloc(names, count * sizeof *names, 4, (count + 1) * sizeof *names);
    u32 size = (u32)strlen(entry->d_name);
    names[count++] = (Text){string_of(entry->d_name, size), size};
  }
  closedir(folder);
  return ok((Text){(char *)names, count});
}

EXPORT("get-env") Option *get_env(const char *name, u32 size) {
  static Option option;
  const char *value = getenv(string_of(name, size));
  option = value ? (Option){1, text_of(value)} : (Option){0};
  return &option;
}

EXPORT("all-env") List *all_env(void) {
  char **variables = __wasilibc_get_environ();
  u32 count = 0;
  while (variables[count]) count++;
  Text *pairs = allocate(2 * count * sizeof *pairs, 4);
  for (u32 i = 0; i < count; i++) {
    char *equals = strchr(variables[i], '=');
    pairs[2 * i] = (Text){variables[i], (u32)(equals - variables[i])};
    pairs[2 * i + 1] = text_of(equals + 1);
  }
  return list_of(pairs, count);
}

EXPORT("args") List *args(void) {
  size_t count, size;
  if (__wasi_args_sizes_get(&count, &size)) __builtin_trap();
  u8 **pointers = allocate((u32)(count + 1) * sizeof *pointers, 4);
  if (__wasi_args_get(pointers, allocate((u32)size, 1))) __builtin_trap();
  Text *texts = allocate((u32)count * sizeof *texts, 4);
  for (u32 i = 0; i < count; i++) texts[i] = text_of((char *)pointers[i]);
  return list_of(texts, (u32)count);
}

static volatile u32 sink;

EXPORT("spin") void spin(void) {
  for (;;) sink++;
}

EXPORT("sleep") void sleep_for(double seconds) {
  struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
  nanosleep(&time, 0);
}

EXPORT("eat-memory") u64 eat_memory(u32 chunk_kib) {
  u64 eaten = 0;
  u32 chunk = (chunk_kib ? chunk_kib : 1) * 1024;
  for (volatile char *block; (block = malloc(chunk)); eaten += chunk)
    for (u32 i = 0; i < chunk; i += 4096) block[i] = 1;
  return eaten;
}

EXPORT("trap") void trap(void) { __builtin_trap(); }

EXPORT("quit") void quit(u32 code) { exit((int)code); }

// The write after the call keeps it from becoming a loop.
EXPORT("recurse") __attribute__((noinline)) u32 recurse(u32 depth) {
  if (!depth) return 0;
  u32 below = recurse(depth - 1);
  sink++;
  return below + 1;
}

EXPORT("print") void print(const char *text, u32 size, u32 times) {
  while (times--) {
    fwrite(text, 1, size, stdout);
    fwrite(text, 1, size, stderr);
  }
  fflush(stdout);
  fflush(stderr);
}

EXPORT("add") i32 add(i32 a, i32 b) { return (i32)((u32)a + (u32)b); }

EXPORT("busy") u64 busy(u64 iterations) {
  u64 state = 1;
  while (iterations--) state = state * 6364136223846793005ull + 1442695040888963407ull;
  return state;
}

EXPORT("big-bytes") List *big_bytes(u32 n) {
  u8 *bytes = allocate(n, 1);
  for (u32 i = 0; i < n; i++) bytes[i] = (u8)i;
  return list_of(bytes, n);
}

EXPORT("big-string") List *big_string(u32 n) {
  return list_of(memset(allocate(n, 1), 'x', n), n);
}

// Their results can be large: they are freed, so that calls can be repeated.
EXPORT("cabi_post_big-bytes") void free_bytes(List *list) { free(list->data); }
EXPORT("cabi_post_big-string") void free_string(List *list) { free(list->data); }

EXPORT("hostile-text") Text *hostile_text(void) {
  static Text text;
  text = TEXT("plain \x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b]8;;https://evil.example\x1b\\link "
              "\rover \b\b\x7f nul\0nul "                        // carriage return, backspace, NUL
              "\xc2\x9b" "31m "                                  // U+009B, CSI as one character
              "\xe2\x80\xae" "txt.exe" "\xe2\x80\xac "           // right-to-left override
              "\xe2\x81\xa6" "isolate" "\xe2\x81\xa9 "
              "zero\xe2\x80\x8bwidth \xef\xbb\xbf" "bom "
              "line\xe2\x80\xa8separator <script>alert(1)</script> end");
  return &text;
}
