// The difference of two texts, line by line, as a unified diff. Myers' algorithm in linear space is
// more than is needed here: what the texts begin and end with is set aside, then the shortest way
// through the rest is found if it has at most `DIFF_MAX_EDITS` steps; else the rest is replaced.
#pragma once
#include "base.h"

enum { DIFF_MAX_LINES = 1000000, DIFF_MAX_EDITS = 1500 };

typedef struct { Text *lines; u32 count; } Lines;

// Lines with their line breaks.
static inline Lines lines_of(Text text) {
  u32 count = 0;
  for (u32 i = 0; i < text.size; i++) count += text.data[i] == '\n';
  count += text.size && text.data[text.size - 1] != '\n';
  Lines lines = {allocate_array(count + 1, sizeof(Text)), count};
  for (u32 i = 0, start = 0, line = 0; line < count; i++) {
    if (i < text.size - 1 && text.data[i] != '\n') continue;
    lines.lines[line++] = part(text, start, i + 1);
    start = i + 1;
  }
  return lines;
}

// Which lines go and which come; `gone` and `come` have a byte for each line.
typedef struct { Lines a, b; u8 *gone, *come; } Diff;

static inline void diff_mark(Diff *diff) {
  Lines a = diff->a, b = diff->b;
  u32 start = 0, end = 0;
  while (start < a.count && start < b.count && same(a.lines[start], b.lines[start])) start++;
  while (end < a.count - start && end < b.count - start &&
         same(a.lines[a.count - 1 - end], b.lines[b.count - 1 - end]))
    end++;
  Text *x = a.lines + start, *y = b.lines + start;
  i32 n = (i32)(a.count - start - end), m = (i32)(b.count - start - end);
  // way[d] has, for each diagonal, how far d edits lead.
  static i32 *way[DIFF_MAX_EDITS + 1];
  i32 furthest[2 * DIFF_MAX_EDITS + 3] = {0}, *at = furthest + DIFF_MAX_EDITS + 1, most = -1;
  for (i32 d = 0; d <= DIFF_MAX_EDITS && most < 0; d++) {
    for (i32 k = -d; k <= d; k += 2) {
      i32 i = k == -d || (k != d && at[k - 1] < at[k + 1]) ? at[k + 1] : at[k - 1] + 1;
      while (i < n && i - k < m && i - k >= 0 && same(x[i], y[i - k])) i++;
      at[k] = i;
      if (i >= n && i - k >= m) {
        most = d;
        break;
      }
    }
    way[d] = allocate_array((u32)(2 * d + 1), sizeof(i32));
    __builtin_memcpy(way[d], at - d, (u32)(2 * d + 1) * sizeof(i32));
  }
  if (most < 0) {
    __builtin_memset(diff->gone + start, 1, (u32)n);
    __builtin_memset(diff->come + start, 1, (u32)m);
    return;
  }
  for (i32 d = most, i = n, j = m; d > 0; d--) {
    i32 *before = way[d - 1] + (d - 1), k = i - j;
    int down = k == -d || (k != d && (k - 1 < -(d - 1) ? -1 : before[k - 1]) < (k + 1 > d - 1 ? -1 : before[k + 1]));
    i32 from = down ? k + 1 : k - 1;
    i = before[from];
    j = i - from;
    if (down) {
      if (j >= 0 && j < m) diff->come[start + (u32)j] = 1;
    } else if (i >= 0 && i < n) {
      diff->gone[start + (u32)i] = 1;
    }
  }
}

static inline void diff_line(Buffer *out, u8 sign, Text line) {
  add(out, sign);
  add_text(out, line);
  if (!line.size || line.data[line.size - 1] != '\n') ADD(out, "\n\\ No newline at end of file\n");
}

static inline void diff_place(Buffer *out, u8 sign, u32 from, u32 count) {
  add(out, sign);
  add_decimal(out, count ? from + 1 : from);
  if (count != 1) add(out, ','), add_decimal(out, count);
}

// A unified diff with `context` lines around each change; empty if the texts are the same.
static inline Text unified_diff(Text old, Text new, Text old_name, Text new_name, u32 context) {
  Buffer out = {0};
  if (same(old, new)) return text_of(out);
  Diff diff = {.a = lines_of(old), .b = lines_of(new)};
  diff.gone = allocate_array(diff.a.count + 1, 1);
  diff.come = allocate_array(diff.b.count + 1, 1);
  __builtin_memset(diff.gone, 0, diff.a.count + 1);
  __builtin_memset(diff.come, 0, diff.b.count + 1);
  diff_mark(&diff);
  ADD(&out, "--- "), add_text(&out, old_name), ADD(&out, "\n+++ "), add_text(&out, new_name), add(&out, '\n');
  u32 i = 0, j = 0;
  while (i < diff.a.count || j < diff.b.count) {
    if (!diff.gone[i] && !diff.come[j]) {
      i++, j++;
      continue;
    }
    // A hunk: back by the context, on until so many lines are the same that another begins.
    u32 back = i < context ? i : context;
    if (back > j) back = j;
    u32 a = i - back, b = j - back, equal = 0;
    u32 a_end = i, b_end = j;
    for (u32 p = i, q = j; (p < diff.a.count || q < diff.b.count) && equal <= 2 * context;) {
      if (p < diff.a.count && diff.gone[p]) p++, equal = 0, a_end = p, b_end = q;
      else if (q < diff.b.count && diff.come[q]) q++, equal = 0, a_end = p, b_end = q;
      else p++, q++, equal++;
    }
    u32 after = diff.a.count - a_end < context ? diff.a.count - a_end : context;
    u32 a_stop = a_end + after, b_stop = b_end + after;
    ADD(&out, "@@ "), diff_place(&out, '-', a, a_stop - a);
    add(&out, ' '), diff_place(&out, '+', b, b_stop - b), ADD(&out, " @@\n");
    while (a < a_stop || b < b_stop) {
      if (a < a_stop && diff.gone[a]) diff_line(&out, '-', diff.a.lines[a++]);
      else if (b < b_stop && diff.come[b]) diff_line(&out, '+', diff.b.lines[b++]);
      else diff_line(&out, ' ', diff.a.lines[a++]), b++;
    }
    i = a_stop, j = b_stop;
  }
  return text_of(out);
}
