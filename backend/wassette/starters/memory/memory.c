// Notes. What the tools do is in memory.wit. Each note is a file of the directory `/notes`: its key
// with everything but a-z, 0-9, - and _ written as %XX, so that no key leads elsewhere, and none is
// taken for another where the case of names does not count.

#include "../common/find.h"
#include "../common/time.h"
#include "../common/write.h"

AFTER(remember, "remember")
AFTER(add_to_note, "add-to-note")
AFTER(recall, "recall")
AFTER(forget, "forget")
AFTER(list_notes, "list-notes")
AFTER(search_notes, "search-notes")

enum { MAX_KEY = 120, MAX_NOTE = 1 << 20, MAX_NAME = 250, MAX_HITS = 50, MAX_SHOWN = 2000, MAX_NOTES = 20000 };
#define FOLDER TEXT("/notes")
#define ENDING TEXT(".md")

static int is_plain(u8 c) { return is_lower(c) || is_digit(c) || c == '-' || c == '_'; }

// The path of a key's file; false with the reason in `path`.
static int note_path(Text key, Text *path) {
  u32 characters = 0;
  for (u32 at = 0; at < key.size; characters++) {
    u32 c = next_character(key, &at);
    if (c < 0x20 || c == 0x7F) return *path = TEXT("key: has a control character in it"), 0;
  }
  if (!characters || characters > MAX_KEY) return *path = TEXT("key: has to have 1 to 120 characters"), 0;
  Buffer out = {0};
  add_text(&out, FOLDER), add(&out, '/');
  for (u32 i = 0; i < key.size; i++) {
    u8 c = key.data[i];
    if (is_plain(c)) add(&out, c);
    else add(&out, '%'), add_hex(&out, c, 2);
  }
  add_text(&out, ENDING);
  if (out.size > MAX_NAME) return *path = TEXT("key: is too long; use fewer letters that are not a to z"), 0;
  *path = text_of(out);
  return 1;
}

// The key of a file, or an empty text if it is not one of ours.
static Text key_of(Text name) {
  Buffer out = {0};
  if (!ends_with(name, ENDING)) return text_of(out);
  name.size -= ENDING.size;
  for (u32 i = 0; i < name.size; i++) {
    u8 c = name.data[i];
    if (is_plain(c)) {
      add(&out, c);
      continue;
    }
    int high = i + 2 < name.size + 0u && c == '%' ? hex_value(name.data[i + 1]) : -1;
    int low = high >= 0 ? hex_value(name.data[i + 2]) : -1;
    if (low < 0) return (Text){0, 0};
    add(&out, (u8)(high << 4 | low));
    i += 2;
  }
  Text key = text_of(out);
  return utf8_end(key) == key.size ? key : (Text){0, 0};
}

static Result *refuse(u8 error, Text key) {
  if (error == E_NO_ENTRY) {
    Stat stat;
    if (stat_path(FOLDER, 1, &stat) == NO_ERROR)
      return return_error(joined3(TEXT("there is no note under the key "), key, TEXT("")));
  }
  return return_error(file_error(FOLDER, error));
}

static Result *put(Text key, Text path, Text text) {
  if (text.size > MAX_NOTE) return return_error(TEXT("text: the note would have more than 1 MiB"));
  u8 error = write_path(path, text);
  if (error != NO_ERROR) return return_error(file_error(FOLDER, error));
  return return_ok(joined3(TEXT("kept under the key "), key, TEXT("")));
}

EXPORT("remember")
Result *remember(const u8 *at, u32 size, const u8 *text, u32 text_size) {
  Text key = {at, size}, path;
  if (!note_path(key, &path)) return return_error(path);
  return put(key, path, (Text){text, text_size});
}

EXPORT("add-to-note")
Result *add_to_note(const u8 *at, u32 size, const u8 *text, u32 text_size) {
  Text key = {at, size}, path, old;
  if (!note_path(key, &path)) return return_error(path);
  u8 error = read_bytes(path, 0, MAX_NOTE, &old);
  if (error == E_NO_ENTRY) old = (Text){0, 0};
  else if (error != NO_ERROR) return return_error(file_error(FOLDER, error));
  if (text_size > MAX_NOTE) return return_error(TEXT("text: the note would have more than 1 MiB"));
  int breaks = old.size && old.data[old.size - 1] != '\n';
  return put(key, path, joined3(old, breaks ? TEXT("\n") : TEXT(""), (Text){text, text_size}));
}

EXPORT("recall")
Result *recall(const u8 *at, u32 size) {
  Text key = {at, size}, path, text;
  if (!note_path(key, &path)) return return_error(path);
  u8 error = read_bytes(path, 0, MAX_NOTE, &text);
  return error == NO_ERROR ? return_ok(as_utf8(text)) : refuse(error, key);
}

EXPORT("forget")
Result *forget(const u8 *at, u32 size) {
  Text key = {at, size}, path;
  if (!note_path(key, &path)) return return_error(path);
  u8 error = unlink_path(path);
  return error == NO_ERROR ? return_ok(joined3(TEXT("forgot "), key, TEXT(""))) : refuse(error, key);
}

typedef struct { Text key; u64 size; OptionalText modified; } Note;

EXPORT("list-notes")
Result *list_notes(u32 has_prefix, const u8 *prefix, u32 prefix_size) {
  Listing listing;
  u8 error = list_path(FOLDER, &listing);
  if (error != NO_ERROR) return return_error(file_error(FOLDER, error));
  if (listing.count > MAX_NOTES) return return_error(TEXT("there are more than 20,000 notes"));
  Note *notes = allocate_array(listing.count + 1, sizeof *notes);
  u32 count = 0;
  for (u32 i = 0; i < listing.count; i++) {
    Text key = key_of(listing.entries[i].name);
    Stat stat;
    if (!key.size || (has_prefix && !starts_with(key, (Text){prefix, prefix_size}))) continue;
    if (stat_path(path_of(FOLDER, listing.entries[i].name), 0, &stat) != NO_ERROR || stat.type != IS_FILE) continue;
    Buffer time = {0};
    if (stat.modified.is_some && stat.modified.time.seconds < 253402300800ull)
      add_time(&time, (i64)stat.modified.time.seconds, TEXT(""), 0);
    notes[count++] = (Note){key, stat.size, {time.size > 0, text_of(time)}};
  }
  return return_list(notes, count);
}

static int has_word(Text text, Text word) {
  Search search = search_for(word);
  for (u32 i = 0; i < text.size; i++)
    if (search_byte(&search, to_lower(text.data[i]))) return 1;
  return 0;
}

// Whether all of the words are in the key or in the text.
static int has_words(Text words, Text key, Text text) {
  for (u32 start = 0; start < words.size;) {
    u32 end = start;
    while (end < words.size && words.data[end] > ' ') end++;
    u32 mark = arena_end;
    if (end > start && !has_word(key, part(words, start, end)) && !has_word(text, part(words, start, end))) return 0;
    arena_end = mark;
    start = end + 1;
  }
  return 1;
}

typedef struct { Text key, text; } Found;

EXPORT("search-notes")
Result *search_notes(const u8 *at, u32 size) {
  static Found found[MAX_HITS];
  Listing listing;
  u32 count = 0;
  if (size > 1000) return return_error(TEXT("words: have more than 1000 bytes"));
  Buffer lower = {0};
  for (u32 i = 0; i < size; i++) add(&lower, to_lower(at[i]));
  Text words = text_of(lower);
  if (!trimmed(words).size) return return_error(TEXT("words: there are none"));
  u8 error = list_path(FOLDER, &listing);
  if (error != NO_ERROR) return return_error(file_error(FOLDER, error));
  for (u32 i = 0; i < listing.count && count < MAX_HITS; i++) {
    u32 mark = arena_end;
    Text key = key_of(listing.entries[i].name), text;
    if (!key.size || read_bytes(path_of(FOLDER, listing.entries[i].name), 0, MAX_NOTE, &text) != NO_ERROR ||
        !has_words(words, key, text)) {
      arena_end = mark;
      continue;
    }
    if (text.size > MAX_SHOWN) {
      text.size = MAX_SHOWN;
      while (text.size && (text.data[text.size] & 0xC0) == 0x80) text.size--;
    }
    found[count++] = (Found){key, as_utf8(text)};
  }
  return return_list(found, count);
}
