// Files. What the tools do is in files.wit.

#include "../common/diff.h"
#include "../common/find.h"
#include "../common/glob.h"
#include "../common/quote.h"
#include "../common/regex.h"
#include "../common/time.h"
#include "../common/write.h"

AFTER(list_allowed_directories, "list-allowed-directories")
AFTER(read_text_file, "read-text-file")
AFTER(read_multiple_files, "read-multiple-files")
AFTER(read_media_file, "read-media-file")
AFTER(write_file, "write-file")
AFTER(edit_file, "edit-file")
AFTER(create_directory_tool, "create-directory")
AFTER(list_directory, "list-directory")
AFTER(directory_tree, "directory-tree")
AFTER(move_file, "move-file")
AFTER(search_files, "search-files")
AFTER(search_text, "search-text")
AFTER(get_file_info, "get-file-info")

enum { FILE_KIND, DIRECTORY_KIND, LINK_KIND, OTHER_KIND };
enum { MAX_VISITED = 300000, MAX_FOUND = 10000, MAX_MEDIA = 2 << 20 };

static u8 kind_of(u8 type) {
  return type == IS_FILE ? FILE_KIND : type == IS_DIRECTORY ? DIRECTORY_KIND
         : type == IS_LINK ? LINK_KIND : OTHER_KIND;
}

// ---- what is allowed ----

typedef struct { Text *items; u32 count, room; } Texts;

static void add_item(Texts *texts, Text item) {
  if (texts->count == texts->room) {
    u32 room = texts->room ? texts->room * 2 : 64;
    Text *wider = allocate_array(room, sizeof(Text));
    if (texts->count) __builtin_memcpy(wider, texts->items, texts->count * sizeof(Text));
    texts->items = wider;
    texts->room = room;
  }
  texts->items[texts->count++] = item;
}

// Directories above what was granted are made up for the component, and have no times.
static int is_made_up(const Stat *stat) {
  return stat->type == IS_DIRECTORY && !stat->modified.is_some && !stat->accessed.is_some;
}

static void find_granted(Text path, u32 depth, Texts *found) {
  Stat stat;
  if (depth > MAX_DEPTH || found->count >= 1000 || stat_path(path, 0, &stat) != NO_ERROR) return;
  if (!is_made_up(&stat)) {
    add_item(found, path);
    return;
  }
  Listing listing;
  if (list_path(path, &listing) != NO_ERROR) return;
  for (u32 i = 0; i < listing.count; i++)
    find_granted(path_of(path, listing.entries[i].name), depth + 1, found);
}

EXPORT("list-allowed-directories")
Result *list_allowed_directories(void) {
  Texts found = {0};
  find_granted(TEXT("/"), 0, &found);
  return return_list(found.items, found.count);
}

// ---- reading ----

static Text first_lines(Text text, u32 count) {
  u32 at = 0;
  for (; count && at < text.size; count--) {
    while (at < text.size && text.data[at] != '\n') at++;
    if (at < text.size) at++;
  }
  return part(text, 0, at);
}

static Text last_lines(Text text, u32 count) {
  u32 at = text.size;
  while (count && at) {
    at--;  // the line break that ends the line, or its last byte
    while (at && text.data[at - 1] != '\n') at--;
    count--;
  }
  return part(text, at, text.size);
}

EXPORT("read-text-file")
Result *read_text_file(const u8 *at, u32 size, u32 has_head, u32 head, u32 has_tail, u32 tail) {
  Text path = {at, size}, text;
  if (has_head && has_tail) return return_error(TEXT("head, tail: only one of them can be given"));
  if (!clean_path(&path)) return return_error(path);
  if (!read_text(path, &text)) return return_error(text);
  if (has_head) text = first_lines(text, head);
  if (has_tail) text = last_lines(text, tail);
  text = as_utf8(text);
  if (text.size > MAX_RESULT - 1024) return return_error(joined3(path, TEXT(": is larger than 16 MiB"), TEXT("")));
  return return_ok(text);
}

typedef struct { Text path; Result text; } Content;

EXPORT("read-multiple-files")
Result *read_multiple_files(const Text *paths, u32 count) {
  if (!count) return return_error(TEXT("paths: is empty"));
  if (count > 100) return return_error(TEXT("paths: has more than 100"));
  Content *contents = allocate_array(count, sizeof *contents);
  u32 total = 0;
  for (u32 i = 0; i < count; i++) {
    u32 mark = arena_end;
    Text path = paths[i], text;
    int ok = clean_path(&path);
    if (!ok) text = path;
    else ok = read_text(path, &text);
    text = as_utf8(text);
    if (ok && total + text.size > MAX_RESULT - (1 << 20)) {
      arena_end = mark;
      ok = 0, text = joined3(paths[i], TEXT(": is too much together with the others; read it by itself"), TEXT(""));
    }
    total += text.size;
    contents[i] = (Content){paths[i], {!ok, text}};
  }
  return return_list(contents, count);
}

typedef struct { u8 is_error; union { Text error; struct { Text type, data; } media; } value; } MediaResult;

static Text mime_type(Text path) {
  static const struct { Text end, type; } types[] = {
      {TEXT(".png"), TEXT("image/png")},      {TEXT(".jpg"), TEXT("image/jpeg")},
      {TEXT(".jpeg"), TEXT("image/jpeg")},    {TEXT(".gif"), TEXT("image/gif")},
      {TEXT(".webp"), TEXT("image/webp")},    {TEXT(".bmp"), TEXT("image/bmp")},
      {TEXT(".svg"), TEXT("image/svg+xml")},  {TEXT(".mp3"), TEXT("audio/mpeg")},
      {TEXT(".wav"), TEXT("audio/wav")},      {TEXT(".ogg"), TEXT("audio/ogg")},
      {TEXT(".flac"), TEXT("audio/flac")},    {TEXT(".pdf"), TEXT("application/pdf")},
  };
  for (u32 i = 0; i < COUNT(types); i++) {
    Text end = types[i].end;
    if (path.size > end.size && same_letters(part(path, path.size - end.size, path.size), end)) return types[i].type;
  }
  return TEXT("application/octet-stream");
}

EXPORT("read-media-file")
MediaResult *read_media_file(const u8 *at, u32 size) {
  static MediaResult media;
  Text path = {at, size}, bytes;
  media.is_error = 1;
  if (!clean_path(&path)) return media.value.error = path, &media;
  if (!read_text(path, &bytes)) return media.value.error = bytes, &media;
  if (bytes.size > MAX_MEDIA)
    return media.value.error = joined3(path, TEXT(": is larger than 2 MiB"), TEXT("")), &media;
  media.is_error = 0;
  media.value.media.type = mime_type(path);
  media.value.media.data = bytes;
  return &media;
}

// ---- writing ----

EXPORT("write-file")
Result *write_file(const u8 *at, u32 size, const u8 *text, u32 text_size) {
  Text path = {at, size};
  if (!clean_path(&path)) return return_error(path);
  u8 error = write_path(path, (Text){text, text_size});
  if (error != NO_ERROR) return return_error(file_error(path, error));
  Buffer out = {0};
  ADD(&out, "wrote "), add_decimal(&out, text_size), ADD(&out, " bytes to "), add_text(&out, path);
  return return_ok(text_of(out));
}

typedef struct { Text old, new; } Edit;

static Text with_breaks(Text text, int carriage_returns) {
  Buffer out = {0};
  for (u32 i = 0; i < text.size; i++) {
    if (text.data[i] == '\r' && i + 1 < text.size && text.data[i + 1] == '\n') continue;
    if (text.data[i] == '\n' && carriage_returns) add(&out, '\r');
    add(&out, text.data[i]);
  }
  return text_of(out);
}

static u32 indent_of(Text line) {
  u32 size = 0;
  while (size < line.size && (line.data[size] == ' ' || line.data[size] == '\t')) size++;
  return size;
}

// Adds the new lines with the indentation that the old ones really have.
static void add_indented(Buffer *out, Lines given, Lines new, Text first, int ended) {
  u32 indent = indent_of(first);
  Text ending = ends_with(first, TEXT("\r\n")) ? TEXT("\r\n") : TEXT("\n");
  for (u32 j = 0; j < new.count; j++) {
    Text line = new.lines[j];
    while (line.size && (line.data[line.size - 1] == '\n' || line.data[line.size - 1] == '\r')) line.size--;
    u32 own = indent_of(line), expected = j < given.count ? indent_of(given.lines[j]) : 0;
    Text rest = part(line, own, line.size);
    if (j == 0) {
      add_text(out, part(first, 0, indent)), add_text(out, rest);
    } else if (expected && own) {
      add_text(out, part(first, 0, indent));
      for (u32 i = expected; i < own; i++) add(out, ' ');
      add_text(out, rest);
    } else {
      add_text(out, line);
    }
    if (j + 1 < new.count || ended) add_text(out, ending);
  }
}

// The text with the edit in it; false if what is to be replaced is not there.
static int apply(Text *text, Edit edit) {
  if (!edit.old.size) return 0;
  int carriage_returns = find_in(*text, TEXT("\r\n"), 0) < text->size;
  for (u32 way = 0; way < 2; way++) {
    if (way) edit.old = with_breaks(edit.old, carriage_returns), edit.new = with_breaks(edit.new, carriage_returns);
    u32 at = position_of(*text, edit.old);
    if (at == text->size) continue;
    *text = joined3(part(*text, 0, at), edit.new, part(*text, at + edit.old.size, text->size));
    return 1;
  }
  Lines lines = lines_of(*text), old = lines_of(edit.old), new = lines_of(edit.new);
  u64 steps = 0;
  for (u32 i = 0; i + old.count <= lines.count && old.count; i++) {
    u32 j = 0;
    while (j < old.count && same(trimmed(lines.lines[i + j]), trimmed(old.lines[j]))) j++;
    if ((steps += j + 1) > 100000000) return 0;
    if (j < old.count) continue;
    Text last = lines.lines[i + j - 1];
    Buffer out = {0};
    add_text(&out, part(*text, 0, (u32)(lines.lines[i].data - text->data)));
    add_indented(&out, old, new, lines.lines[i], ends_with(last, TEXT("\n")));
    add_text(&out, part(*text, (u32)(last.data + last.size - text->data), text->size));
    *text = text_of(out);
    return 1;
  }
  return 0;
}

EXPORT("edit-file")
Result *edit_file(const u8 *at, u32 size, const Edit *edits, u32 count, u32 has_dry_run, u32 dry_run) {
  Text path = {at, size}, old;
  if (!clean_path(&path)) return return_error(path);
  if (count > 1000) return return_error(TEXT("edits: has more than 1000"));
  if (!read_text(path, &old)) return return_error(old);
  if (utf8_end(old) != old.size) return return_error(joined3(path, TEXT(": is not UTF-8 text"), TEXT("")));
  Text new = old;
  for (u32 i = 0; i < count; i++) {
    if (!apply(&new, edits[i])) {
      Buffer out = {0};
      ADD(&out, "edits: number "), add_decimal(&out, i + 1), ADD(&out, ": not found in ");
      add_text(&out, path), ADD(&out, ": "), add_text(&out, part(edits[i].old, 0, edits[i].old.size < 200 ? edits[i].old.size : 200));
      return return_error(as_utf8(text_of(out)));
    }
    if (new.size > MAX_FILE) return return_error(TEXT("edits: the file would be larger than 16 MiB"));
  }
  Text diff = unified_diff(old, new, path, path, 3);
  if (diff.size > MAX_RESULT - 1024) return return_error(TEXT("edits: changes more than can be shown"));
  if (!(has_dry_run && dry_run) && !same(old, new)) {
    u8 error = write_path(path, new);
    if (error != NO_ERROR) return return_error(file_error(path, error));
  }
  return return_ok(diff);
}

EXPORT("create-directory")
Result *create_directory_tool(const u8 *at, u32 size) {
  Text path = {at, size};
  if (!clean_path(&path)) return return_error(path);
  // From the deepest one that exists on.
  u32 exists = path.size;
  Stat stat;
  for (;;) {
    u8 error = stat_path(exists ? part(path, 0, exists) : TEXT("/"), 1, &stat);
    if (error == NO_ERROR && stat.type != IS_DIRECTORY) return return_error(file_error(part(path, 0, exists), E_NOT_DIRECTORY));
    if (error == NO_ERROR || !exists) break;
    while (exists && path.data[--exists] != '/') {}
  }
  for (u32 i = exists + 1; exists < path.size && i <= path.size; i++) {
    if (i < path.size && path.data[i] != '/') continue;
    u8 error = create_directory(part(path, 0, i));
    if (error != NO_ERROR && error != E_EXIST) return return_error(file_error(part(path, 0, i), error));
  }
  return return_ok(joined3(path, TEXT(" is there"), TEXT("")));
}

EXPORT("move-file")
Result *move_file(const u8 *from_at, u32 from_size, const u8 *to_at, u32 to_size) {
  Text from = {from_at, from_size}, to = {to_at, to_size};
  if (!clean_path(&from)) return return_error(joined3(TEXT("source: "), from, TEXT("")));
  if (!clean_path(&to)) return return_error(joined3(TEXT("destination: "), to, TEXT("")));
  Stat stat;
  u8 error = stat_path(from, 0, &stat);
  if (error != NO_ERROR) return return_error(file_error(from, error));
  if (stat_path(to, 0, &stat) == NO_ERROR) return return_error(file_error(to, E_EXIST));
  error = rename_path(from, to);
  if (error != NO_ERROR) {
    Buffer out = {0};
    add_text(&out, from), ADD(&out, " to "), add_text(&out, to), ADD(&out, ": "), add_text(&out, error_name(error));
    return return_error(text_of(out));
  }
  return return_ok(joined3(from, TEXT(" is now "), to));
}

// ---- listing ----

typedef struct { Text name; u8 kind; u64 size; } Entry;

static void sort_sizes(Entry *entries, Entry *other, u32 count) {
  if (count < 2) return;
  u32 half = count / 2;
  sort_sizes(entries, other, half);
  sort_sizes(entries + half, other, count - half);
  __builtin_memcpy(other, entries, count * sizeof *entries);
  for (u32 i = 0, a = 0, b = half; i < count; i++)
    entries[i] = a < half && (b == count || other[a].size >= other[b].size) ? other[a++] : other[b++];
}

EXPORT("list-directory")
Result *list_directory(const u8 *at, u32 size, u32 has_order, u32 by_size) {
  Text path = {at, size};
  if (!clean_path(&path)) return return_error(path);
  Listing listing;
  u8 error = list_path(path, &listing);
  if (error != NO_ERROR) return return_error(file_error(path, error));
  Entry *entries = allocate_array(listing.count + 1, sizeof *entries);
  for (u32 i = 0; i < listing.count; i++) {
    DirectoryEntry one = listing.entries[i];
    Stat stat;
    u64 bytes = 0;
    u32 mark = arena_end;
    if (one.type != IS_DIRECTORY && stat_path(path_of(path, one.name), 0, &stat) == NO_ERROR) bytes = stat.size;
    arena_end = mark;
    entries[i] = (Entry){one.name, kind_of(one.type), bytes};
  }
  if (has_order && by_size) sort_sizes(entries, allocate_array(listing.count + 1, sizeof *entries), listing.count);
  return return_list(entries, listing.count);
}

typedef struct { const Text *patterns; u32 count; } Excluded;

// A pattern without wildcards leaves out what has that name, anywhere.
static int is_excluded(Excluded excluded, Text relative, Text name) {
  for (u32 i = 0; i < excluded.count; i++) {
    Text pattern = excluded.patterns[i];
    int wild = 0;
    for (u32 j = 0; j < pattern.size; j++) wild |= find_in(TEXT("*?[{"), part(pattern, j, j + 1), 0) < 4;
    if (!wild && (same(pattern, name) || same(pattern, relative))) return 1;
    if (wild && glob_matches(pattern, relative)) return 1;
  }
  return 0;
}

typedef struct { Text root; Excluded excluded; u32 visited; u8 error; Text error_path; } Walk;

static Text relative_to(Text root, Text path) {
  u32 start = root.size == 1 ? 1 : root.size + 1;
  return part(path, start < path.size ? start : path.size, path.size);
}

static int add_tree(Buffer *out, Walk *walk, Text path, u32 depth) {
  Listing listing;
  u8 error = list_path(path, &listing);
  if (error != NO_ERROR && !depth) return walk->error = error, 0;
  if (error != NO_ERROR || depth > MAX_DEPTH) listing.count = 0;
  u32 count = 0;
  for (u32 i = 0; i < listing.count; i++) {
    DirectoryEntry one = listing.entries[i];
    Text inner = path_of(path, one.name);
    if (is_excluded(walk->excluded, relative_to(walk->root, inner), one.name)) continue;
    if (++walk->visited > MAX_VISITED || out->size > MAX_RESULT - (1 << 20)) return walk->error = 8, 0;
    ADD(out, "\n");
    if (count++) out->size--, ADD(out, ",\n");
    u32 indent = 2 + 4 * depth;
    for (u32 j = 0; j < indent; j++) add(out, ' ');
    ADD(out, "{\n");
    for (u32 j = 0; j < indent + 2; j++) add(out, ' ');
    ADD(out, "\"name\": "), add_quoted(out, one.name), ADD(out, ",\n");
    for (u32 j = 0; j < indent + 2; j++) add(out, ' ');
    if (one.type == IS_DIRECTORY) {
      ADD(out, "\"type\": \"directory\",\n");
      for (u32 j = 0; j < indent + 2; j++) add(out, ' ');
      ADD(out, "\"children\": [");
      if (!add_tree(out, walk, inner, depth + 1)) return 0;
      ADD(out, "]\n");
    } else {
      ADD(out, "\"type\": \"file\"\n");
    }
    for (u32 j = 0; j < indent; j++) add(out, ' ');
    add(out, '}');
  }
  if (count) {
    add(out, '\n');
    for (u32 j = 0; j < 4 * depth; j++) add(out, ' ');
  }
  return 1;
}

EXPORT("directory-tree")
Result *directory_tree(const u8 *at, u32 size, u32 has_excluded, const Text *excluded, u32 count) {
  Text path = {at, size};
  if (!clean_path(&path)) return return_error(path);
  Walk walk = {.root = path, .excluded = {excluded, has_excluded ? count : 0}};
  Buffer out = {0};
  add(&out, '[');
  if (!add_tree(&out, &walk, path, 0))
    return return_error(walk.error == 8 ? TEXT("path: has too much below it; exclude some") : file_error(path, walk.error));
  add(&out, ']');
  return return_ok(text_of(out));
}

// ---- searching ----

static void find_paths(Walk *walk, Text pattern, Text path, u32 depth, Texts *found) {
  Listing listing;
  u8 error = list_path(path, &listing);
  if (error != NO_ERROR && !depth) walk->error = error;
  if (error != NO_ERROR) return;
  for (u32 i = 0; i < listing.count; i++) {
    DirectoryEntry one = listing.entries[i];
    Text inner = path_of(path, one.name), relative = relative_to(walk->root, inner);
    if (++walk->visited > MAX_VISITED || found->count > MAX_FOUND) return;
    if (is_excluded(walk->excluded, relative, one.name)) continue;
    if (glob_matches(pattern, relative)) add_item(found, inner);
    if (one.type == IS_DIRECTORY && depth < MAX_DEPTH) find_paths(walk, pattern, inner, depth + 1, found);
  }
}

EXPORT("search-files")
Result *search_files(const u8 *at, u32 size, const u8 *pattern, u32 pattern_size, u32 has_excluded,
                     const Text *excluded, u32 count) {
  Text path = {at, size};
  if (!clean_path(&path)) return return_error(path);
  if (!pattern_size || pattern_size > GLOB_MAX) return return_error(TEXT("pattern: has to have 1 to 1024 bytes"));
  Walk walk = {.root = path, .excluded = {excluded, has_excluded ? count : 0}, .error = NO_ERROR};
  Texts found = {0};
  find_paths(&walk, (Text){pattern, pattern_size}, path, 0, &found);
  if (walk.error != NO_ERROR) return return_error(file_error(path, walk.error));
  if (found.count > MAX_FOUND || walk.visited > MAX_VISITED)
    return return_error(TEXT("path: there is too much below it; search a smaller directory, or exclude some"));
  return return_list(found.items, found.count);
}

typedef struct { Text path; u32 line; Text text; } FoundLine;
typedef struct {
  u8 is_error;
  union { Text error; struct { FoundLine *lines; u32 count; u8 incomplete; u32 files; } found; } value;
} FoundResult;

typedef struct {
  Regex *re;
  Text files, root;  // files: a pattern; of size 0 for all
  FoundLine *lines;
  u32 count, limit, read, visited;
  u8 incomplete, error;
  Buffer kept;  // the texts of what was found; its room does not change
} TextSearch;

enum { KEPT = 4 << 20, MAX_LINE = 400, MAX_SEARCHED = 8 << 20 };

static Text keep(TextSearch *search, Text text) {
  if (search->kept.room - search->kept.size < text.size + 8) return search->incomplete = 1, TEXT("");
  u8 *at = more(&search->kept, text.size);
  __builtin_memcpy(at, text.data, text.size);
  return (Text){at, text.size};
}

static void search_file(TextSearch *search, Text path) {
  u32 mark = arena_end;
  Stat stat;
  Text text;
  u8 error = stat_path(path, 1, &stat);
  if (error != NO_ERROR || stat.type != IS_FILE || stat.size > MAX_SEARCHED ||
      read_bytes(path, 0, MAX_SEARCHED, &text) != NO_ERROR) {
    arena_end = mark;
    return;
  }
  u32 looked = text.size < 8192 ? text.size : 8192;
  if (find_in(part(text, 0, looked), (Text){(const u8 *)"", 1}, 0) < looked) {  // no text
    arena_end = mark;
    return;
  }
  search->read++;
  Text kept_path = {0, 0};
  u32 line = 0, found[2 * RE_MAX_GROUPS];
  for (u32 start = 0; start < text.size && !search->incomplete;) {
    u32 end = start;
    while (end < text.size && text.data[end] != '\n') end++;
    Text whole = part(text, start, end);
    if (whole.size && whole.data[whole.size - 1] == '\r') whole.size--;
    line++;
    start = end + 1;
    if (!re_search(search->re, whole, 0, found)) {
      if (search->re->steps > RE_MAX_STEPS) search->incomplete = 1;
      continue;
    }
    if (search->count == search->limit) {
      search->incomplete = 1;
      break;
    }
    if (!kept_path.size) kept_path = keep(search, path);
    u32 shown = whole.size < MAX_LINE ? whole.size : MAX_LINE;
    while (shown < whole.size && shown > MAX_LINE - 3 && (whole.data[shown] & 0xC0) == 0x80) shown--;
    u32 before = arena_end;
    Text kept_text = keep(search, as_utf8(part(whole, 0, shown)));
    arena_end = before;
    if (!search->incomplete) search->lines[search->count++] = (FoundLine){kept_path, line, kept_text};
  }
  arena_end = mark;
}

static void search_below(TextSearch *search, Text path, u32 depth) {
  u32 mark = arena_end;
  Listing listing;
  u8 error = list_path(path, &listing);
  if (error != NO_ERROR && !depth) search->error = error;
  if (error != NO_ERROR) listing.count = 0;
  for (u32 i = 0; i < listing.count && !search->incomplete; i++) {
    DirectoryEntry one = listing.entries[i];
    Text inner = path_of(path, one.name);
    if (++search->visited > MAX_VISITED) search->incomplete = 1;
    else if (one.type == IS_DIRECTORY && depth < MAX_DEPTH) search_below(search, inner, depth + 1);
    else if (one.type == IS_FILE &&
             (!search->files.size || glob_matches(search->files, relative_to(search->root, inner))))
      search_file(search, inner);
  }
  arena_end = mark;
}

EXPORT("search-text")
FoundResult *search_text(const u8 *at, u32 size, const u8 *pattern, u32 pattern_size, u32 has_files,
                         const u8 *files, u32 files_size, u32 has_ignore_case, u32 ignore_case,
                         u32 has_limit, u32 limit) {
  static FoundResult found;
  static Regex re;
  Text path = {at, size};
  found.is_error = 1;
  if (!clean_path(&path)) return found.value.error = path, &found;
  if (!re_compile(&re, (Text){pattern, pattern_size}, has_ignore_case && ignore_case ? RE_IGNORE_CASE : 0))
    return found.value.error = re_error(&re), &found;
  if (!has_limit) limit = 200;
  if (!limit || limit > 5000) return found.value.error = TEXT("limit: must be 1 to 5000"), &found;
  if (has_files && files_size > GLOB_MAX) return found.value.error = TEXT("files: is longer than 1024 bytes"), &found;
  static TextSearch search;
  search = (TextSearch){.re = &re, .root = path, .limit = limit, .error = NO_ERROR};
  if (has_files) search.files = (Text){files, files_size};
  search.lines = allocate_array(limit, sizeof *search.lines);
  search.kept = (Buffer){extend(KEPT), 0, KEPT};
  Stat stat;
  u8 error = stat_path(path, 1, &stat);
  if (error != NO_ERROR) return found.value.error = file_error(path, error), &found;
  if (stat.type == IS_DIRECTORY) search_below(&search, path, 0);
  else search_file(&search, path);
  if (search.error != NO_ERROR) return found.value.error = file_error(path, search.error), &found;
  found.is_error = 0;
  found.value.found.lines = search.lines;
  found.value.found.count = search.count;
  found.value.found.incomplete = search.incomplete;
  found.value.found.files = search.read;
  return &found;
}

// ---- looking at one ----

typedef struct {
  u8 is_error;
  union {
    Text error;
    struct { u8 kind; u64 size; OptionalText modified, accessed; } info;
  } value __attribute__((aligned(8)));
} InfoResult;

static OptionalText time_text(OptionalTime time) {
  Buffer out = {0};
  if (!time.is_some || time.time.seconds > 253402300799ull) return (OptionalText){0, {0, 0}};
  int fits = add_time(&out, (i64)time.time.seconds, TEXT(""), 0);
  return (OptionalText){(u8)fits, text_of(out)};
}

EXPORT("get-file-info")
InfoResult *get_file_info(const u8 *at, u32 size) {
  static InfoResult info;
  Text path = {at, size};
  info.is_error = 1;
  if (!clean_path(&path)) return info.value.error = path, &info;
  Stat stat;
  u8 error = stat_path(path, 1, &stat);
  if (error != NO_ERROR) return info.value.error = file_error(path, error), &info;
  info.is_error = 0;
  info.value.info.kind = kind_of(stat.type);
  info.value.info.size = stat.type == IS_DIRECTORY ? 0 : stat.size;
  info.value.info.modified = time_text(stat.modified);
  info.value.info.accessed = time_text(stat.accessed);
  return &info;
}
