// The toolbox: freestanding C, the canonical ABI by hand. What the tools do is in toolbox.wit.
//
// Memory is one arena that starts over after each call: arguments, working memory and the result
// are laid one after the other. Nothing is kept between calls.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef long long i64;

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name))) extern
#define EXPORT(name) __attribute__((export_name(name)))
#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef struct { u64 seconds; u32 nanoseconds; } Datetime;
IMPORT("wasi:clocks/wall-clock@0.2.12", "now") void wall_clock_now(Datetime *now);
IMPORT("wasi:random/random@0.2.12", "get-random-u64") u64 random_u64(void);

// ---- memory ----

enum { PAGE = 65536, GROWTH = 16 };
extern u8 __heap_base;
static u32 arena_end;    // where the next block goes; 0 before the first one
static u32 memory_end;   // the memory's size, at most 4 GiB - 64 KiB

// Makes the arena `size` bytes longer and returns where they start. Out of memory is a trap.
static u8 *extend(u32 size) {
  if (!arena_end) {
    arena_end = (u32)&__heap_base;
    memory_end = __builtin_wasm_memory_size(0) * PAGE;
  }
  u64 end = (u64)arena_end + size;
  if (end > memory_end) {
    u64 pages = (end - memory_end + PAGE - 1) / PAGE;
    u64 limit = 65535 - memory_end / PAGE;
    if (pages > limit) __builtin_trap();
    u32 generous = pages + GROWTH < limit ? (u32)pages + GROWTH : (u32)pages;
    if (__builtin_wasm_memory_grow(0, generous) == (__SIZE_TYPE__)-1) {
      if (__builtin_wasm_memory_grow(0, (u32)pages) == (__SIZE_TYPE__)-1) __builtin_trap();
      generous = (u32)pages;
    }
    memory_end += generous * PAGE;
  }
  u8 *block = (u8 *)arena_end;
  arena_end = (u32)end;
  return block;
}

static void *allocate(u32 size, u32 align) {
  u32 misaligned = (u32)extend(0) % align;
  if (misaligned) extend(align - misaligned);
  return extend(size);
}

EXPORT("cabi_realloc")
void *cabi_realloc(u8 *old, u32 old_size, u32 align, u32 new_size) {
  if (old_size && (u32)old + old_size == arena_end && new_size >= old_size) {
    extend(new_size - old_size);
    return old;
  }
  u8 *block = allocate(new_size, align);
  __builtin_memcpy(block, old, old_size < new_size ? old_size : new_size);
  return block;
}

// A result is read before its function's post-return is called: then all can go. (A function can
// be exported under one name only.)
static void start_over(void) { arena_end = (u32)&__heap_base; }
#define AFTER(function, name) \
  EXPORT("cabi_post_" name) void after_##function(void *result) { (void)result; start_over(); }
AFTER(current_time, "current-time")
AFTER(convert_time, "convert-time")
AFTER(text_stats, "text-stats")
AFTER(find_replace, "find-replace")
AFTER(change_case, "change-case")
AFTER(sort_lines, "sort-lines")
AFTER(hash, "hash")
AFTER(base64_encode, "base64-encode")
AFTER(base64_decode, "base64-decode")
AFTER(uuid, "uuid")

// ---- results ----

typedef struct { const u8 *data; u32 size; } Text;
typedef struct { u8 is_error; Text text; } Result;
#define TEXT(literal) ((Text){(const u8 *)(literal), sizeof(literal) - 1})

static Text text_result;
static Result result;

// The text being written is the end of the arena: nothing else may be allocated meanwhile.
static const u8 *written;
static void begin(void) { written = extend(0); }
static void put(u8 byte) { *extend(1) = byte; }
static void put_text(Text text) {
  __builtin_memcpy(extend(text.size), text.data, text.size);
}
static void put_number(u64 value, u32 digits) {
  u8 *at = extend(digits);
  for (; digits; value /= 10) at[--digits] = '0' + value % 10;
}
static void put_decimal(u64 value) {
  u32 digits = 1;
  for (u64 rest = value; rest > 9; rest /= 10) digits++;
  put_number(value, digits);
}
static void put_hex(u64 value, u32 digits) {
  while (digits) put("0123456789abcdef"[value >> (4 * --digits) & 15]);
}
static Text end(void) { return (Text){written, (u32)(extend(0) - written)}; }

static Text *return_text(Text text) {
  text_result = text;
  return &text_result;
}
static Result *return_ok(Text text) {
  result = (Result){0, text};
  return &result;
}
static Result *return_error(Text text) {
  result = (Result){1, text};
  return &result;
}

// ---- letters ----

static int is_upper(u8 c) { return c >= 'A' && c <= 'Z'; }
static int is_lower(u8 c) { return c >= 'a' && c <= 'z'; }
static int is_digit(u8 c) { return c >= '0' && c <= '9'; }
static u8 to_upper(u8 c) { return is_lower(c) ? c - 32 : c; }
static u8 to_lower(u8 c) { return is_upper(c) ? c + 32 : c; }
static int is_word(u8 c) { return is_upper(c) || is_lower(c) || is_digit(c) || c >= 0x80; }

// ---- time ----

enum { MINUTE = 60, DAY = 86400, MAX_OFFSET = 1439 };
static const Text BAD_OFFSET = TEXT("utc-offset-minutes: must be -1439 to 1439");

// Days since 1970-01-01 of the proleptic Gregorian calendar, for years from 0, by counting years
// from March so that the leap day comes last.
static i64 days_of(i64 year, u32 month, u32 day) {
  year -= month <= 2;
  i64 era = (year >= 0 ? year : year - 399) / 400;
  u32 of_era = (u32)(year - era * 400);
  u32 of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146097 + (i64)of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static u32 days_in(u32 year, u32 month) {
  static const u8 days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return days[month - 1] + (month == 2 && leap);
}

// Writes a moment as RFC 3339; false if its year has not four digits.
static int put_time(i64 seconds, Text fraction, i32 offset) {
  seconds += (i64)offset * MINUTE;
  i64 days = seconds / DAY - (seconds % DAY < 0);
  u32 time = (u32)(seconds - days * DAY);
  days += 719468;
  i64 era = (days >= 0 ? days : days - 146096) / 146097;
  u32 of_era = (u32)(days - era * 146097);
  u32 year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  u32 of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  u32 from_march = (5 * of_year + 2) / 153;
  u32 month = from_march < 10 ? from_march + 3 : from_march - 9;
  i64 year = era * 400 + year_of_era + (month <= 2);
  if (year < 0 || year > 9999) return 0;
  put_number((u64)year, 4); put('-'); put_number(month, 2); put('-');
  put_number(of_year - (153 * from_march + 2) / 5 + 1, 2);
  put('T'); put_number(time / 3600, 2); put(':'); put_number(time / 60 % 60, 2);
  put(':'); put_number(time % 60, 2);
  put_text(fraction);
  if (offset == 0) {
    put('Z');
  } else {
    u32 minutes = (u32)(offset < 0 ? -offset : offset);
    put(offset < 0 ? '-' : '+'); put_number(minutes / 60, 2); put(':'); put_number(minutes % 60, 2);
  }
  return 1;
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

EXPORT("convert-time")
Result *convert_time(const u8 *text, u32 size, i32 offset) {
  if (offset < -MAX_OFFSET || offset > MAX_OFFSET) return return_error(BAD_OFFSET);
  if (!size) return return_error(TEXT("timestamp: is empty"));
  Reader in = {text, text + size};
  u32 year, month, day, hour, minute, second, from_hours = 0, from_minutes = 0;
  if (!read_digits(&in, 4, &year) || !read_char(&in, '-') || !read_digits(&in, 2, &month) ||
      !read_char(&in, '-') || !read_digits(&in, 2, &day))
    return return_error(TEXT("timestamp: must start with a date such as 2026-01-31"));
  if (!read_char(&in, 'T') && !read_char(&in, 't') && !read_char(&in, ' '))
    return return_error(TEXT("timestamp: needs a T after the date, then the time"));
  if (!read_digits(&in, 2, &hour) || !read_char(&in, ':') || !read_digits(&in, 2, &minute) ||
      !read_char(&in, ':') || !read_digits(&in, 2, &second))
    return return_error(TEXT("timestamp: needs a time such as 18:45:00 after the date"));
  Text fraction = {in.at, 0};
  if (read_char(&in, '.')) {
    while (in.at < in.end && is_digit(*in.at)) in.at++;
    fraction.size = (u32)(in.at - fraction.data);
    if (fraction.size == 1)
      return return_error(TEXT("timestamp: needs digits after the decimal point"));
  }
  int before = 0;
  if (!read_char(&in, 'Z') && !read_char(&in, 'z')) {
    before = read_char(&in, '-');
    if (!before && !read_char(&in, '+'))
      return return_error(TEXT("timestamp: must end with Z or an offset such as +02:00"));
    if (!read_digits(&in, 2, &from_hours) || !read_char(&in, ':') ||
        !read_digits(&in, 2, &from_minutes) || from_hours > 23 || from_minutes > 59)
      return return_error(TEXT("timestamp: the offset must be like +02:00, up to 23:59"));
  }
  if (in.at != in.end) return return_error(TEXT("timestamp: has more text after the offset"));
  if (month < 1 || month > 12) return return_error(TEXT("timestamp: the month must be 01 to 12"));
  if (day < 1 || day > days_in(year, month)) {
    begin();
    put_text(TEXT("timestamp: the day must be 01 to "));
    put_number(days_in(year, month), 2);
    put_text(TEXT(" in that month"));
    return return_error(end());
  }
  if (hour > 23) return return_error(TEXT("timestamp: the hour must be 00 to 23"));
  if (minute > 59) return return_error(TEXT("timestamp: the minute must be 00 to 59"));
  if (second > 59)
    return return_error(TEXT("timestamp: the second must be 00 to 59 (no leap seconds)"));
  i32 from = (i32)(from_hours * 60 + from_minutes) * (before ? -1 : 1);
  i64 seconds = days_of(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
  begin();
  if (!put_time(seconds - (i64)from * MINUTE, fraction, offset))
    return return_error(TEXT("the result is outside the years 0000 to 9999"));
  return return_ok(end());
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

// Knuth-Morris-Pratt: no text makes it slow.
typedef struct { Text find; u32 *fallback; u32 matched; } Search;

static Search search_for(Text find) {
  Search search = {find, allocate(find.size * 4, 4), 0};
  search.fallback[0] = 0;
  for (u32 i = 1, length = 0; i < find.size; i++) {
    while (length && find.data[i] != find.data[length]) length = search.fallback[length - 1];
    length += find.data[i] == find.data[length];
    search.fallback[i] = length;
  }
  return search;
}

// Takes the next byte; true if it ends an occurrence. Occurrences do not overlap.
static int search_byte(Search *search, u8 byte) {
  while (search->matched && byte != search->find.data[search->matched])
    search->matched = search->fallback[search->matched - 1];
  search->matched += byte == search->find.data[search->matched];
  if (search->matched < search->find.size) return 0;
  search->matched = 0;
  return 1;
}

// Runtimes limit what a call may copy: a clear answer is better than their trap.
enum { MAX_RESULT = 64 << 20 };

EXPORT("find-replace")
Result *find_replace(const u8 *text, u32 size, const u8 *find, u32 find_size,
                     const u8 *replace, u32 replace_size) {
  if (!find_size) return return_error(TEXT("find: is empty"));
  if (find_size > size) return return_ok((Text){text, size});
  if (find_size >= MAX_RESULT) return return_error(TEXT("find: is longer than 64 MiB"));
  Search search = search_for((Text){find, find_size});
  u64 length = size;
  for (u32 i = 0; i < size; i++)
    if (search_byte(&search, text[i])) length = length - find_size + replace_size;
  if (length > MAX_RESULT) {
    begin();
    put_text(TEXT("the result would have "));
    put_decimal(length);
    put_text(TEXT(" bytes; the most is 67108864"));
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

// The first byte that is not part of valid UTF-8 (no surrogates, no longer forms than needed), or
// the size.
static u32 utf8_end(Text text) {
  u32 i = 0;
  while (i < text.size) {
    u8 c = text.data[i];
    u32 more = c < 0x80 ? 0 : c < 0xC2 ? 4 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : c < 0xF5 ? 3 : 4;
    if (more == 4 || text.size - i <= more) return i;
    for (u32 k = 1; k <= more; k++)
      if ((text.data[i + k] & 0xC0) != 0x80) return i;
    u8 second = more ? text.data[i + 1] : 0;
    if ((c == 0xE0 && second < 0xA0) || (c == 0xED && second > 0x9F) ||
        (c == 0xF0 && second < 0x90) || (c == 0xF4 && second > 0x8F))
      return i;
    i += more + 1;
  }
  return i;
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
