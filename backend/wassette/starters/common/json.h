// JSON, without a tree: values are parts of the text, read when they are needed.
#pragma once
#include "base.h"
#include "quote.h"

enum { JSON_MAX_DEPTH = 100 };
typedef struct { Text text; u32 at; Text error; } Json;

static inline u8 json_peek(Json *in) {
  while (in->at < in->text.size) {
    u8 c = in->text.data[in->at];
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return c;
    in->at++;
  }
  return 0;
}
static inline int json_take(Json *in, u8 c) {
  if (json_peek(in) != c || in->at >= in->text.size) return 0;
  in->at++;
  return 1;
}
static inline int json_fail(Json *in, Text why) {
  if (!in->error.size) in->error = why;
  return 0;
}

// A string, with its quotes.
static inline int json_skip_string(Json *in) {
  if (!json_take(in, '"')) return json_fail(in, TEXT("a string is missing"));
  while (in->at < in->text.size) {
    u8 c = in->text.data[in->at++];
    if (c == '"') return 1;
    if (c < 0x20) return json_fail(in, TEXT("a string has a control character in it"));
    if (c != '\\') continue;
    if (in->at == in->text.size) break;
    c = in->text.data[in->at++];
    u32 digits = c == 'u' ? 4 : 0;
    if (!digits && c != '"' && c != '\\' && c != '/' && c != 'b' && c != 'f' && c != 'n' && c != 'r' && c != 't')
      return json_fail(in, TEXT("a string has an escape that is none"));
    for (; digits; digits--)
      if (in->at == in->text.size || hex_value(in->text.data[in->at++]) < 0)
        return json_fail(in, TEXT("a string has an escape that is none"));
  }
  return json_fail(in, TEXT("a string does not end"));
}

// Whether the text is a number as JSON writes them.
static inline u32 json_number(Text text, u32 at) {
  u32 start = at;
#define DIGIT (at < text.size && is_digit(text.data[at]))
  if (at < text.size && text.data[at] == '-') at++;
  if (!DIGIT) return start;
  if (text.data[at] == '0') at++;
  else while (DIGIT) at++;
  if (at < text.size && text.data[at] == '.') {
    at++;
    if (!DIGIT) return start;
    while (DIGIT) at++;
  }
  if (at < text.size && (text.data[at] | 32) == 'e') {
    at++;
    if (at < text.size && (text.data[at] == '+' || text.data[at] == '-')) at++;
    if (!DIGIT) return start;
    while (DIGIT) at++;
  }
#undef DIGIT
  return at;
}

// Any value; `depth` counts how deep it is already.
static inline int json_skip(Json *in, u32 depth) {
  if (depth > JSON_MAX_DEPTH) return json_fail(in, TEXT("it is nested too deeply"));
  u8 c = json_peek(in);
  if (c == '"') return json_skip_string(in);
  if (c == '{' || c == '[') {
    u8 close = c == '{' ? '}' : ']';
    in->at++;
    if (json_take(in, close)) return 1;
    do {
      if (c == '{') {
        json_peek(in);
        if (!json_skip_string(in)) return 0;
        if (!json_take(in, ':')) return json_fail(in, TEXT("a colon is missing"));
      }
      if (!json_skip(in, depth + 1)) return 0;
    } while (json_take(in, ','));
    return json_take(in, close) ? 1 : json_fail(in, c == '{' ? TEXT("a comma or } is missing") : TEXT("a comma or ] is missing"));
  }
  Text rest = part(in->text, in->at, in->text.size);
  Text words[] = {TEXT("true"), TEXT("false"), TEXT("null")};
  for (u32 i = 0; i < COUNT(words); i++)
    if (starts_with(rest, words[i])) return in->at += words[i].size, 1;
  u32 end = json_number(in->text, in->at);
  if (end == in->at) return json_fail(in, TEXT("a value is missing"));
  in->at = end;
  return 1;
}

// The next value, as it is written.
static inline int json_value(Json *in, u32 depth, Text *value) {
  json_peek(in);
  u32 start = in->at;
  if (!json_skip(in, depth)) return 0;
  *value = part(in->text, start, in->at);
  return 1;
}

// What a string that was skipped says.
static inline Text json_string(Text quoted) {
  Text inner = part(quoted, 1, quoted.size - 1);
  u32 plain = 0;
  while (plain < inner.size && inner.data[plain] != '\\') plain++;
  if (plain == inner.size) return inner;
  Buffer out = {0};
  for (u32 i = 0; i < inner.size;) {
    u8 c = inner.data[i++];
    if (c != '\\') {
      add(&out, c);
      continue;
    }
    c = inner.data[i++];
    if (c != 'u') {
      add(&out, c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'b' ? '\b' : c == 'f' ? '\f' : c);
      continue;
    }
    u32 value = 0, low = 0;
    for (u32 k = 0; k < 4; k++) value = value << 4 | (u32)hex_value(inner.data[i++]);
    if (value >= 0xD800 && value < 0xDC00 && i + 6 <= inner.size && inner.data[i] == '\\' && inner.data[i + 1] == 'u') {
      for (u32 k = 0; k < 4; k++) low = low << 4 | (u32)hex_value(inner.data[i + 2 + k]);
      if (low >= 0xDC00 && low < 0xE000) value = 0x10000 + ((value - 0xD800) << 10 | (low - 0xDC00)), i += 6;
    }
    add_character(&out, value);
  }
  return text_of(out);
}

// Where it went wrong, for a person.
static inline Text json_error(const Json *in) {
  u32 line = 1, column = 1;
  for (u32 i = 0; i < in->at && i < in->text.size; i++)
    if (in->text.data[i] == '\n') line++, column = 1;
    else column += (in->text.data[i] & 0xC0) != 0x80;
  Buffer out = {0};
  ADD(&out, "not JSON: "), add_text(&out, in->error), ADD(&out, " (line "), add_decimal(&out, line);
  ADD(&out, ", column "), add_decimal(&out, column), ADD(&out, ")");
  return text_of(out);
}
