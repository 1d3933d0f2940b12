// Provides wasi:config/store, which wasmtime has not: the granted environment variables, for
// components that read them as configuration. Two shapes were published; they differ in the name
// of the error type.
#include "memory.h"

typedef struct { Text key, value; } Variable;
typedef struct { Variable *at; u32 count; } Variables;

IMPORT("wasi:cli/environment@0.2.12", "get-environment") void native_get_environment(Variables *);

static void *get(const char *key, u32 key_size) {
  // result<option<string>, error>: result at 0, option at 4, string at 8.
  static struct { u8 error, pad[3], some, pad2[3]; Text value; } result;
  enter();
  Variables all;
  native_get_environment(&all);
  result.some = 0;
  for (u32 i = 0; i < all.count && !result.some; i++) {
    Text name = all.at[i].key;
    if (name.size != key_size || !same(name.at, key, key_size)) continue;
    result.some = 1;
    result.value = all.at[i].value;
  }
  leave();
  return &result;
}

static void *get_all(void) {
  // result<list<tuple<string, string>>, error>: result at 0, list at 4; 16 bytes in all.
  static struct { u8 error, pad[3]; Variables list; u32 unused; } result;
  enter();
  native_get_environment(&result.list);
  leave();
  return &result;
}

EXPORT("wasi:config/store@0.2.0-draft#get")
void *draft_get(const char *key, u32 size) { return get(key, size); }
EXPORT("wasi:config/store@0.2.0-draft#get-all")
void *draft_get_all(void) { return get_all(); }
EXPORT("wasi:config/store@0.2.0-rc.1#get")
void *rc_get(const char *key, u32 size) { return get(key, size); }
EXPORT("wasi:config/store@0.2.0-rc.1#get-all")
void *rc_get_all(void) { return get_all(); }
