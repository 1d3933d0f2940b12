// Guards wasi:http/outgoing-handler: refuses every request, and says so.
//
// Offsets and cases follow the canonical ABI for the types of wasi:http 0.2.12.
#include "memory.h"

#define TYPES "wasi:http/types@0.2.12"

IMPORT(TYPES, "[method]outgoing-request.scheme")
void request_scheme(u32 request, void *option_scheme);
IMPORT(TYPES, "[method]outgoing-request.authority")
void request_authority(u32 request, void *option_string);
IMPORT(TYPES, "[resource-drop]outgoing-request") void request_drop(u32 request);
IMPORT(TYPES, "[resource-drop]request-options") void options_drop(u32 options);

// result<future-incoming-response, error-code>: discriminant at 0, payload at 8.
static u8 result[64] __attribute__((aligned(8)));
enum { HTTP_REQUEST_DENIED = 15 };

static char *append(char *at, Text text) {
  copy(at, text.at, text.size);
  return at + text.size;
}

EXPORT("wasi:http/outgoing-handler@0.2.12#handle")
u8 *handle(u32 request, u32 has_options, u32 options) {
  enter();
  // option<scheme>: option at 0, case at 4 (0 HTTP, 1 HTTPS, 2 other), the other's string at 8.
  struct { u8 some, pad[3], which, pad2[3]; Text other; } scheme = {0};
  struct { u8 some, pad[3]; Text text; } authority = {0};
  request_scheme(request, &scheme);
  request_authority(request, &authority);
  Text name = TEXT("https");  // what the runtime takes when a request names no scheme
  if (scheme.some && scheme.which == 0) name = TEXT("http");
  if (scheme.some && scheme.which == 2) name = scheme.other;
  if (!authority.some) authority.text.size = 0;
  char *target = scratch(name.size + 3 + authority.text.size);
  char *end = append(append(append(target, name), TEXT("://")), authority.text);
  host_refused("network", 7, target, (u32)(end - target));
  request_drop(request);
  if (has_options) options_drop(options);
  result[0] = ERROR_CASE;
  result[8] = HTTP_REQUEST_DENIED;
  leave();
  return result;
}
