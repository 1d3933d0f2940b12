// Files as a C program uses them: dirent.h and stdio.h work, for what a person permits.
#include "component.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

enum { MAX_SIZE = 1 << 20 };

static const char *path_of(Text path) {
  char *string = allocate(path.size + 1);
  memcpy(string, path.data, path.size);
  string[path.size] = 0;
  return string;
}

static TextResult *failed(Text path) {
  const char *why = strerror(errno);
  Text text = allocate_text(path.size + strlen(why) + 3);
  text.size = (uint32_t)sprintf(text.data, "%.*s: %s", (int)path.size, path.data, why);
  return error(text);
}

EXPORT("list-directory")
TextResult *list_directory(TEXT_ARGUMENT(path)) {
  Text path = ARGUMENT(path), list = allocate_text(MAX_SIZE);
  DIR *directory = opendir(path_of(path));
  if (!directory) return failed(path);
  list.size = 0;
  for (struct dirent *entry; (entry = readdir(directory));) {
    size_t size = strlen(entry->d_name);
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (list.size + size + 2 > MAX_SIZE) break;
    memcpy(list.data + list.size, entry->d_name, size);
    list.size += size;
    if (entry->d_type == DT_DIR) list.data[list.size++] = '/';
    list.data[list.size++] = '\n';
  }
  closedir(directory);
  return ok(list);
}
FREE_AFTER("list-directory")

// The beginning of a file; `data` is null if there is none.
static Text contents(Text path) {
  Text text = allocate_text(MAX_SIZE);
  FILE *file = fopen(path_of(path), "rb");
  if (!file) return (Text){0, 0};
  text.size = (uint32_t)fread(text.data, 1, MAX_SIZE, file);
  if (ferror(file)) text.data = 0;
  fclose(file);
  return text;
}

EXPORT("read-file")
TextResult *read_file(TEXT_ARGUMENT(path)) {
  Text text = contents(ARGUMENT(path));
  return text.data ? ok(text) : failed(ARGUMENT(path));
}
FREE_AFTER("read-file")

EXPORT("search-file")
TextResult *search_file(TEXT_ARGUMENT(path), TEXT_ARGUMENT(text)) {
  Text wanted = ARGUMENT(text), text = contents(ARGUMENT(path)), found = allocate_text(2 * MAX_SIZE);
  if (!text.data) return failed(ARGUMENT(path));
  found.size = 0;
  for (uint32_t start = 0, number = 1; start < text.size; number++) {
    char *line = text.data + start, *end = memchr(line, '\n', text.size - start);
    uint32_t size = end ? (uint32_t)(end - line) : text.size - start;
    for (uint32_t at = 0; at + wanted.size <= size; at++) {
      if (memcmp(line + at, wanted.data, wanted.size)) continue;
      if (found.size + size + 16 > 2 * MAX_SIZE) return ok(found);
      found.size += sprintf(found.data + found.size, "%u: %.*s\n", number, (int)size, line);
      break;
    }
    start += size + 1;
  }
  return ok(found);
}
FREE_AFTER("search-file")
