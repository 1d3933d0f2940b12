// Dates of the proleptic Gregorian calendar, as RFC 3339.
#pragma once
#include "base.h"

enum { MINUTE = 60, DAY = 86400 };

// Days since 1970-01-01, for years from 0, by counting years from March so that the leap day comes
// last.
static inline i64 days_of(i64 year, u32 month, u32 day) {
  year -= month <= 2;
  i64 era = (year >= 0 ? year : year - 399) / 400;
  u32 of_era = (u32)(year - era * 400);
  u32 of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146097 + (i64)of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static inline int is_leap(i64 year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

static inline u32 days_in(u32 year, u32 month) {
  static const u8 days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return days[month - 1] + (month == 2 && is_leap(year));
}

typedef struct { i64 year; u32 month, day, seconds; i64 days; } Moment;

// A moment's date and time of day, of seconds since 1970 in whatever offset is wanted.
static inline Moment moment_of(i64 seconds) {
  i64 days = seconds / DAY - (seconds % DAY < 0);
  u32 time = (u32)(seconds - days * DAY);
  i64 from_era = days + 719468;
  i64 era = (from_era >= 0 ? from_era : from_era - 146096) / 146097;
  u32 of_era = (u32)(from_era - era * 146097);
  u32 year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  u32 of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  u32 from_march = (5 * of_year + 2) / 153;
  u32 month = from_march < 10 ? from_march + 3 : from_march - 9;
  return (Moment){era * 400 + year_of_era + (month <= 2), month,
                  of_year - (153 * from_march + 2) / 5 + 1, time, days};
}

// `offset` in seconds. False if the year has not four digits.
static inline int add_time(Buffer *out, i64 seconds, Text fraction, i32 offset) {
  Moment moment = moment_of(seconds + offset);
  if (moment.year < 0 || moment.year > 9999) return 0;
  u32 time = moment.seconds;
  add_number(out, (u64)moment.year, 4), add(out, '-'), add_number(out, moment.month, 2), add(out, '-');
  add_number(out, moment.day, 2);
  add(out, 'T'), add_number(out, time / 3600, 2), add(out, ':'), add_number(out, time / 60 % 60, 2);
  add(out, ':'), add_number(out, time % 60, 2);
  add_text(out, fraction);
  if (offset == 0) {
    add(out, 'Z');
  } else {
    u32 minutes = (u32)(offset < 0 ? -offset : offset) / MINUTE;
    add(out, offset < 0 ? '-' : '+'), add_number(out, minutes / 60, 2), add(out, ':');
    add_number(out, minutes % 60, 2);
  }
  return 1;
}
