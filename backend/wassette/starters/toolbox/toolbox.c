// The toolbox. What the tools do is in toolbox.wit.

#include "../common/diff.h"
#include "../common/find.h"
#include "../common/regex.h"
#include "../common/time.h"
#include "zones.h"

typedef struct { u64 seconds; u32 nanoseconds; } Datetime;
IMPORT("wasi:clocks/wall-clock@0.2.12", "now") void wall_clock_now(Datetime *now);
IMPORT("wasi:random/random@0.2.12", "get-random-u64") u64 random_u64(void);

AFTER(current_time, "current-time")
AFTER(convert_time, "convert-time")
AFTER(time_in_zone, "time-in-zone")
AFTER(list_time_zones, "list-time-zones")
AFTER(find_pattern, "find-pattern")
AFTER(replace_pattern, "replace-pattern")
AFTER(diff_texts, "diff-texts")
AFTER(percent_encode, "percent-encode")
AFTER(percent_decode, "percent-decode")
AFTER(text_stats, "text-stats")
AFTER(find_replace, "find-replace")
AFTER(change_case, "change-case")
AFTER(sort_lines, "sort-lines")
AFTER(hash, "hash")
AFTER(base64_encode, "base64-encode")
AFTER(base64_decode, "base64-decode")
AFTER(uuid, "uuid")

// ---- results ----

// The text that is being written.
static Buffer written;
static void begin(void) { written = (Buffer){0}; }
static void put(u8 byte) { add(&written, byte); }
static void put_text(Text text) { add_text(&written, text); }
static void put_number(u64 value, u32 digits) { add_number(&written, value, digits); }
static void put_decimal(u64 value) { add_decimal(&written, value); }
static void put_hex(u64 value, u32 digits) { add_hex(&written, value, digits); }
static Text end(void) { return text_of(written); }

static Text *return_text(Text text) {
  static Text text_result;
  text_result = text;
  return &text_result;
}

static int is_word(u8 c) { return is_upper(c) || is_lower(c) || is_digit(c) || c >= 0x80; }

// ---- time ----

enum { MAX_OFFSET = 1439 };
static const Text BAD_OFFSET = TEXT("utc-offset-minutes: must be -1439 to 1439");

// Writes a moment as RFC 3339; false if its year has not four digits. `offset` in minutes.
static int put_time(i64 seconds, Text fraction, i32 offset) {
  return add_time(&written, seconds, fraction, offset * MINUTE);
}

EXPORT("current-time")
Result *current_time(u32 has_offset, i32 offset) {
  if (!has_offset) offset = 0;
  if (offset < -MAX_OFFSET || offset > MAX_OFFSET) return return_error(BAD_OFFSET);
  Datetime now;
  wall_clock_now(&now);
  begin();
  if (now.seconds > 253402300799ull || !put_time((i64)now.seconds, TEXT(""), offset))
    return return_error(TEXT("the clock is outside the years 0000 to 9999"));
  return return_ok(end());
}

EXPORT("unix-time")
u64 unix_time(void) {
  Datetime now;
  wall_clock_now(&now);
  return now.seconds;
}

typedef struct { const u8 *at, *end; } Reader;

static int read_char(Reader *in, u8 wanted) {
  if (in->at == in->end || *in->at != wanted) return 0;
  in->at++;
  return 1;
}

static int read_digits(Reader *in, u32 count, u32 *value) {
  *value = 0;
  if ((u32)(in->end - in->at) < count) return 0;
  for (; count; count--, in->at++) {
    if (!is_digit(*in->at)) return 0;
    *value = *value * 10 + (*in->at - '0');
  }
  return 1;
}

// A timestamp that was read: `second` is in UTC, if it said its offset, else as a clock shows it.
typedef struct { i64 second; Text fraction; int has_offset; } Timestamp;

// Reads a date and time of RFC 3339; without an offset only if `local` allows it. False with the
// reason in `why`.
static int read_timestamp(Text text, int local, Timestamp *stamp, Text *why) {
#define BAD(text) return *why = TEXT(text), 0
  if (!text.size) BAD("timestamp: is empty");
  Reader in = {text.data, text.data + text.size};
  u32 year, month, day, hour, minute, second, from_hours = 0, from_minutes = 0;
  if (!read_digits(&in, 4, &year) || !read_char(&in, '-') || !read_digits(&in, 2, &month) ||
      !read_char(&in, '-') || !read_digits(&in, 2, &day))
    BAD("timestamp: must start with a date such as 2026-01-31");
  if (!read_char(&in, 'T') && !read_char(&in, 't') && !read_char(&in, ' '))
    BAD("timestamp: needs a T after the date, then the time");
  if (!read_digits(&in, 2, &hour) || !read_char(&in, ':') || !read_digits(&in, 2, &minute) ||
      !read_char(&in, ':') || !read_digits(&in, 2, &second))
    BAD("timestamp: needs a time such as 18:45:00 after the date");
  stamp->fraction = (Text){in.at, 0};
  if (read_char(&in, '.')) {
    while (in.at < in.end && is_digit(*in.at)) in.at++;
    stamp->fraction.size = (u32)(in.at - stamp->fraction.data);
    if (stamp->fraction.size == 1) BAD("timestamp: needs digits after the decimal point");
  }
  int before = 0;
  stamp->has_offset = !local || in.at != in.end;
  if (stamp->has_offset && !read_char(&in, 'Z') && !read_char(&in, 'z')) {
    before = read_char(&in, '-');
    if (!before && !read_char(&in, '+')) BAD("timestamp: must end with Z or an offset such as +02:00");
    if (!read_digits(&in, 2, &from_hours) || !read_char(&in, ':') ||
        !read_digits(&in, 2, &from_minutes) || from_hours > 23 || from_minutes > 59)
      BAD("timestamp: the offset must be like +02:00, up to 23:59");
  }
  if (in.at != in.end) BAD("timestamp: has more text after the offset");
  if (month < 1 || month > 12) BAD("timestamp: the month must be 01 to 12");
  if (day < 1 || day > days_in(year, month)) {
    begin();
    put_text(TEXT("timestamp: the day must be 01 to "));
    put_number(days_in(year, month), 2);
    put_text(TEXT(" in that month"));
    return *why = end(), 0;
  }
  if (hour > 23) BAD("timestamp: the hour must be 00 to 23");
  if (minute > 59) BAD("timestamp: the minute must be 00 to 59");
  if (second > 59) BAD("timestamp: the second must be 00 to 59 (no leap seconds)");
  i32 from = (i32)(from_hours * 60 + from_minutes) * (before ? -1 : 1);
  stamp->second = days_of(year, month, day) * DAY + hour * 3600 + minute * 60 + second - (i64)from * MINUTE;
  return 1;
#undef BAD
}

EXPORT("convert-time")
Result *convert_time(const u8 *text, u32 size, i32 offset) {
  Timestamp stamp;
  Text why;
  if (offset < -MAX_OFFSET || offset > MAX_OFFSET) return return_error(BAD_OFFSET);
  if (!read_timestamp((Text){text, size}, 0, &stamp, &why)) return return_error(why);
  begin();
  if (!put_time(stamp.second, stamp.fraction, offset))
    return return_error(TEXT("the result is outside the years 0000 to 9999"));
  return return_ok(end());
}

typedef struct {
  u8 is_error;
  union { Text error; struct { Text time, zone, name, weekday; i32 offset; u8 daylight; } local; } value;
} LocalResult;

EXPORT("time-in-zone")
LocalResult *time_in_zone(const u8 *name, u32 name_size, u32 has_timestamp, const u8 *text, u32 size,
                          u32 has_from, const u8 *from, u32 from_size) {
  static const Text weekdays[] = {TEXT("Sunday"), TEXT("Monday"), TEXT("Tuesday"), TEXT("Wednesday"),
                                  TEXT("Thursday"), TEXT("Friday"), TEXT("Saturday")};
  static const Text unknown = TEXT(" is not a time zone; they are called like Europe/Berlin (list-time-zones finds them)");
  static LocalResult local;
  local.is_error = 1;
  const u8 *zone = find_zone((Text){name, name_size}), *from_zone = 0;
  if (!zone) return local.value.error = joined3(TEXT("zone: "), (Text){name, name_size}, unknown), &local;
  if (has_from && !(from_zone = find_zone((Text){from, from_size})))
    return local.value.error = joined3(TEXT("from-zone: "), (Text){from, from_size}, unknown), &local;
  Timestamp stamp = {.has_offset = 1};
  if (has_timestamp) {
    if (!read_timestamp((Text){text, size}, has_from, &stamp, &local.value.error)) return &local;
  } else {
    Datetime now;
    wall_clock_now(&now);
    if (now.seconds > 253402300799ull) return local.value.error = TEXT("the clock is outside the years 0000 to 9999"), &local;
    stamp.second = (i64)now.seconds;
  }
  if (!stamp.has_offset && !zone_second(from_zone, stamp.second, &stamp.second))
    return local.value.error = TEXT("timestamp: there is no such time in from-zone: the clocks went over it"), &local;
  ZoneTime shown = zone_time(zone, stamp.second);
  begin();
  if (!add_time(&written, stamp.second, stamp.fraction, shown.offset))
    return local.value.error = TEXT("the result is outside the years 0000 to 9999"), &local;
  local.is_error = 0;
  local.value.local.time = end();
  for (u32 i = 0; i < COUNT(zone_names); i++)
    if (zone_data + zone_names[i].at == zone && same_letters(zone_names[i].name, (Text){name, name_size}))
      local.value.local.zone = zone_names[i].name;
  local.value.local.name = shown.name;
  local.value.local.weekday = weekdays[((moment_of(stamp.second + shown.offset).days + 4) % 7 + 7) % 7];
  local.value.local.offset = shown.offset / MINUTE;
  local.value.local.daylight = (u8)shown.daylight;
  return &local;
}

EXPORT("list-time-zones")
List *list_time_zones(u32 has_part, const u8 *wanted, u32 size) {
  static List list;
  Text *found = allocate_array(COUNT(zone_names), sizeof(Text));
  u32 count = 0;
  for (u32 i = 0; i < COUNT(zone_names); i++) {
    Text name = zone_names[i].name;
    int has = !has_part;
    for (u32 at = 0; !has && at + size <= name.size; at++) {
      has = 1;
      for (u32 j = 0; j < size; j++) {
        u8 c = wanted[j] == ' ' ? '_' : to_lower(wanted[j]);
        has &= to_lower(name.data[at + j]) == c;
      }
    }
    if (has) found[count++] = name;
  }
  list = (List){found, count};
  return &list;
}

// ---- text ----

// The code points that Unicode calls White_Space.
static int is_space(u32 c) {
  return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

typedef struct { u64 characters, words, lines, bytes; } Stats;

EXPORT("text-stats")
Stats *text_stats(const u8 *text, u32 size) {
  static Stats stats;
  stats = (Stats){0, 0, size && text[size - 1] != '\n', size};
  int in_word = 0;
  for (u32 i = 0; i < size;) {
    // Arguments are valid UTF-8: the first byte of a character says how many follow.
    u32 c = text[i++];
    u32 more = c < 0xC0 ? 0 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
    if (more) c &= 0x3F >> more;
    while (more--) c = c << 6 | (text[i++] & 0x3F);
    stats.characters++;
    stats.lines += c == '\n';
    stats.words += !in_word && !is_space(c);
    in_word = !is_space(c);
  }
  return &stats;
}

enum { MAX_REPLACED = 15 << 20 };

EXPORT("find-replace")
Result *find_replace(const u8 *text, u32 size, const u8 *find, u32 find_size,
                     const u8 *replace, u32 replace_size) {
  if (!find_size) return return_error(TEXT("find: is empty"));
  if (find_size > size) return return_ok((Text){text, size});
  if (find_size >= MAX_REPLACED) return return_error(TEXT("find: is longer than 15 MiB"));
  Search search = search_for((Text){find, find_size});
  u64 length = size;
  for (u32 i = 0; i < size; i++)
    if (search_byte(&search, text[i])) length = length - find_size + replace_size;
  if (length > MAX_REPLACED) {
    begin();
    put_text(TEXT("the result would have "));
    put_decimal(length);
    put_text(TEXT(" bytes; the most is 15728640"));
    return return_error(end());
  }
  search.matched = 0;
  u32 kept = 0; // the text before it is written
  begin();
  for (u32 i = 0; i < size; i++) {
    if (!search_byte(&search, text[i])) continue;
    put_text((Text){text + kept, i + 1 - find_size - kept});
    put_text((Text){replace, replace_size});
    kept = i + 1;
  }
  put_text((Text){text + kept, size - kept});
  return return_ok(end());
}

enum { UPPER, LOWER, TITLE, SNAKE, KEBAB };

static void put_joined(const u8 *text, u32 size, u8 separator) {
  int started = 0, pending = 0; // whether the line has a word yet; a separator is due
  for (u32 i = 0; i < size; i++) {
    u8 c = text[i];
    if (c == '\n' || (c == '\r' && i + 1 < size && text[i + 1] == '\n')) {
      put(c);
      started = pending = 0;
    } else if (!is_word(c)) {
      pending = started;
    } else {
      u8 last = i ? text[i - 1] : 0;
      int lower_next = i + 1 < size && is_lower(text[i + 1]);
      int hump = is_upper(c) && (is_lower(last) || is_digit(last) ||
                                 (is_upper(last) && lower_next));
      if (pending || (started && hump)) put(separator);
      put(to_lower(c));
      started = 1;
      pending = 0;
    }
  }
}

EXPORT("change-case")
Text *change_case(const u8 *text, u32 size, u32 style) {
  begin();
  if (style == SNAKE || style == KEBAB) {
    put_joined(text, size, style == SNAKE ? '_' : '-');
    return return_text(end());
  }
  int in_word = 0;
  for (u32 i = 0; i < size; i++) {
    u8 c = text[i];
    put(style == UPPER || (style == TITLE && !in_word) ? to_upper(c) : to_lower(c));
    in_word = is_word(c) || (in_word && c == '\'');
  }
  return return_text(end());
}

enum { DESCENDING = 1, UNIQUE = 2, IGNORE_CASE = 4 };

// The order of UTF-8 bytes is that of code points.
static int compare(Text a, Text b, u32 options) {
  u32 both = a.size < b.size ? a.size : b.size;
  for (u32 i = 0; i < both; i++) {
    u8 x = a.data[i], y = b.data[i];
    if (options & IGNORE_CASE) x = to_lower(x), y = to_lower(y);
    if (x != y) return (x < y) == !(options & DESCENDING) ? -1 : 1;
  }
  if (a.size == b.size) return 0;
  return (a.size < b.size) == !(options & DESCENDING) ? -1 : 1;
}

// Merge sort: stable, and no text makes it slow. Returns the array that has the result.
static Text *sort(Text *lines, Text *other, u32 count, u32 options) {
  for (u32 run = 1; run < count; run *= 2) {
    for (u32 start = 0; start < count; start += 2 * run) {
      u32 middle = count - start < run ? count : start + run;
      u32 stop = count - middle < run ? count : middle + run;
      u32 a = start, b = middle;
      for (u32 i = start; i < stop; i++) {
        int first = a < middle && (b == stop || compare(lines[a], lines[b], options) <= 0);
        other[i] = lines[first ? a++ : b++];
      }
    }
    Text *swap = lines;
    lines = other;
    other = swap;
  }
  return lines;
}

EXPORT("sort-lines")
Text *sort_lines(const u8 *text, u32 size, u32 options) {
  int ended = size && text[size - 1] == '\n';
  u32 count = size && !ended;
  Text line_break = TEXT("\n"); // written as the first one is
  for (u32 i = 0, breaks = 0; i < size; i++) {
    if (text[i] != '\n') continue;
    if (!breaks++ && i && text[i - 1] == '\r') line_break = TEXT("\r\n");
    count++;
  }
  if (count > 0x0FFFFFFF) __builtin_trap(); // the arrays would not fit in memory
  Text *lines = allocate(count * sizeof(Text), 4);
  for (u32 i = 0, line = 0, start = 0; line < count; i++) {
    if (i < size && text[i] != '\n') continue;
    u32 length = i - start;
    if (i < size && length && text[i - 1] == '\r') length--;
    lines[line++] = (Text){text + start, length};
    start = i + 1;
  }
  lines = sort(lines, allocate(count * sizeof(Text), 4), count, options);
  begin();
  for (u32 i = 0, written_lines = 0; i < count; i++) {
    if (options & UNIQUE && i && !compare(lines[i - 1], lines[i], options)) continue;
    if (written_lines++) put_text(line_break);
    put_text(lines[i]);
  }
  if (ended) put_text(line_break);
  return return_text(end());
}

// ---- patterns ----

typedef struct { Text text; u32 start, end; List groups; } Match;
typedef struct { u8 is_error; union { Text error; struct { List found; u8 incomplete; } matches; } value; } MatchesResult;
enum { MAX_MATCHES = 10000 };

static int compile(Regex *re, Text pattern, u32 options, Text *why) {
  if (re_compile(re, pattern, options)) return 1;
  return *why = re_error(re), 0;
}
static const Text TOO_LONG = TEXT("pattern: takes too long with this text; make it simpler");

EXPORT("find-pattern")
MatchesResult *find_pattern(const u8 *data, u32 size, const u8 *pattern, u32 pattern_size,
                            u32 has_options, u32 options, u32 has_limit, u32 limit) {
  static Regex re;
  static MatchesResult answer;
  u32 found[2 * RE_MAX_GROUPS], count = 0, characters = 0, counted_to = 0;
  Text text = {data, size};
  answer.is_error = 1;
  if (!has_limit) limit = 100;
  if (!limit || limit > MAX_MATCHES) return answer.value.error = TEXT("limit: must be 1 to 10000"), &answer;
  if (!compile(&re, (Text){pattern, pattern_size}, has_options ? options : 0, &answer.value.error)) return &answer;
  Match *matches = allocate_array(limit, sizeof *matches);
  answer.value.matches.incomplete = 0;
  for (u32 at = 0; at <= size && re_search(&re, text, at, found); at = re_after(text, found)) {
    if (count == limit) {
      answer.value.matches.incomplete = 1;
      break;
    }
    Match *match = matches + count++;
    match->text = part(text, found[0], found[1]);
    while (counted_to < found[0]) next_character(text, &counted_to), characters++;
    match->start = characters;
    while (counted_to < found[1]) next_character(text, &counted_to), characters++;
    match->end = characters;
    OptionalText *groups = allocate_array(re.groups, sizeof *groups);
    for (u32 i = 1; i < re.groups; i++) {
      int took = found[2 * i] != RE_NO_MATCH && found[2 * i + 1] != RE_NO_MATCH;
      groups[i - 1] = (OptionalText){(u8)took, took ? part(text, found[2 * i], found[2 * i + 1]) : TEXT("")};
    }
    match->groups = (List){groups, re.groups - 1};
  }
  if (re.steps > RE_MAX_STEPS) return answer.value.error = TOO_LONG, &answer;
  answer.is_error = 0;
  answer.value.matches.found = (List){matches, count};
  return &answer;
}

// Writes what comes in the place of a match: $1 to $31 or ${1} are groups, $0 and $& the whole, $$ a $.
static void put_replacement(Text text, Text with, const u32 *found, u32 groups) {
  for (u32 i = 0; i < with.size; i++) {
    u8 c = with.data[i], next = i + 1 < with.size ? with.data[i + 1] : 0;
    if (c != '$' || !(next == '$' || next == '&' || next == '{' || is_digit(next))) {
      put(c);
      continue;
    }
    if (next == '$') {
      put('$'), i++;
      continue;
    }
    u32 at = i + (next == '{' ? 2 : 1), digits = 0, group = 0;
    if (next == '&') at = i + 2, digits = 1;
    while (next != '&' && at < with.size && is_digit(with.data[at]) && digits < 2) {
      u32 larger = group * 10 + (with.data[at] - '0');
      if (digits && next != '{' && larger >= groups) break;  // $10 is $1 and a 0, if there are not ten
      group = larger, digits++, at++;
    }
    int closed = next != '{' || (at < with.size && with.data[at] == '}');
    if (!digits || !closed || group >= groups) {
      put(c);
      continue;
    }
    if (next == '{') at++;
    if (found[2 * group] != RE_NO_MATCH && found[2 * group + 1] != RE_NO_MATCH)
      put_text(part(text, found[2 * group], found[2 * group + 1]));
    i = at - 1;
  }
}

EXPORT("replace-pattern")
Result *replace_pattern(const u8 *data, u32 size, const u8 *pattern, u32 pattern_size, const u8 *with,
                        u32 with_size, u32 has_options, u32 options) {
  static Regex re;
  u32 found[2 * RE_MAX_GROUPS], kept = 0;
  Text text = {data, size}, why;
  if (!compile(&re, (Text){pattern, pattern_size}, has_options ? options : 0, &why)) return return_error(why);
  begin();
  for (u32 at = 0; at <= size && re_search(&re, text, at, found); at = re_after(text, found)) {
    put_text(part(text, kept, found[0]));
    put_replacement(text, (Text){with, with_size}, found, re.groups);
    kept = found[1];
    if (written.size > MAX_REPLACED) return return_error(TEXT("the result would have more than 15 MiB"));
  }
  if (re.steps > RE_MAX_STEPS) return return_error(TOO_LONG);
  put_text(part(text, kept, size));
  if (written.size > MAX_REPLACED) return return_error(TEXT("the result would have more than 15 MiB"));
  return return_ok(end());
}

EXPORT("diff-texts")
Result *diff_texts(const u8 *old, u32 old_size, const u8 *new, u32 new_size, u32 has_context, u32 context) {
  if (!has_context) context = 3;
  if (context > 100) return return_error(TEXT("context: must be 0 to 100"));
  if (old_size > MAX_REPLACED / 3 || new_size > MAX_REPLACED / 3)
    return return_error(TEXT("old, new: must have at most 5 MiB each"));
  Text diff = unified_diff((Text){old, old_size}, (Text){new, new_size}, TEXT("old"), TEXT("new"), context);
  if (diff.size > MAX_REPLACED) return return_error(TEXT("the result would have more than 15 MiB"));
  return return_ok(diff);
}

// ---- hashes ----

// The first bits of the fractional parts of the square roots of the first 8 primes, and of the cube
// roots of the first 80. SHA-512 uses 64 bits of each, SHA-256 the upper 32.
static const u64 SHA_START[8] = {
    0x6a09e667f3bcc908ull, 0xbb67ae8584caa73bull, 0x3c6ef372fe94f82bull, 0xa54ff53a5f1d36f1ull,
    0x510e527fade682d1ull, 0x9b05688c2b3e6c1full, 0x1f83d9abfb41bd6bull, 0x5be0cd19137e2179ull,
};
static const u64 SHA_ROUND[80] = {
    0x428a2f98d728ae22ull, 0x7137449123ef65cdull, 0xb5c0fbcfec4d3b2full, 0xe9b5dba58189dbbcull,
    0x3956c25bf348b538ull, 0x59f111f1b605d019ull, 0x923f82a4af194f9bull, 0xab1c5ed5da6d8118ull,
    0xd807aa98a3030242ull, 0x12835b0145706fbeull, 0x243185be4ee4b28cull, 0x550c7dc3d5ffb4e2ull,
    0x72be5d74f27b896full, 0x80deb1fe3b1696b1ull, 0x9bdc06a725c71235ull, 0xc19bf174cf692694ull,
    0xe49b69c19ef14ad2ull, 0xefbe4786384f25e3ull, 0x0fc19dc68b8cd5b5ull, 0x240ca1cc77ac9c65ull,
    0x2de92c6f592b0275ull, 0x4a7484aa6ea6e483ull, 0x5cb0a9dcbd41fbd4ull, 0x76f988da831153b5ull,
    0x983e5152ee66dfabull, 0xa831c66d2db43210ull, 0xb00327c898fb213full, 0xbf597fc7beef0ee4ull,
    0xc6e00bf33da88fc2ull, 0xd5a79147930aa725ull, 0x06ca6351e003826full, 0x142929670a0e6e70ull,
    0x27b70a8546d22ffcull, 0x2e1b21385c26c926ull, 0x4d2c6dfc5ac42aedull, 0x53380d139d95b3dfull,
    0x650a73548baf63deull, 0x766a0abb3c77b2a8ull, 0x81c2c92e47edaee6ull, 0x92722c851482353bull,
    0xa2bfe8a14cf10364ull, 0xa81a664bbc423001ull, 0xc24b8b70d0f89791ull, 0xc76c51a30654be30ull,
    0xd192e819d6ef5218ull, 0xd69906245565a910ull, 0xf40e35855771202aull, 0x106aa07032bbd1b8ull,
    0x19a4c116b8d2d0c8ull, 0x1e376c085141ab53ull, 0x2748774cdf8eeb99ull, 0x34b0bcb5e19b48a8ull,
    0x391c0cb3c5c95a63ull, 0x4ed8aa4ae3418acbull, 0x5b9cca4f7763e373ull, 0x682e6ff3d6b2b8a3ull,
    0x748f82ee5defb2fcull, 0x78a5636f43172f60ull, 0x84c87814a1f0ab72ull, 0x8cc702081a6439ecull,
    0x90befffa23631e28ull, 0xa4506cebde82bde9ull, 0xbef9a3f7b2c67915ull, 0xc67178f2e372532bull,
    0xca273eceea26619cull, 0xd186b8c721c0c207ull, 0xeada7dd6cde0eb1eull, 0xf57d4f7fee6ed178ull,
    0x06f067aa72176fbaull, 0x0a637dc5a2c898a6ull, 0x113f9804bef90daeull, 0x1b710b35131c471bull,
    0x28db77f523047d84ull, 0x32caab7b40c72493ull, 0x3c9ebe0a15c9bebcull, 0x431d67c49c100d4cull,
    0x4cc5d4becb3e42b6ull, 0x597f299cfc657e2aull, 0x5fcb6fab3ad6faecull, 0x6c44198c4a475817ull,
};

// floor(2^32 * |sin(i + 1)|)
static const u32 MD5_ROUND[64] = {
    0xd76aa478u, 0xe8c7b756u, 0x242070dbu, 0xc1bdceeeu, 0xf57c0fafu, 0x4787c62au,
    0xa8304613u, 0xfd469501u, 0x698098d8u, 0x8b44f7afu, 0xffff5bb1u, 0x895cd7beu,
    0x6b901122u, 0xfd987193u, 0xa679438eu, 0x49b40821u, 0xf61e2562u, 0xc040b340u,
    0x265e5a51u, 0xe9b6c7aau, 0xd62f105du, 0x02441453u, 0xd8a1e681u, 0xe7d3fbc8u,
    0x21e1cde6u, 0xc33707d6u, 0xf4d50d87u, 0x455a14edu, 0xa9e3e905u, 0xfcefa3f8u,
    0x676f02d9u, 0x8d2a4c8au, 0xfffa3942u, 0x8771f681u, 0x6d9d6122u, 0xfde5380cu,
    0xa4beea44u, 0x4bdecfa9u, 0xf6bb4b60u, 0xbebfbc70u, 0x289b7ec6u, 0xeaa127fau,
    0xd4ef3085u, 0x04881d05u, 0xd9d4d039u, 0xe6db99e5u, 0x1fa27cf8u, 0xc4ac5665u,
    0xf4292244u, 0x432aff97u, 0xab9423a7u, 0xfc93a039u, 0x655b59c3u, 0x8f0ccc92u,
    0xffeff47du, 0x85845dd1u, 0x6fa87e4fu, 0xfe2ce6e0u, 0xa3014314u, 0x4e0811a1u,
    0xf7537e82u, 0xbd3af235u, 0x2ad7d2bbu, 0xeb86d391u,
};

static u32 left32(u32 x, u32 n) { return x << n | x >> (32 - n); }
static u32 right32(u32 x, u32 n) { return x >> n | x << (32 - n); }
static u64 right64(u64 x, u32 n) { return x >> n | x << (64 - n); }

static u64 load(const u8 *bytes, u32 size, int big_endian) {
  u64 value = 0;
  for (u32 i = 0; i < size; i++) value |= (u64)bytes[i] << 8 * (big_endian ? size - 1 - i : i);
  return value;
}

typedef struct { u64 h[8]; } State;
typedef void Compress(State *state, const u8 *block);

static void compress_sha256(State *state, const u8 *block) {
  u32 w[64], v[8];
  for (u32 i = 0; i < 16; i++) w[i] = (u32)load(block + 4 * i, 4, 1);
  for (u32 i = 16; i < 64; i++) {
    u32 x = w[i - 15], y = w[i - 2];
    w[i] = w[i - 16] + (right32(x, 7) ^ right32(x, 18) ^ x >> 3) + w[i - 7] +
           (right32(y, 17) ^ right32(y, 19) ^ y >> 10);
  }
  for (u32 i = 0; i < 8; i++) v[i] = (u32)state->h[i];
  for (u32 i = 0; i < 64; i++) {
    u32 a = v[0], e = v[4];
    u32 one = v[7] + (right32(e, 6) ^ right32(e, 11) ^ right32(e, 25)) +
              ((e & v[5]) ^ (~e & v[6])) + (u32)(SHA_ROUND[i] >> 32) + w[i];
    u32 two = (right32(a, 2) ^ right32(a, 13) ^ right32(a, 22)) +
              ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
    for (u32 k = 7; k; k--) v[k] = v[k - 1];
    v[4] += one;
    v[0] = one + two;
  }
  for (u32 i = 0; i < 8; i++) state->h[i] = (u32)(state->h[i] + v[i]);
}

static void compress_sha512(State *state, const u8 *block) {
  u64 w[80], v[8];
  for (u32 i = 0; i < 16; i++) w[i] = load(block + 8 * i, 8, 1);
  for (u32 i = 16; i < 80; i++) {
    u64 x = w[i - 15], y = w[i - 2];
    w[i] = w[i - 16] + (right64(x, 1) ^ right64(x, 8) ^ x >> 7) + w[i - 7] +
           (right64(y, 19) ^ right64(y, 61) ^ y >> 6);
  }
  for (u32 i = 0; i < 8; i++) v[i] = state->h[i];
  for (u32 i = 0; i < 80; i++) {
    u64 a = v[0], e = v[4];
    u64 one = v[7] + (right64(e, 14) ^ right64(e, 18) ^ right64(e, 41)) +
              ((e & v[5]) ^ (~e & v[6])) + SHA_ROUND[i] + w[i];
    u64 two = (right64(a, 28) ^ right64(a, 34) ^ right64(a, 39)) +
              ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
    for (u32 k = 7; k; k--) v[k] = v[k - 1];
    v[4] += one;
    v[0] = one + two;
  }
  for (u32 i = 0; i < 8; i++) state->h[i] += v[i];
}

static void compress_md5(State *state, const u8 *block) {
  static const u8 shifts[4][4] = {
      {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  u32 a = (u32)state->h[0], b = (u32)state->h[1], c = (u32)state->h[2], d = (u32)state->h[3];
  for (u32 i = 0; i < 64; i++) {
    u32 f, word;
    switch (i / 16) {
      case 0: f = (b & c) | (~b & d); word = i; break;
      case 1: f = (d & b) | (~d & c); word = 5 * i + 1; break;
      case 2: f = b ^ c ^ d; word = 3 * i + 5; break;
      default: f = c ^ (b | ~d); word = 7 * i; break;
    }
    f += a + MD5_ROUND[i] + (u32)load(block + 4 * (word % 16), 4, 0);
    a = d;
    d = c;
    c = b;
    b += left32(f, shifts[i / 16][i % 4]);
  }
  state->h[0] = (u32)(state->h[0] + a);
  state->h[1] = (u32)(state->h[1] + b);
  state->h[2] = (u32)(state->h[2] + c);
  state->h[3] = (u32)(state->h[3] + d);
}

// Compresses the text, then its padding: a 1 bit, zeros, and the length in bits.
static void digest(State *state, Compress *compress, u32 block_size, int big_endian, Text text) {
  u8 last[256] = {0};
  u32 whole = text.size / block_size * block_size, rest = text.size - whole;
  for (u32 i = 0; i < whole; i += block_size) compress(state, text.data + i);
  __builtin_memcpy(last, text.data + whole, rest);
  last[rest] = 0x80;
  u32 padded = rest + 1 + block_size / 8 > block_size ? 2 * block_size : block_size;
  u64 bits = (u64)text.size * 8;
  u32 length_at = big_endian ? padded - 8 : padded - block_size / 8;
  for (u32 i = 0; i < 8; i++) last[length_at + i] = (u8)(bits >> 8 * (big_endian ? 7 - i : i));
  for (u32 i = 0; i < padded; i += block_size) compress(state, last + i);
}

static u32 crc32(Text text) {
  u32 table[256];
  for (u32 i = 0; i < COUNT(table); i++) {
    table[i] = i;
    for (u32 bit = 0; bit < 8; bit++) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xEDB88320 : 0);
  }
  u32 crc = ~0u;
  for (u32 i = 0; i < text.size; i++) crc = crc >> 8 ^ table[(crc ^ text.data[i]) & 255];
  return ~crc;
}

enum { SHA256, SHA512, MD5, CRC32 };

EXPORT("hash")
Text *hash(const u8 *data, u32 size, u32 algorithm) {
  Text text = {data, size};
  State state;
  begin();
  switch (algorithm) {
    case SHA256:
      for (u32 i = 0; i < 8; i++) state.h[i] = SHA_START[i] >> 32;
      digest(&state, compress_sha256, 64, 1, text);
      for (u32 i = 0; i < 8; i++) put_hex(state.h[i], 8);
      break;
    case SHA512:
      for (u32 i = 0; i < 8; i++) state.h[i] = SHA_START[i];
      digest(&state, compress_sha512, 128, 1, text);
      for (u32 i = 0; i < 8; i++) put_hex(state.h[i], 16);
      break;
    case MD5:
      state = (State){{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476}};
      digest(&state, compress_md5, 64, 0, text);
      for (u32 i = 0; i < 16; i++) put_hex(state.h[i / 4] >> 8 * (i % 4) & 255, 2);
      break;
    default: put_hex(crc32(text), 8); break;
  }
  return return_text(end());
}

// ---- encodings ----

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

EXPORT("base64-encode")
Text *base64_encode(const u8 *data, u32 size) {
  begin();
  for (u32 i = 0; i < size; i += 3) {
    u32 left = size - i;
    u32 group = data[i] << 16 | (left > 1 ? data[i + 1] << 8 : 0) | (left > 2 ? data[i + 2] : 0);
    put(BASE64[group >> 18]);
    put(BASE64[group >> 12 & 63]);
    put(left > 1 ? BASE64[group >> 6 & 63] : '=');
    put(left > 2 ? BASE64[group & 63] : '=');
  }
  return return_text(end());
}

static i32 base64_value(u8 c) {
  if (is_upper(c)) return c - 'A';
  if (is_lower(c)) return c - 'a' + 26;
  if (is_digit(c)) return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static Result *error_at(Text before, u64 position, Text after) {
  begin();
  put_text(before);
  put_decimal(position);
  put_text(after);
  return return_error(end());
}

EXPORT("base64-decode")
Result *base64_decode(const u8 *text, u32 size) {
  u32 group = 0, digits = 0, padding = 0;
  u64 character = 0;
  begin();
  for (u32 i = 0; i < size; i++) {
    u8 c = text[i];
    character += (c & 0xC0) != 0x80;
    if (c == ' ' || (c >= 9 && c <= 13)) continue;
    if (c == '=') {
      if (digits % 4 + padding < 2 || digits % 4 + padding > 3)
        return error_at(TEXT("encoded: not base64: a padding = is out of place at character "),
                        character, TEXT(""));
      padding++;
      continue;
    }
    i32 value = base64_value(c);
    if (value < 0)
      return error_at(TEXT("encoded: not base64: character "), character,
                      TEXT(" is not a letter A to Z or a to z, a digit, + or /"));
    if (padding)
      return error_at(TEXT("encoded: not base64: more follows the padding = at character "),
                      character, TEXT(""));
    group = group << 6 | (u32)value;
    if (++digits % 4 == 0) {
      put((u8)(group >> 16));
      put((u8)(group >> 8));
      put((u8)group);
    }
  }
  if ((digits + padding) % 4)
    return return_error(TEXT("encoded: not base64: it ends early, the number of characters "
                             "(with padding =) must be a multiple of 4"));
  if (padding) put((u8)(padding == 1 ? group >> 10 : group >> 4));
  if (padding == 1) put((u8)(group >> 2));
  Text decoded = end();
  u32 valid = utf8_end(decoded);
  if (valid < decoded.size)
    return error_at(TEXT("encoded: holds bytes that are not UTF-8 text, from byte "), valid + 1ull,
                    TEXT(""));
  return return_ok(decoded);
}

EXPORT("percent-encode")
Text *percent_encode(const u8 *text, u32 size) {
  begin();
  for (u32 i = 0; i < size; i++) {
    u8 c = text[i];
    int plain = is_upper(c) || is_lower(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) put(c);
    else put('%'), put("0123456789ABCDEF"[c >> 4]), put("0123456789ABCDEF"[c & 15]);
  }
  return return_text(end());
}

EXPORT("percent-decode")
Result *percent_decode(const u8 *text, u32 size) {
  begin();
  for (u32 i = 0; i < size; i++) {
    if (text[i] != '%') {
      put(text[i]);
      continue;
    }
    int high = size - i > 2 ? hex_value(text[i + 1]) : -1, low = high < 0 ? -1 : hex_value(text[i + 2]);
    if (low < 0) return return_error(TEXT("encoded: a % needs two hexadecimal digits after it"));
    put((u8)(high << 4 | low));
    i += 2;
  }
  Text decoded = end();
  if (utf8_end(decoded) < decoded.size) return return_error(TEXT("encoded: holds bytes that are not UTF-8 text"));
  return return_ok(decoded);
}

EXPORT("uuid")
Text *uuid(void) {
  u64 high = (random_u64() & ~0xF000ull) | 0x4000;                        // version 4
  u64 low = (random_u64() & ~(3ull << 62)) | 2ull << 62;                  // RFC 9562 variant
  begin();
  put_hex(high >> 32, 8); put('-'); put_hex(high >> 16 & 0xFFFF, 4); put('-');
  put_hex(high & 0xFFFF, 4); put('-'); put_hex(low >> 48, 4); put('-');
  put_hex(low & 0xFFFFFFFFFFFFull, 12);
  return return_text(end());
}
