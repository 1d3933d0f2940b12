#include "../abi.h"

// result<option<string>, error>
typedef struct { u8 is_error; Option value; } Got;
// result<list<tuple<string, string>>, error>
typedef struct { u8 is_error; List list; Text error; } GotAll;

IMPORT("wasi:config/store@0.2.0-rc.1", "get") void get(const char *key, u32 size, Got *got);
IMPORT("wasi:config/store@0.2.0-rc.1", "get-all") void get_all(GotAll *got);

EXPORT("get-config") Option *get_config(const char *key, u32 size) {
  static Got got;
  get(key, size, &got);
  if (got.is_error) __builtin_trap();
  return &got.value;
}

EXPORT("all-config") List *all_config(void) {
  static GotAll got;
  get_all(&got);
  if (got.is_error) __builtin_trap();
  return &got.list;
}
