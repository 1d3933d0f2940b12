// The guard: a small component that is woven in front of every component (weave.py).
//
// It exports the WASI interfaces that reach outside, and imports the native ones. What it does
// not export, a component gets from the runtime directly. Built by `scripts/build guard`;
// the numbers below (offsets, cases) follow the component model's canonical ABI for the types in
// wasi:http 0.2.12 and wasi:config.

typedef unsigned char u8;
typedef unsigned int u32;
typedef __SIZE_TYPE__ size;

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

typedef struct { const char *ptr; u32 len; } str;
typedef struct { str key, value; } pair;

IMPORT("wasi:cli/environment@0.2.12", "get-environment")
void native_get_environment(void *list);
IMPORT("wasi:http/types@0.2.12", "[method]outgoing-request.scheme")
void request_scheme(u32 request, void *option_scheme);
IMPORT("wasi:http/types@0.2.12", "[method]outgoing-request.authority")
void request_authority(u32 request, void *option_string);
IMPORT("wasi:http/types@0.2.12", "[resource-drop]outgoing-request")
void request_drop(u32 request);
IMPORT("wasi:http/types@0.2.12", "[resource-drop]request-options")
void options_drop(u32 options);
IMPORT("wassette:guard/host@0.1.0", "refused")
void host_refused(const char *kind, u32 kind_len, const char *target, u32 target_len);

// ---- memory ---------------------------------------------------------------------------------
//
// One arena. Arguments are allocated before an export is entered and its results are read after
// it has returned, so neither entry nor exit may empty it: leaving marks it stale, and the next
// allocation or entry empties it.

extern u8 __heap_base;
static u32 top;
static int stale = 1;

static void fresh(void) {
  if (stale) { top = (u32)(size)&__heap_base; stale = 0; }
}

EXPORT("cabi_realloc")
void *cabi_realloc(void *old, u32 old_size, u32 align, u32 new_size) {
  fresh();
  u32 at = (top + align - 1) & ~(align - 1);
  u32 end = at + new_size;
  if (at < top || end < at) __builtin_trap();
  u32 have = (u32)__builtin_wasm_memory_size(0) * 65536u;
  if (end > have && __builtin_wasm_memory_grow(0, (end - have + 65535u) / 65536u) == (size)-1)
    __builtin_trap();
  top = end;
  for (u32 i = 0; i < old_size && i < new_size; i++) ((u8 *)(size)at)[i] = ((u8 *)old)[i];
  return (void *)(size)at;
}

static char *append(char *at, const char *from, u32 len) {
  for (u32 i = 0; i < len; i++) at[i] = from[i];
  return at + len;
}

// ---- wasi:http/outgoing-handler -------------------------------------------------------------

// result<future-incoming-response, error-code>: discriminant at 0, payload at 8.
static u8 handle_result[64] __attribute__((aligned(8)));
enum { ERROR_CODE_HTTP_REQUEST_DENIED = 15 };

EXPORT("wasi:http/outgoing-handler@0.2.12#handle")
u8 *handle(u32 request, u32 has_options, u32 options) {
  fresh();
  // option<scheme>: option at 0, case at 4 (0 HTTP, 1 HTTPS, 2 other), the other's string at 8.
  struct { u8 some, pad[3], which, pad2[3]; str other; } scheme = {0};
  struct { u8 some, pad[3]; str text; } authority = {0};
  request_scheme(request, &scheme);
  request_authority(request, &authority);
  str name = {"https", 5};   // what the runtime takes when a request names no scheme
  if (scheme.some && scheme.which == 0) name.len = 4;
  if (scheme.some && scheme.which == 2) name = scheme.other;
  if (!authority.some) authority.text.len = 0;
  char *text = cabi_realloc(0, 0, 1, name.len + 3 + authority.text.len);
  char *end = append(text, name.ptr, name.len);
  end = append(end, "://", 3);
  end = append(end, authority.text.ptr, authority.text.len);
  host_refused("network", 7, text, (u32)(end - text));
  request_drop(request);
  if (has_options) options_drop(options);
  handle_result[0] = 1;
  handle_result[8] = ERROR_CODE_HTTP_REQUEST_DENIED;
  stale = 1;
  return handle_result;
}

// ---- wasi:config/store ----------------------------------------------------------------------

typedef struct { pair *ptr; u32 len; } pairs;

// result<option<string>, error>: result at 0, option at 4, string at 8.
static struct { u8 err, pad[3], some, pad2[3]; str value; } get_result;
// result<list<tuple<string, string>>, error>: result at 0, list at 4; 16 bytes in all.
static struct { u8 err, pad[3]; pairs list; u32 unused; } all_result;

static void *get(const char *key, u32 len) {
  fresh();
  pairs env;
  native_get_environment(&env);
  get_result.some = 0;
  for (u32 i = 0; i < env.len && !get_result.some; i++) {
    str name = env.ptr[i].key;
    u32 same = 0;
    if (name.len == len) while (same < len && name.ptr[same] == key[same]) same++;
    if (name.len == len && same == len) { get_result.some = 1; get_result.value = env.ptr[i].value; }
  }
  stale = 1;
  return &get_result;
}

static void *get_all(void) {
  fresh();
  native_get_environment(&all_result.list);
  stale = 1;
  return &all_result;
}

EXPORT("wasi:config/store@0.2.0-draft#get")
void *draft_get(const char *key, u32 len) { return get(key, len); }
EXPORT("wasi:config/store@0.2.0-draft#get-all")
void *draft_get_all(void) { return get_all(); }
EXPORT("wasi:config/store@0.2.0-rc.1#get")
void *rc_get(const char *key, u32 len) { return get(key, len); }
EXPORT("wasi:config/store@0.2.0-rc.1#get-all")
void *rc_get_all(void) { return get_all(); }
