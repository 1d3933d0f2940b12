// Decimal numbers, without a libc: to 15 significant digits, which is what a double keeps.
#pragma once
#include "json.h"

static inline double power_of_ten(u32 exponent) {
  double value = 1, square = 10;
  for (; exponent; exponent >>= 1, square *= square)
    if (exponent & 1) value *= square;
  return value;
}

static inline double scaled(double value, i32 exponent) {
  if (exponent < -700 || value == 0) return 0;
  if (exponent > 700) exponent = 700;
  // In steps, since no double is more than 10^308.
  for (; exponent < -300; exponent += 300) value /= power_of_ten(300);
  for (; exponent > 300; exponent -= 300) value *= power_of_ten(300);
  return exponent < 0 ? value / power_of_ten((u32)-exponent) : value * power_of_ten((u32)exponent);
}

// Whether the text is a number, and which.
static inline int number_of(Text text, double *number) {
  if (!text.size || text.size > 400 || json_number(text, 0) != text.size) return 0;
  u64 digits = 0;
  i32 exponent = 0, written = 0, negative = text.data[0] == '-';
  u32 at = (u32)negative;
  int fraction = 0;
  for (; at < text.size && (is_digit(text.data[at]) || text.data[at] == '.'); at++) {
    u8 c = text.data[at];
    if (c == '.') {
      fraction = 1;
      continue;
    }
    if (digits < 100000000000000000ull) digits = digits * 10 + (c - '0'), exponent -= fraction;
    else exponent += !fraction;
  }
  if (at < text.size) {
    int minus = text.data[at + 1] == '-';
    for (at++; at < text.size; at++)
      if (is_digit(text.data[at]) && written < 100000) written = written * 10 + (text.data[at] - '0');
    exponent += minus ? -written : written;
  }
  double value = scaled((double)digits, exponent);
  *number = negative ? -value : value;
  return 1;
}

static inline int is_finite(double value) { return value - value == 0; }

static inline void add_double(Buffer *out, double value) {
  if (!is_finite(value)) {
    ADD(out, "null");
    return;
  }
  if (value < 0) add(out, '-'), value = -value;
  if (value == 0) {
    add(out, '0');
    return;
  }
  i32 exponent = 0;  // of the first of the 15 digits
  for (double rest = value; rest >= 10; rest /= 10) exponent++;
  for (double rest = value; rest < 1; rest *= 10) exponent--;
  double shifted = scaled(value, 14 - exponent);
  if (shifted >= 999999999999999.5) exponent++, shifted = scaled(value, 14 - exponent);
  if (shifted < 100000000000000.0 - 0.5) exponent--, shifted = scaled(value, 14 - exponent);
  u64 digits = (u64)(shifted + 0.5);
  u8 text[15];
  u32 used = 15;
  for (u32 i = 15; i; digits /= 10) text[--i] = '0' + digits % 10;
  while (used > 1 && text[used - 1] == '0') used--;
  if (exponent >= -7 && exponent < 21) {
    if (exponent < 0) {
      ADD(out, "0.");
      for (i32 i = exponent; i < -1; i++) add(out, '0');
    }
    for (i32 i = 0; i < (i32)used || i <= exponent; i++) {
      if (i == exponent + 1 && i > 0) add(out, '.');
      add(out, i < (i32)used ? text[i] : '0');
    }
  } else {
    add(out, text[0]);
    if (used > 1) add(out, '.'), add_text(out, (Text){text + 1, used - 1});
    ADD(out, "e"), add(out, exponent < 0 ? '-' : '+');
    add_decimal(out, (u64)(exponent < 0 ? -exponent : exponent));
  }
}
