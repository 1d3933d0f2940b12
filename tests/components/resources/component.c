#include "../abi.h"

#define COUNTERS "test:resources/counters@0.1.0"
IMPORT("[export]" COUNTERS, "[resource-new]counter") u32 new_handle(u32 *counter);

EXPORT(COUNTERS "#[constructor]counter") u32 new_counter(u32 start) {
  u32 *counter = allocate(sizeof *counter, sizeof *counter);
  *counter = start;
  return new_handle(counter);
}

EXPORT(COUNTERS "#[method]counter.increment") u32 increment(u32 *counter, u32 by) {
  return *counter += by;
}

EXPORT(COUNTERS "#plain") u32 plain(u32 x) { return 2 * x; }
