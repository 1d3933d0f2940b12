// Time zones of the IANA database. scripts/zones.py says how `zone_data` is laid out.
#pragma once
#include "../common/time.h"
#include "zones_data.h"

typedef struct { i32 offset; int daylight; Text name; } ZoneTime;

static inline u32 little(const u8 *at, u32 bytes) {
  u32 value = 0;
  while (bytes) value = value << 8 | at[--bytes];
  return value;
}
static inline Text name8(const u8 *at) {
  u32 size = 0;
  while (size < 8 && at[size]) size++;
  return (Text){at, size};
}

static inline const u8 *find_zone(Text name) {
  for (u32 i = 0; i < COUNT(zone_names); i++)
    if (same_letters(zone_names[i].name, name)) return zone_data + zone_names[i].at;
  return 0;
}

// When a rule's change is in a year, in seconds of local time: `at` has month, week, day, second.
static inline i64 change_at(const u8 *at, i64 year) {
  u32 month = at[0], week = at[1], day = at[2];
  i64 first = days_of(year, month, 1);
  u32 weekday = (u32)((first + 4) % 7);  // 1970-01-01 was a Thursday
  u32 of_month = (day + 7 - weekday) % 7 + 7 * (week - 1);
  while (of_month >= days_in((u32)year, month)) of_month -= 7;  // the fifth is the last
  return (first + of_month) * DAY + (i32)little(at + 3, 4);
}

// What a clock in the zone shows at that second.
static inline ZoneTime zone_time(const u8 *zone, i64 second) {
  u32 kinds = zone[0];
  const u8 *changes = zone + 1 + 13 * kinds, *rule;
  u32 kind = changes[0], count = little(changes + 1, 2);
  changes += 3;
  rule = changes + 5 * count;
  u32 low = 0, high = count;  // the first change that is later
  while (low < high) {
    u32 middle = (low + high) / 2;
    if ((i64)little(changes + 5 * middle, 4) <= second) low = middle + 1;
    else high = middle;
  }
  if (low == count && rule[0] && (!count || second >= (i64)little(changes + 5 * (count - 1), 4))) {
    i32 standard = (i32)little(rule + 1, 4), daylight = (i32)little(rule + 5, 4);
    i64 year = moment_of(second + standard).year;
    i64 start = change_at(rule + 25, year) - standard, stop = change_at(rule + 32, year) - daylight;
    int is_daylight = start < stop ? second >= start && second < stop : second >= start || second < stop;
    return (ZoneTime){is_daylight ? daylight : standard, is_daylight, name8(rule + (is_daylight ? 17 : 9))};
  }
  if (low) kind = changes[5 * (low - 1) + 4];
  const u8 *of = zone + 1 + 13 * kind;
  return (ZoneTime){(i32)little(of, 4), of[4], name8(of + 5)};
}

// The second at which a clock in the zone shows `local`: the first one if there are two, none
// (false) if clocks went over it.
static inline int zone_second(const u8 *zone, i64 local, i64 *second) {
  i32 before = zone_time(zone, local - DAY).offset, after = zone_time(zone, local + DAY).offset;
  i32 larger = before > after ? before : after, smaller = before > after ? after : before;
  *second = local - larger;
  if (zone_time(zone, *second).offset == larger) return 1;
  *second = local - smaller;
  return zone_time(zone, *second).offset == smaller;
}
