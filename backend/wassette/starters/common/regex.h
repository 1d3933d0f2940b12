// Regular expressions without backtracking: Pike's machine, which follows all ways at once. No
// pattern and no text take more than (instructions × characters) steps, and those are counted.
//
// .  [a-z] [^…]  \d \w \s \D \W \S (ASCII)  \b \B  ^ $  ( ) (?: ) (?P<name> ) |  * + ? {m,n}, each
// with ? after it to take as little as possible. \n \t \r \f \v \0 \xHH \uHHHH \u{H…}. No
// references back and no looking around: they are what makes others slow.
#pragma once
#include "base.h"

enum {
  RE_IGNORE_CASE = 1,
  RE_MULTILINE = 2,
  RE_DOT_ALL = 4,
  RE_MAX_PATTERN = 4096,
  RE_MAX_NODES = 4096,
  RE_MAX_PROGRAM = 8192,
  RE_MAX_RANGES = 8192,
  RE_MAX_GROUPS = 32,
  RE_MAX_DEPTH = 64,
  RE_MAX_REPEAT = 1000,
};
// A few seconds: less than a call may take.
static const u64 RE_MAX_STEPS = 200000000ull;
static const u32 RE_NO_MATCH = ~0u;

typedef struct { u32 low, high; } ReRange;
typedef struct { u8 op; u8 flag; u32 x, y; } ReInstruction;
typedef struct {
  ReInstruction *program;
  u32 size, groups;  // groups: with the whole, which is the first
  ReRange *ranges;
  u32 range_count, options;
  u64 steps;
  Text error;
  u32 error_at;
  // of a search
  u32 *sparse, *dense[2], *captures[2], *stack;
  u32 count[2];
  i32 first_byte;  // that every match begins with; -1 if there is none
} Regex;

enum { RE_CHARACTER, RE_ANY, RE_CLASS, RE_SPLIT, RE_JUMP, RE_SAVE, RE_ASSERT, RE_MATCH };
enum { RE_START, RE_END, RE_BOUNDARY, RE_NO_BOUNDARY };

// A pattern is a tree first. `x` and `y` are nodes; lists are chained by `next`.
enum { RN_EMPTY, RN_CHARACTER, RN_ANY, RN_CLASS, RN_ASSERT, RN_GROUP, RN_CHOICE, RN_SEQUENCE, RN_REPEAT };
typedef struct { u8 kind, lazy; u32 x, y, low, high, next; } ReNode;
typedef struct { Regex *re; Text pattern; u32 at, depth, count; ReNode *nodes; } ReParser;

static inline u32 re_fail(ReParser *in, Text why) {
  if (!in->re->error.size) in->re->error = why, in->re->error_at = in->at;
  in->at = in->pattern.size;
  return 0;
}
static inline u32 re_node(ReParser *in, u8 kind, u32 x, u32 y) {
  if (in->count >= RE_MAX_NODES) return re_fail(in, TEXT("is too long"));
  in->nodes[in->count] = (ReNode){.kind = kind, .x = x, .y = y};
  return in->count++;
}
static inline int re_more(const ReParser *in) { return in->at < in->pattern.size; }
static inline u8 re_peek(const ReParser *in) { return in->pattern.data[in->at]; }
static inline int re_take(ReParser *in, u8 c) {
  if (!re_more(in) || re_peek(in) != c) return 0;
  in->at++;
  return 1;
}

static inline void re_range(ReParser *in, u32 low, u32 high) {
  Regex *re = in->re;
  if (re->range_count >= RE_MAX_RANGES) {
    re_fail(in, TEXT("has too many character ranges"));
    return;
  }
  re->ranges[re->range_count++] = (ReRange){low, high};
}

// \d and so on; `c` is the letter. 0 if it is no class.
static inline int re_named_class(ReParser *in, u8 c) {
  static const ReRange digit[] = {{'0', '9'}};
  static const ReRange word[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
  static const ReRange space[] = {{9, 13}, {' ', ' '}};
  const ReRange *of = c == 'd' || c == 'D' ? digit : c == 'w' || c == 'W' ? word : space;
  u32 count = of == digit ? COUNT(digit) : of == word ? COUNT(word) : COUNT(space);
  if (c != 'd' && c != 'D' && c != 'w' && c != 'W' && c != 's' && c != 'S') return 0;
  if (is_lower(c)) {
    for (u32 i = 0; i < count; i++) re_range(in, of[i].low, of[i].high);
  } else {
    u32 low = 0;
    for (u32 i = 0; i < count; i++) {
      re_range(in, low, of[i].low - 1);
      low = of[i].high + 1;
    }
    re_range(in, low, 0x10FFFF);
  }
  return 1;
}

// The character that an escape stands for; the backslash is read already, there is more.
static inline u32 re_escape(ReParser *in) {
  u8 c = re_peek(in);
  u32 digits = c == 'x' ? 2 : c == 'u' ? 4 : 0, value = 0;
  if (digits) {
    in->at++;
    int braces = re_take(in, '{'), found = 0;
    for (u32 i = 0; braces ? re_more(in) && re_peek(in) != '}' && i < 6 : i < digits; i++) {
      int digit = re_more(in) ? hex_value(re_peek(in)) : -1;
      if (digit < 0) return re_fail(in, TEXT("has an escape without its hexadecimal digits"));
      value = value << 4 | (u32)digit;
      in->at++, found = 1;
    }
    if (braces && (!re_take(in, '}') || !found))
      return re_fail(in, TEXT("has an escape without its hexadecimal digits"));
    if (value > 0x10FFFF) return re_fail(in, TEXT("has an escape that is no character"));
    return value;
  }
  switch (c) {
    case 'n': in->at++; return '\n';
    case 't': in->at++; return '\t';
    case 'r': in->at++; return '\r';
    case 'f': in->at++; return '\f';
    case 'v': in->at++; return '\v';
    case 'a': in->at++; return 7;
    case '0': in->at++; return 0;
  }
  if (is_lower(c) || is_upper(c) || is_digit(c))
    return re_fail(in, TEXT("has an escape that is not known here (no references back, no \\p)"));
  return next_character(in->pattern, &in->at);
}

static inline u32 re_class(ReParser *in) {
  u32 first = in->re->range_count;
  int negated = re_take(in, '^'), start = 1;
  for (;; start = 0) {
    if (!re_more(in)) return re_fail(in, TEXT("has a [ without its ]"));
    if (!start && re_take(in, ']')) break;
    u32 low;
    if (re_take(in, '\\')) {
      if (!re_more(in)) return re_fail(in, TEXT("ends in a backslash"));
      if (re_named_class(in, re_peek(in))) {
        in->at++;
        continue;
      }
      low = re_take(in, 'b') ? 8 : re_escape(in);
    } else {
      low = next_character(in->pattern, &in->at);
    }
    u32 high = low;
    if (re_more(in) && re_peek(in) == '-' && in->at + 1 < in->pattern.size &&
        in->pattern.data[in->at + 1] != ']') {
      in->at++;
      if (re_take(in, '\\')) {
        if (!re_more(in)) return re_fail(in, TEXT("ends in a backslash"));
        u8 c = re_peek(in);
        if (c == 'd' || c == 'w' || c == 's' || c == 'D' || c == 'W' || c == 'S')
          return re_fail(in, TEXT("has a range that ends in a class"));
        high = re_take(in, 'b') ? 8 : re_escape(in);
      } else {
        high = next_character(in->pattern, &in->at);
      }
      if (high < low) return re_fail(in, TEXT("has a range that ends before it begins"));
    }
    re_range(in, low, high);
  }
  u32 node = re_node(in, RN_CLASS, first, in->re->range_count - first);
  if (node) in->nodes[node].lazy = (u8)negated;
  return node;
}

static inline u32 re_choice(ReParser *in);

static inline u32 re_group(ReParser *in) {
  if (++in->depth > RE_MAX_DEPTH) return re_fail(in, TEXT("is nested too deeply"));
  u32 number = 0;
  int captures = 1;
  if (re_take(in, '?')) {
    if (re_take(in, ':')) {
      captures = 0;
    } else {
      re_take(in, 'P');
      if (!re_take(in, '<') || !re_more(in) || re_peek(in) == '=' || re_peek(in) == '!')
        return re_fail(in, TEXT("has a (? that is not known here (no looking around, no flags)"));
      while (re_more(in) && re_peek(in) != '>') in->at++;
      if (!re_take(in, '>')) return re_fail(in, TEXT("has a (?< without its >"));
    }
  }
  if (captures) {
    if (in->re->groups >= RE_MAX_GROUPS) return re_fail(in, TEXT("has more than 31 groups"));
    number = in->re->groups++;
  }
  u32 inner = re_choice(in);
  if (!re_take(in, ')')) return re_fail(in, TEXT("has a ( without its )"));
  in->depth--;
  return captures ? re_node(in, RN_GROUP, inner, number) : inner;
}

static inline u32 re_atom(ReParser *in) {
  u8 c = re_peek(in);
  if (c == '(') return in->at++, re_group(in);
  if (c == '[') return in->at++, re_class(in);
  if (c == '.') return in->at++, re_node(in, RN_ANY, 0, 0);
  if (c == '^') return in->at++, re_node(in, RN_ASSERT, RE_START, 0);
  if (c == '$') return in->at++, re_node(in, RN_ASSERT, RE_END, 0);
  if (c == '*' || c == '+' || c == '?') return re_fail(in, TEXT("repeats nothing"));
  if (c != '\\') return re_node(in, RN_CHARACTER, next_character(in->pattern, &in->at), 0);
  in->at++;
  if (!re_more(in)) return re_fail(in, TEXT("ends in a backslash"));
  c = re_peek(in);
  if (c == 'b' || c == 'B')
    return in->at++, re_node(in, RN_ASSERT, c == 'b' ? RE_BOUNDARY : RE_NO_BOUNDARY, 0);
  if (c == 'A') return in->at++, re_node(in, RN_ASSERT, RE_START, 1);
  if (c == 'z' || c == 'Z') return in->at++, re_node(in, RN_ASSERT, RE_END, 1);
  u32 first = in->re->range_count;
  if (re_named_class(in, c))
    return in->at++, re_node(in, RN_CLASS, first, in->re->range_count - first);
  return re_node(in, RN_CHARACTER, re_escape(in), 0);
}

static inline int re_count(ReParser *in, u32 *value) {
  u32 start = in->at;
  for (*value = 0; re_more(in) && is_digit(re_peek(in)); in->at++)
    if (*value <= RE_MAX_REPEAT) *value = *value * 10 + (re_peek(in) - '0');
  return in->at > start;
}

// {m}, {m,} and {m,n}; anything else after a brace is the brace itself.
static inline int re_counts(ReParser *in, u32 *low, u32 *high) {
  u32 start = in->at;
  if (!re_take(in, '{')) return 0;
  int has_low = re_count(in, low);
  if (!has_low) *low = 0;
  *high = *low;
  int comma = re_take(in, ',');
  int has_high = comma && re_count(in, high);
  if (comma && !has_high) *high = RE_NO_MATCH;
  if (!re_take(in, '}') || (!has_low && !has_high)) return in->at = start, 0;
  return 1;
}

static inline u32 re_repeat(ReParser *in) {
  u32 node = re_atom(in);
  while (re_more(in) && !in->re->error.size) {
    u32 low, high;
    if (re_take(in, '*')) low = 0, high = RE_NO_MATCH;
    else if (re_take(in, '+')) low = 1, high = RE_NO_MATCH;
    else if (re_take(in, '?')) low = 0, high = 1;
    else if (!re_counts(in, &low, &high)) break;
    if (low > RE_MAX_REPEAT || (high != RE_NO_MATCH && high > RE_MAX_REPEAT))
      return re_fail(in, TEXT("repeats something more than 1000 times"));
    if (high < low) return re_fail(in, TEXT("has counts in the wrong order"));
    if (++in->depth > RE_MAX_DEPTH) return re_fail(in, TEXT("is nested too deeply"));
    node = re_node(in, RN_REPEAT, node, 0);
    in->nodes[node].low = low;
    in->nodes[node].high = high;
    in->nodes[node].lazy = (u8)re_take(in, '?');
  }
  return node;
}

static inline u32 re_sequence(ReParser *in) {
  u32 first = 0, last = 0;
  while (re_more(in) && re_peek(in) != '|' && re_peek(in) != ')') {
    u32 depth = in->depth, node = re_repeat(in);
    in->depth = depth;
    if (in->re->error.size) return 0;
    u32 item = re_node(in, RN_SEQUENCE, node, 0);
    if (last) in->nodes[last].next = item;
    else first = item;
    last = item;
  }
  return first;
}

static inline u32 re_choice(ReParser *in) {
  u32 first = 0, last = 0;
  do {
    u32 way = re_sequence(in);
    if (in->re->error.size) return 0;
    u32 item = re_node(in, RN_CHOICE, way, 0);
    if (last) in->nodes[last].next = item;
    else first = item;
    last = item;
  } while (re_take(in, '|'));
  return first;
}

static inline u32 re_emit(ReParser *in, u8 op, u8 flag, u32 x, u32 y) {
  Regex *re = in->re;
  if (re->size >= RE_MAX_PROGRAM) {
    re_fail(in, TEXT("is too large: it repeats too much"));
    return 0;
  }
  re->program[re->size] = (ReInstruction){op, flag, x, y};
  return re->size++;
}

static inline void re_compile_node(ReParser *in, u32 node);

static inline void re_compile_choice(ReParser *in, u32 node) {
  u32 jumps = RE_NO_MATCH;  // those to the end, chained by x
  for (; node; node = in->nodes[node].next) {
    if (in->re->error.size) return;
    u32 split = 0, last = !in->nodes[node].next;
    if (!last) split = re_emit(in, RE_SPLIT, 0, in->re->size + 1, 0);
    for (u32 item = in->nodes[node].x; item; item = in->nodes[item].next)
      re_compile_node(in, in->nodes[item].x);
    if (last) break;
    jumps = re_emit(in, RE_JUMP, 0, jumps, 0);
    in->re->program[split].y = in->re->size;
  }
  while (jumps != RE_NO_MATCH && !in->re->error.size) {
    u32 next = in->re->program[jumps].x;
    in->re->program[jumps].x = in->re->size;
    jumps = next;
  }
}

static inline void re_compile_repeat(ReParser *in, ReNode node) {
  Regex *re = in->re;
  u8 lazy = node.lazy;
  for (u32 i = 0; i < node.low && !re->error.size; i++) {
    u32 before = re->size;
    re_compile_node(in, node.x);
    if (re->size == before) break;  // it is empty: how often does not matter
  }
  if (node.high == RE_NO_MATCH) {
    u32 split = re_emit(in, RE_SPLIT, lazy, re->size + 1, 0);
    re_compile_node(in, node.x);
    re_emit(in, RE_JUMP, 0, split, 0);
    if (!re->error.size) re->program[split].y = re->size;
    return;
  }
  u32 splits = RE_NO_MATCH;
  for (u32 i = node.low; i < node.high && !re->error.size; i++) {
    splits = re_emit(in, RE_SPLIT, lazy, re->size + 1, splits);
    re_compile_node(in, node.x);
  }
  while (splits != RE_NO_MATCH && !re->error.size) {
    u32 next = re->program[splits].y;
    re->program[splits].y = re->size;
    splits = next;
  }
}

static inline void re_compile_node(ReParser *in, u32 at) {
  if (!at || in->re->error.size) return;  // 0 is the empty one
  ReNode node = in->nodes[at];
  u32 folds = in->re->options & RE_IGNORE_CASE;
  switch (node.kind) {
    case RN_CHARACTER:
      re_emit(in, RE_CHARACTER, 0, folds && node.x < 128 ? to_lower((u8)node.x) : node.x, 0);
      break;
    case RN_ANY: re_emit(in, RE_ANY, !!(in->re->options & RE_DOT_ALL), 0, 0); break;
    case RN_CLASS: re_emit(in, RE_CLASS, node.lazy, node.x, node.y); break;
    case RN_ASSERT: re_emit(in, RE_ASSERT, (u8)node.x, node.y, 0); break;
    case RN_GROUP:
      re_emit(in, RE_SAVE, 0, 2 * node.y, 0);
      re_compile_node(in, node.x);
      re_emit(in, RE_SAVE, 0, 2 * node.y + 1, 0);
      break;
    case RN_CHOICE: re_compile_choice(in, at); break;
    case RN_REPEAT: re_compile_repeat(in, node); break;
  }
}

// Makes a pattern ready; false if it is none, then `error` says why and `error_at` is the byte.
static inline int re_compile(Regex *re, Text pattern, u32 options) {
  *re = (Regex){.groups = 1, .options = options, .first_byte = -1};
  ReParser in = {.re = re, .pattern = pattern, .count = 1};
  if (pattern.size > RE_MAX_PATTERN) return re_fail(&in, TEXT("is longer than 4096 bytes")), 0;
  in.nodes = allocate_array(RE_MAX_NODES, sizeof(ReNode));
  in.nodes[0] = (ReNode){0};
  re->ranges = allocate_array(RE_MAX_RANGES, sizeof(ReRange));
  u32 tree = re_choice(&in);
  if (!re->error.size && re_more(&in)) re_fail(&in, TEXT("has a ) without its ("));
  if (re->error.size) return 0;
  re->program = allocate_array(RE_MAX_PROGRAM, sizeof(ReInstruction));
  re_emit(&in, RE_SAVE, 0, 0, 0);
  re_compile_node(&in, tree);
  re_emit(&in, RE_SAVE, 0, 1, 0);
  re_emit(&in, RE_MATCH, 0, 0, 0);
  if (re->error.size) return 0;
  u32 first = 0;
  while (re->program[first].op == RE_SAVE) first++;
  if (re->program[first].op == RE_CHARACTER && re->program[first].x < 128 &&
      !(options & RE_IGNORE_CASE))
    re->first_byte = (i32)re->program[first].x;
  for (u32 i = 0; i < 2; i++) {
    re->dense[i] = allocate_array(re->size, 4);
    re->captures[i] = allocate_array(re->size * 2 * re->groups, 4);
  }
  re->sparse = allocate_array(re->size, 4);
  __builtin_memset(re->sparse, 0, re->size * 4);
  // For each instruction at most: itself, and a capture to put back (two words more).
  re->stack = allocate_array(re->size * 4 + 16, 4);
  return 1;
}

static inline int re_is_word(Text text, u32 at) {
  return at < text.size && (is_upper(text.data[at]) || is_lower(text.data[at]) ||
                            is_digit(text.data[at]) || text.data[at] == '_');
}

static inline int re_holds(const Regex *re, const ReInstruction *of, Text text, u32 at) {
  int lines = (re->options & RE_MULTILINE) && !of->x;
  switch (of->flag) {
    case RE_START: return at == 0 || (lines && text.data[at - 1] == '\n');
    case RE_END: return at == text.size || (lines && text.data[at] == '\n');
  }
  int boundary = (at > 0 && re_is_word(text, at - 1)) != re_is_word(text, at);
  return boundary == (of->flag == RE_BOUNDARY);
}

// Adds the way that begins at instruction `pc`, and all that it leads to without a character.
static inline void re_add(Regex *re, u32 list, u32 pc, Text text, u32 at, u32 *captures) {
  enum { RESTORE = 1u << 31 };
  u32 width = 2 * re->groups, depth = 0;
  re->stack[depth++] = pc;
  while (depth) {
    u32 top = re->stack[--depth];
    if (top & (u32)RESTORE) {
      captures[top & ~(u32)RESTORE] = re->stack[--depth];
      continue;
    }
    pc = top;
    for (;;) {
      u32 slot = re->sparse[pc];
      if (slot < re->count[list] && re->dense[list][slot] == pc) break;
      slot = re->sparse[pc] = re->count[list]++;
      re->dense[list][slot] = pc;
      re->steps++;
      const ReInstruction *one = re->program + pc;
      if (one->op == RE_JUMP) {
        pc = one->x;
      } else if (one->op == RE_SPLIT) {
        re->stack[depth++] = one->flag ? one->x : one->y;
        pc = one->flag ? one->y : one->x;
      } else if (one->op == RE_SAVE) {
        re->stack[depth++] = captures[one->x];
        re->stack[depth++] = one->x | (u32)RESTORE;
        captures[one->x] = at;
        pc++;
      } else if (one->op == RE_ASSERT) {
        if (!re_holds(re, one, text, at)) break;
        pc++;
      } else {
        __builtin_memcpy(re->captures[list] + slot * width, captures, width * 4);
        break;
      }
    }
  }
}

static inline int re_in_class(const Regex *re, const ReInstruction *of, u32 c) {
  int found = 0;
  u32 other = re->options & RE_IGNORE_CASE && c < 128
                  ? is_upper((u8)c) ? c + 32 : is_lower((u8)c) ? c - 32 : c : c;
  for (u32 i = 0; i < of->y && !found; i++) {
    ReRange range = re->ranges[of->x + i];
    found = (c >= range.low && c <= range.high) || (other >= range.low && other <= range.high);
  }
  return found != of->flag;
}

static inline int re_takes(const Regex *re, const ReInstruction *one, u32 c) {
  switch (one->op) {
    case RE_CHARACTER:
      return one->x == (re->options & RE_IGNORE_CASE && c < 128 ? to_lower((u8)c) : c);
    case RE_ANY: return one->flag || c != '\n';
    case RE_CLASS: return re_in_class(re, one, c);
  }
  return 0;
}

// The first match from byte `from` on: offsets in pairs, one for each group, `RE_NO_MATCH` for
// those that took no part. False if there is none, or if `steps` went over `RE_MAX_STEPS`.
static inline int re_search(Regex *re, Text text, u32 from, u32 *found) {
  u32 width = 2 * re->groups, now = 0, seed[2 * RE_MAX_GROUPS];
  int matched = 0;
  re->count[0] = re->count[1] = 0;
  for (u32 at = from;;) {
    if (!re->count[now] && !matched && re->first_byte >= 0) {
      while (at < text.size && text.data[at] != re->first_byte) at++;
      if (at >= text.size) break;
    }
    if (!matched) {
      for (u32 i = 0; i < width; i++) seed[i] = RE_NO_MATCH;
      re_add(re, now, 0, text, at, seed);
    }
    if (!re->count[now] || re->steps > RE_MAX_STEPS) break;
    u32 next = at, c = at < text.size ? next_character(text, &next) : RE_NO_MATCH;
    re->count[!now] = 0;
    for (u32 i = 0; i < re->count[now]; i++) {
      const ReInstruction *one = re->program + re->dense[now][i];
      u32 *captures = re->captures[now] + i * width;
      re->steps += one->op == RE_CLASS ? 1 + one->y / 4 : 1;
      if (one->op == RE_MATCH) {
        __builtin_memcpy(found, captures, width * 4);
        matched = 1;
        break;  // those after it are worth less
      }
      if (c != RE_NO_MATCH && one->op <= RE_CLASS && re_takes(re, one, c))
        re_add(re, !now, re->dense[now][i] + 1, text, next, captures);
    }
    now = !now;
    if (at >= text.size) break;
    at = next;
  }
  return matched && re->steps <= RE_MAX_STEPS;
}

// Where to look on after a match: an empty one does not come twice.
static inline u32 re_after(Text text, const u32 *found) {
  u32 at = found[1];
  if (found[0] == found[1]) {
    if (at < text.size) next_character(text, &at);
    else at++;
  }
  return at;
}

static inline Text re_error(const Regex *re) {
  Buffer out = {0};
  ADD(&out, "pattern: ");
  add_text(&out, re->error);
  ADD(&out, " (at byte ");
  add_decimal(&out, re->error_at);
  ADD(&out, ")");
  return text_of(out);
}
